import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type WriteServer } from "../testing/write-server.ts";

let server: WriteServer;
const bytes = Buffer.from([0, 255, 1, 254, 10, 13, 0x7b, 0x22]);

beforeAll(async () => {
  server = await openWriteServer();
  const resource = { resourceType: "Binary", id: "b", contentType: "image/png", data: bytes.toString("base64") };
  await server.send("PUT", "/Binary/b", resource);
});
afterAll(() => server.close());

describe("reading a Binary", () => {
  it.each([
    ["/Binary/b", "image/png"],
    ["/Binary/b", "application/pdf, */*;q=0.1"],
    ["/Binary/b/_history/1", "application/octet-stream"],
    ["/Binary/b", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
  ])("%s with Accept: %s is its content", async (path, accept) => {
    const answer = await server.raw("GET", path, { accept });
    expect(answer.statusCode).toBe(200);
    expect(answer.rawPayload).toEqual(bytes);
    expect(answer.headers).toMatchObject({
      "content-type": "image/png",
      etag: 'W/"1"',
      "content-disposition": "attachment",
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
    });
    expect(answer.headers["last-modified"]).toBeDefined();
    expect(answer.headers["vary"]).toBe("accept");
  });

  it.each([
    ["application/fhir+json", ""],
    ["image/png, application/fhir+json;q=0.5", ""],
    ["application/json", ""],
    ["*/*", ""],
    [undefined, ""],
    ["image/png", "?_format=json"],
  ])("with Accept: %s%s is the resource", async (accept, query) => {
    const answer = await server.send("GET", `/Binary/b${query}`, undefined, accept === undefined ? {} : { accept });
    expect([answer.status, answer.body.contentType]).toEqual([200, "image/png"]);
    expect(answer.headers["vary"]).toBe("accept, accept-encoding");
  });

  it.each([
    ["/Binary/b", "application/fhir+xml", 406],
    ["/Binary", "image/png", 406],
    ["/Patient/b", "image/png", 406],
    ["/Binary/none", "image/png", 404],
    ["/Binary/b/_history/2", "image/png", 404],
  ])("%s with Accept: %s is a %i with an OperationOutcome", async (path, accept, status) => {
    const answer = await server.send("GET", path, undefined, { accept });
    expect([answer.status, answer.body.resourceType]).toEqual([status, "OperationOutcome"]);
  });

  it("that the client has already is a 304", async () => {
    const answer = await server.raw("GET", "/Binary/b", { accept: "image/png", "if-none-match": 'W/"1"' });
    expect([answer.statusCode, answer.rawPayload.length]).toEqual([304, 0]);
  });

  it("gives no header that its contentType could break", async () => {
    await server.send("PUT", "/Binary/odd", {
      resourceType: "Binary",
      id: "odd",
      contentType: "text/plaÿn",
      data: "YQ==",
    });
    const answer = await server.raw("GET", "/Binary/odd", { accept: "text/plain" });
    expect([answer.headers["content-type"], answer.payload]).toEqual(["application/octet-stream", "a"]);
  });
});

describe("writing a Binary as it is", () => {
  const text = { "content-type": "text/plain; charset=iso-8859-1", "x-security-context": "Patient/p" };

  it("creates and updates the resource", async () => {
    const created = await server.send("POST", "/Binary", bytes, text);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({
      resourceType: "Binary",
      contentType: text["content-type"],
      securityContext: { reference: "Patient/p" },
      data: bytes.toString("base64"),
    });
    const path = `/Binary/${created.body.id}`;
    const updated = await server.send("PUT", path, Buffer.from("x"), {
      "content-type": "image/gif",
      "if-match": 'W/"1"',
    });
    expect([updated.status, updated.headers["etag"], updated.body.data]).toEqual([200, 'W/"2"', "eA=="]);
    const read = await server.raw("GET", path, { accept: "image/*" });
    expect([read.headers["content-type"], read.payload]).toEqual(["image/gif", "x"]);
  });

  it.each([
    ["POST", "/Binary", "application/fhir+xml"],
    ["POST", "/Binary", "application/x-www-form-urlencoded"],
    ["PUT", "/Binary/1", ""],
    ["POST", "/Patient", "text/plain"],
    ["PUT", "/Patient/1", "image/png"],
    ["POST", "", "text/plain"],
  ] as const)("%s %s with %s stays a 415 that says what is taken", async (method, path, type) => {
    const answer = await server.send(method, path, "x", { "content-type": type });
    expect([answer.status, answer.body.issue[0].diagnostics]).toEqual([
      415,
      "The Content-Type of the body must be application/fhir+json or application/json.",
    ]);
  });

  it.each([
    ["application/json", '{"a":[1,2.50]}'],
    ["application/json; charset=utf-8", '{"resourceType":"Patient","id":"p"}'],
    ["application/json", "[1,"],
    ["application/ld+json", '{"@context":"x"}'],
    ["application/geo+json", '{"type":"Point"}'],
    ["text/json", '{"resourceType":"Binary","data":"no"}'],
  ])("%s %s is content", async (type, content) => {
    for (const [method, path] of [
      ["POST", "/Binary"],
      ["PUT", "/Binary/json"],
    ] as const) {
      const { status, body } = await server.send(method, path, content, { "content-type": type });
      expect(status).toBeLessThan(300);
      expect(body).toMatchObject({
        resourceType: "Binary",
        contentType: type,
        data: Buffer.from(content).toString("base64"),
      });
    }
  });

  it.each(["application/json", "application/fhir+json"])("a Binary resource as %s is that resource", async (type) => {
    const binary = { resourceType: "Binary", id: "whole", contentType: "text/plain", data: "YQ==" };
    const { body } = await server.send("PUT", "/Binary/whole", JSON.stringify(binary), { "content-type": type });
    expect(body).toMatchObject(binary);
  });

  it("another resource as application/fhir+json is refused", async () => {
    const fhir = { "content-type": "application/fhir+json" };
    expect((await server.send("POST", "/Binary", '{"resourceType":"Patient"}', fhir)).status).toBe(400);
  });

  it("takes no more than fits into a resource", async () => {
    const type = { "content-type": "application/octet-stream" };
    expect((await server.send("POST", "/Binary", Buffer.alloc(11 << 20, 7), type)).status).toBe(201);
    expect((await server.send("POST", "/Binary", Buffer.alloc((11 << 20) + 1), type)).status).toBe(413);
  });
});
