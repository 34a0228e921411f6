import { request, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLogger } from "../../base/logger.ts";
import { createTestDatabase, type TestDatabase } from "../../postgres/testing/test-database.ts";
import { createApp } from "../app.ts";
import type { HttpContext } from "./context.ts";

/* Over sockets: what a HEAD is answered with is the HTTP server's doing, too. */

let database: TestDatabase;
let app: ReturnType<typeof createApp>;
let port: number;
beforeAll(async () => {
  database = await createTestDatabase();
  const context = {
    version: "0.0.0",
    baseUrl: "http://stoker.test/fhir",
    importEnabled: true,
    initialImportMode: false,
    dateEquality: "contain",
    database,
    logger: openLogger("error", "test"),
  } as unknown as HttpContext;
  app = createApp(context);
  await app.listen({ port: 0, host: "127.0.0.1" });
  ({ port } = app.server.address() as AddressInfo);
  const text = { status: "generated", div: `<div xmlns="http://www.w3.org/1999/xhtml">${"long ".repeat(400)}</div>` };
  for (const [method, path, body] of [
    ["PUT", "/Patient/1", { resourceType: "Patient", id: "1", text }],
    ["PUT", "/Patient/1", { resourceType: "Patient", id: "1", active: true, text }],
    ["PUT", "/Patient/gone", { resourceType: "Patient", id: "gone" }],
    ["DELETE", "/Patient/gone", undefined],
    ["PUT", "/Basic/1", { resourceType: "Basic", id: "1", subject: { reference: "Patient/1" } }],
  ] as const) {
    expect((await ask(method, path, { "content-type": "application/fhir+json" }, body)).status).toBeLessThan(300);
  }
});
afterAll(async () => {
  await app.close();
  await database.drop();
});

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function ask(method: string, path: string, headers: Record<string, string>, body?: object): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path: `/fhir${path}`, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    sent.once("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Headers that belong to the one answer. */
const OWN = new Set(["date", "x-request-id", "x-correlation-id", "connection", "keep-alive"]);

function facts({ status, headers }: Reply): object {
  return { status, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN.has(name))) };
}

describe.each(["identity", "gzip"])("HEAD with Accept-Encoding: %s", (encoding) => {
  it.each<[path: string, status: number, headers?: Record<string, string>]>([
    ["/Patient/1", 200],
    ["/Patient/1", 304, { "if-none-match": 'W/"2"' }],
    ["/Patient/1", 304, { "if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT" }],
    ["/Patient/1", 200, { "if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT" }],
    ["/Patient/1?_summary=true", 200],
    ["/Patient/gone", 410],
    ["/Patient/none", 404],
    ["/Shoe/1", 404],
    ["/Patient/1", 406, { accept: "text/turtle" }],
    ["/Patient/1/_history/1", 200],
    ["/Patient/1/_history/1", 304, { "if-none-match": 'W/"1"' }],
    ["/Patient/gone/_history/2", 410],
    ["/Patient/1/_history/9", 404],
    ["/Patient/1/_history", 200],
    ["/Patient/none/_history", 404],
    ["/Patient/_history?_count=1", 200],
    ["/_history", 200],
    ["/_history?_at=never", 400],
    ["/Patient", 200],
    ["/Patient?_count=0", 200],
    ["/Patient?birthdate=never", 400],
    ["/?_type=Patient,Basic", 200],
    ["/Patient/1/Basic", 200],
    ["/Patient/1/$everything", 200],
    ["/metadata", 200],
    ["/metadata", 304, { "if-none-match": "*" }],
  ])("%s: %i, with the headers of GET and nothing else", async (path, status, headers = {}) => {
    const asked = { ...headers, "accept-encoding": encoding };
    const get = await ask("GET", path, asked);
    const head = await ask("HEAD", path, asked);
    expect(head.status).toBe(status);
    expect(head.body).toHaveLength(0);
    expect(facts(head)).toEqual(facts(get));
    if (status === 304) {
      expect(get.body).toHaveLength(0);
      expect(get.headers).toMatchObject({ etag: expect.stringMatching(/^W\/"/), vary: "accept-encoding" });
      expect(get.headers["content-type"]).toBeUndefined();
    } else {
      expect(head.headers["content-length"]).toBe(String(get.body.length));
      expect(head.headers["content-type"]).toBe("application/fhir+json; charset=utf-8");
    }
  });
});
