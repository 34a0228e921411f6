import { afterAll, beforeAll, expect, it } from "vitest";
import { openWriteServer, type WriteServer } from "../testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

type Method = Parameters<WriteServer["send"]>[0];

it.each<[Method, string, string]>([
  ["DELETE", "/metadata", "GET, HEAD"],
  ["POST", "/metadata", "GET, HEAD"],
  ["POST", "/Patient/1", "GET, HEAD, PUT, PATCH, DELETE"],
  ["PUT", "/", "GET, HEAD, POST"],
  ["PUT", "/Patient/_search", "GET, HEAD, POST"],
  ["PUT", "/Patient/1/$everything", "GET, HEAD, POST"],
  ["PATCH", "/Patient/1/_history/1", "GET, HEAD"],
  ["PUT", "/Patient/1/Observation", "GET, HEAD"],
  ["GET", "/$import", "POST"],
  ["OPTIONS", "/Patient", "GET, HEAD, POST, PUT, PATCH, DELETE"],
])("%s %s is a 405 with Allow: %s", async (method, path, allow) => {
  const answer = await server.send(method, path, method === "GET" ? undefined : "<x/>", { "content-type": "text/xml" });
  expect(answer.status).toBe(405);
  expect(answer.headers["allow"]).toBe(allow);
  expect(answer.body.issue[0].code).toBe("not-supported");
});

it.each<[Method, string, number]>([
  ["PUT", "/Shoe", 404],
  ["POST", "/Shoe/1", 404],
  ["PUT", "/Patient/1/Shoe", 404],
  ["POST", "/Patient/$nothing", 404],
  ["POST", "/Patient/1/$nothing", 404],
  ["DELETE", "/Patient/1/2/3/4", 404],
  ["PUT", "/Patient", 412],
  ["GET", "/$nothing", 404],
  ["GET", "/Patient/$nothing", 404],
  ["GET", "/Patient/1/$nothing", 404],
])("%s %s stays %i", async (method, path, status) => {
  const answer = await server.send(method, path, { resourceType: "Patient" });
  expect([answer.status, answer.headers["allow"]]).toEqual([status, undefined]);
});
