import { connect } from "node:net";
import { fastify, type FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerClientError } from "./protocol/client-errors.ts";
import { openWriteServer, type Answer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
  await server.send("PUT", "/Patient/a", { resourceType: "Patient", id: "a" });
});
afterAll(() => server.close());

function send(type: string, entry: Json[]): Promise<Answer> {
  return server.send("POST", "", { resourceType: "Bundle", type, entry });
}

/** A search by a form of 10,000 bytes for each of its parameters, less one byte. */
function search(parameters: number): Promise<Answer> {
  const form = Array.from({ length: parameters }, () => `_id=${"a".repeat(9995)}`).join("&");
  return server.send("POST", "/Patient/_search", form, FORM);
}

const FORM = { "content-type": "application/x-www-form-urlencoded" };

describe("an id with a NUL, which no text of PostgreSQL has", () => {
  it.each([
    ["GET", "/Patient/%00"],
    ["GET", "/Patient/%00/_history"],
    ["GET", "/Patient/%00/_history/1"],
    ["GET", "/Patient/%00/$everything"],
    ["GET", "/Patient/%00/$validate"],
  ] as const)("is unknown to %s %s", async (method, path) => {
    const { status, body } = await server.send(method, path);
    expect([status, body.issue[0].code]).toEqual([404, "not-found"]);
  });
  it("is deleted like what was never there", async () => {
    expect((await server.send("DELETE", "/Patient/%00")).status).toBe(204);
    expect((await server.send("DELETE", "/Patient/%00?hardDelete=true")).status).toBe(204);
  });
});

describe("searches", () => {
  it("have at most 200 parameters", async () => {
    const { status, body } = await server.send("GET", `/Patient?${"_id=a&".repeat(201)}`);
    expect([status, body.issue[0].code]).toEqual([400, "too-costly"]);
    expect((await server.send("GET", `/Patient?${"_id=a&".repeat(200)}`)).status).toBe(200);
  });
  it("are forms of at most 2 MB", async () => {
    expect((await search(210)).status).toBe(413);
    expect((await search(200)).status).toBe(200);
  });
  it.each(["/Patient", "/Patient/a/_history", "/_history"])(
    "of %s give a number for _summary=count, wherever _count stands",
    async (path) => {
      for (const query of ["_summary=count&_count=5", "_count=5&_summary=count"]) {
        const { body } = await server.send("GET", `${path}?${query}`);
        expect([body.total, body.entry]).toEqual([1, undefined]);
      }
    },
  );
  it("of the history of one type twice give each version once", async () => {
    const { body } = await server.send("GET", "/_history?_type=Patient,Patient");
    expect(body.entry).toHaveLength(1);
  });
});

describe("Bundles", () => {
  it("have at most 50,000 entries", async () => {
    const { status, body } = await send("batch", Array<number>(50_001).fill(0));
    expect([status, body.issue[0].code, body.issue[0].expression]).toEqual([400, "too-costly", ["Bundle.entry"]]);
  });
  it("read at most 64 MB", async () => {
    const data = "A".repeat(9_000_000);
    await server.send("PUT", "/Binary/b", { resourceType: "Binary", id: "b", contentType: "text/plain", data });
    const read = { request: { method: "GET", url: "Binary/b" } };
    const { body } = await send(
      "batch",
      Array.from({ length: 9 }, () => read),
    );
    const statuses = body.entry.map((entry: Json) => entry.response.status);
    expect(statuses).toEqual([...Array<string>(7).fill("200 OK"), ...Array<string>(2).fill("413 Payload Too Large")]);
    expect(body.entry[8].response.outcome.issue[0].code).toBe("too-costly");
  });
  it("that write have each fullUrl once: a reference to it has one meaning", async () => {
    const entry = {
      fullUrl: "urn:uuid:1c1b5a3c-0000-4000-8000-000000000001",
      resource: { resourceType: "Patient" },
      request: { method: "POST", url: "Patient" },
    };
    const { status, body } = await send("transaction", [entry, entry]);
    expect(status).toBe(400);
    expect(body.issue[0].expression).toEqual(["Bundle.entry[1].fullUrl"]);
  });
});

it.each([
  ["a header of 20 KB", `GET /Patient?name=${"x".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
  ["no HTTP", "hello\r\n\r\n", 400],
])("what is no request (%s) is answered with an OperationOutcome", async (_name, text, status) => {
  const app = fastify({ clientErrorHandler: answerClientError });
  await app.listen({ port: 0, host: "127.0.0.1" });
  try {
    const answer = await answerTo(app, text);
    const [head, body = ""] = answer.split("\r\n\r\n");
    expect(head).toContain(`HTTP/1.1 ${status} `);
    expect(JSON.parse(body)).toMatchObject({ resourceType: "OperationOutcome" });
  } finally {
    await app.close();
  }
});

/** All that comes back for some bytes until the connection is closed. */
async function answerTo(app: FastifyInstance, text: string): Promise<string> {
  return await new Promise<string>((resolve, reject) => {
    let got = "";
    const socket = connect((app.server.address() as { port: number }).port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (bytes) => (got += bytes.toString()));
    socket.on("close", () => resolve(got)).on("error", reject);
  });
}
