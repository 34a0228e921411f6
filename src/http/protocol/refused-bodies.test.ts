import { connect, type AddressInfo } from "node:net";
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

/** The first line of the answer, which nobody looks at before all of the request is sent, as many clients do. */
function answerTo(head: string, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = app.server.address() as AddressInfo;
    const socket = connect(port, "127.0.0.1").pause();
    socket.on("error", reject);
    socket.on("data", (bytes) => {
      socket.destroy();
      resolve(bytes.toString("latin1").split("\r\n", 1)[0] ?? "");
    });
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n`);
    socket.write(body, (error) => {
      if (error === undefined || error === null) socket.resume();
    });
  });
}

describe("a body that is refused", () => {
  const long = Buffer.alloc(24 << 20, "x");
  const length = `Content-Length: ${long.length}`;
  const chunks = Buffer.concat([Buffer.from(`${long.length.toString(16)}\r\n`), long, Buffer.from("\r\n0\r\n\r\n")]);

  it.each([
    ["is too long by its Content-Length", `${length}\r\nContent-Type: text/plain`, long, "413 Payload Too Large"],
    [
      "turns out to be too long",
      "Transfer-Encoding: chunked\r\nContent-Type: text/plain",
      chunks,
      "413 Payload Too Large",
    ],
    ["is of another type", `${length}\r\nContent-Type: image/png`, long, "415 Unsupported Media Type"],
  ])("because it %s is read to its end: the client sees the answer", async (_why, head, body, status) => {
    expect(await answerTo(head, body)).toBe(`HTTP/1.1 ${status}`);
  });
});
