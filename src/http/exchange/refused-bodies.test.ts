import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { fastify, type FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRefusedBodies } from "./refused-bodies.ts";

let app: FastifyInstance;

beforeAll(async () => {
  app = fastify({ bodyLimit: 1000 });
  readRefusedBodies(app);
  app.post("/", (_request, reply) => reply.send("taken"));
  await app.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(() => app.close());

/** Sends all of a body before it looks at the answer, as many clients do. */
function sendWhole(headers: Record<string, string>, body: Buffer): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { port } = app.server.address() as AddressInfo;
    const sent = request({ host: "127.0.0.1", port, method: "POST", path: "/", agent: false, headers }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("a body that is refused", () => {
  const long = Buffer.alloc(24 << 20, "x");

  it.each([
    ["is too long by its Content-Length", { "content-length": String(long.length) }, "text/plain", 413],
    ["turns out to be too long", { "transfer-encoding": "chunked" }, "text/plain", 413],
    ["is of another type", { "content-length": String(long.length) }, "image/png", 415],
  ])("because it %s is read to its end: the client sees the answer", async (_why, headers, type, status) => {
    expect(await sendWhole({ ...headers, "content-type": type }, long)).toBe(status);
  });
});
