import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type WriteServer } from "../testing/write-server.ts";

const APP = "https://app.example.org";

describe("pages of other origins", () => {
  let server: WriteServer;
  beforeAll(async () => {
    server = await openWriteServer({ corsOrigins: [APP, "http://localhost:3000"] });
  });
  afterAll(() => server.close());

  it.each([
    ["PUT", "/Patient/1"],
    ["POST", "/Patient/_search"],
    ["PATCH", "/Patient/1"],
    ["GET", "/Patient/1/$everything"],
    ["POST", "/$import"],
  ])("may send %s %s: the preflight says so", async (method, path) => {
    const { status, headers } = await server.send("OPTIONS", path, undefined, {
      origin: APP,
      "access-control-request-method": method,
      "access-control-request-headers": "authorization, content-type, if-match, prefer",
    });
    expect(status).toBe(204);
    expect(headers["access-control-allow-origin"]).toBe(APP);
    expect(headers["access-control-allow-methods"]?.split(", ")).toContain(method);
    expect(headers["access-control-allow-headers"]).toBe("authorization, content-type, if-match, prefer");
    expect(headers["access-control-allow-credentials"]).toBeUndefined();
  });

  it("read answers, errors included, with the headers that FHIR clients need", async () => {
    const created = await server.send("PUT", "/Patient/1", { resourceType: "Patient", id: "1" }, { origin: APP });
    const missing = await server.send("GET", "/Patient/nobody", undefined, { origin: APP });
    expect([created.status, missing.status]).toEqual([201, 404]);
    for (const { headers } of [created, missing]) {
      expect(headers["access-control-allow-origin"]).toBe(APP);
      expect(headers["access-control-expose-headers"]).toMatch(/ETag, Last-Modified, Link, Location/);
      expect(headers["vary"]?.split(/, ?/)).toContain("Origin");
    }
  });

  it("of no other origin get anything", async () => {
    const origin = "https://app.example.org.evil.test";
    const asked = { origin, "access-control-request-method": "PUT" };
    for (const { headers } of [
      await server.send("OPTIONS", "/Patient/1", undefined, asked),
      await server.send("GET", "/Patient/1", undefined, { origin }),
    ]) {
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });
});

it("`*` is any origin", async () => {
  const server = await openWriteServer({ corsOrigins: ["*"] });
  try {
    const { headers } = await server.send("GET", "/metadata", undefined, { origin: APP });
    expect(headers["access-control-allow-origin"]).toBe("*");
  } finally {
    await server.close();
  }
});

it("without the setting, pages of other origins read nothing", async () => {
  const server = await openWriteServer();
  try {
    const { status, headers } = await server.send("GET", "/metadata", undefined, { origin: APP });
    expect([status, headers["access-control-allow-origin"]]).toEqual([200, undefined]);
  } finally {
    await server.close();
  }
});
