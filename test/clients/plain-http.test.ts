import { request, type IncomingHttpHeaders } from "node:http";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openFullServer, type FullServer } from "../support/full-server.ts";

/* What a client sees on the wire that no FHIR library shows: compressed bodies, HEAD, lengths. */

let server: FullServer;

beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server.close());

interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One request as it is, without anything that fetch adds or undoes. */
async function send(method: string, path: string, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = request(`${server.base}${path}`, { method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const JSON_BODY = { "content-type": "application/fhir+json" };
const GZIP_BODY = { ...JSON_BODY, "content-encoding": "gzip" };

it("bodies and answers are compressed both ways, with their length or in chunks", async () => {
  const text = JSON.stringify({ resourceType: "Basic", id: "zip", code: { text: "zip ".repeat(1000) } });
  const zipped = gzipSync(text);
  const length = { "content-length": String(zipped.length) };
  expect((await send("PUT", "/Basic/zip", { ...GZIP_BODY, ...length }, zipped)).status).toBe(201);
  expect((await send("PUT", "/Basic/zip", { ...GZIP_BODY, "transfer-encoding": "chunked" }, zipped)).status).toBe(200);
  const plain = await send("GET", "/Basic/zip", {});
  const packed = await send("GET", "/Basic/zip", { "accept-encoding": "gzip" });
  expect(packed.headers["content-length"]).toBe(String(packed.body.length));
  expect(packed.body.length).toBeLessThan(500);
  expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
  expect(JSON.parse(plain.body.toString()).meta.versionId).toBe("2");
});

it("HEAD has no body and the length of the GET, compressed or not", async () => {
  for (const headers of [{}, { "accept-encoding": "gzip" }]) {
    const get = await send("GET", "/metadata", headers);
    const head = await send("HEAD", "/metadata", headers);
    expect([head.status, head.body.length]).toEqual([200, 0]);
    for (const name of ["content-length", "content-encoding", "etag", "content-type"]) {
      expect(head.headers[name], name).toBe(get.headers[name]);
    }
  }
});

it("a small body that inflates to 160 MB is refused, and the server goes on", async () => {
  const bomb = gzipSync(Buffer.alloc(160 * 1024 * 1024, " "), { level: 9 });
  for (const path of ["/Basic", "/", "/$import", "/Basic/$validate"]) {
    const { status, headers } = await send("POST", path, { ...GZIP_BODY, prefer: "respond-async" }, bomb);
    expect([path, status, headers["connection"]]).toEqual([path, 413, "close"]);
  }
  expect((await send("GET", "/Basic/zip", {})).status).toBe(200);
});

it("a body that is cut off in the middle of its gzip is a 400", async () => {
  const zipped = gzipSync(JSON.stringify({ resourceType: "Basic", id: "cut" }));
  expect((await send("PUT", "/Basic/cut", GZIP_BODY, zipped.subarray(0, 20))).status).toBe(400);
  expect((await send("GET", "/Basic/cut", {})).status).toBe(404);
});
