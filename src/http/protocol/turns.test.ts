import { connect, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { fastify, type FastifyInstance, type FastifyRequest } from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import { sendError } from "./operation-outcome.ts";
import { answerClientError } from "./client-errors.ts";
import { takeAndGiveCompressed } from "./compression.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { countMemory } from "./request-memory.ts";
import { createServerInTurns } from "./turns.ts";

const MB = 1 << 20;
const STALL_MS = 400;

let app: FastifyInstance;
let budget: MemoryBudget;
let sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await app.close();
});

/** An application that tells the length of bodies, sends answers of any length, and takes its time. */
async function openApp(limit: number): Promise<void> {
  budget = new MemoryBudget(limit);
  app = fastify({
    bodyLimit: 64 * MB,
    serverFactory: (handler) => createServerInTurns(handler, budget, STALL_MS),
    clientErrorHandler: answerClientError,
  });
  takeAndGiveCompressed(app);
  countMemory(app, budget, { room: 300, slow: 600 });
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  let atWork = 0;
  const answer = async ({ body, query }: FastifyRequest): Promise<object> => {
    atWork++;
    await sleep(Number((query as { wait?: string }).wait ?? 5));
    const others = --atWork;
    return { length: (body as Buffer).length, others };
  };
  app.route({ method: "POST", url: "/", handler: answer });
  app.get<{ Querystring: { bytes: string } }>("/", async (request, reply) =>
    reply.type("text/plain").send(Buffer.alloc(Number(request.query.bytes), "x")),
  );
  await app.listen({ host: "127.0.0.1", port: 0 });
}

/** A connection with all that came over it so far. */
function open(): { socket: Socket; got: () => string; ended: Promise<string> } {
  const { port } = app.server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  sockets.push(socket);
  let text = "";
  socket.on("data", (bytes) => (text += bytes.toString("latin1")));
  socket.on("error", () => undefined);
  return {
    socket,
    got: () => text,
    ended: new Promise((resolve) => socket.once("close", () => resolve(text))),
  };
}

function post(body: string | Buffer, headers: Record<string, string> = {}, url = "/", length = body.length): Buffer {
  const all = { host: "a", "content-type": "text/plain", "content-length": String(length), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${url} HTTP/1.1\r\n${lines.join("")}\r\n`), Buffer.from(body)]);
}

async function until(isSo: () => boolean): Promise<void> {
  for (let look = 0; look < 1000 && !isSo(); look++) await sleep(10);
  expect(isSo()).toBe(true);
}

describe("requests of one connection", () => {
  it("that come at once are carried out one after the other, and answered in their order", async () => {
    await openApp(100 * MB);
    const client = open();
    const bodies = Array.from({ length: 60 }, (_, index) => "x".repeat(index * 700));
    client.socket.write(Buffer.concat(bodies.map((body) => post(body))));
    const answers = (): { length: number; others: number }[] =>
      [...client.got().matchAll(/\{"length":\d+,"others":\d+\}/g)].map(([text]) => JSON.parse(text) as never);
    await until(() => answers().length === bodies.length);
    expect(answers()).toEqual(bodies.map(({ length }) => ({ length, others: 0 })));
    client.socket.end();
    await client.ended;
    await until(() => budget.held === 0);
  });

  it("that are more than fits are given up with their connection", async () => {
    await openApp(64 * 1024);
    const client = open();
    client.socket.write(Buffer.concat(Array.from({ length: 200 }, () => post("x", {}, "/?wait=100"))));
    await client.ended;
    await until(() => budget.held === 0);
    expect(await (await fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/?bytes=3`)).text()).toBe(
      "xxx",
    );
  });
});

describe("a client", () => {
  it("that stops in the middle of its body is told so with 408", async () => {
    await openApp(100 * MB);
    const client = open();
    client.socket.write(post('{"a"', {}, "/", 1000));
    const answer = await client.ended;
    expect(answer).toContain("HTTP/1.1 408 ");
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "").issue[0].code).toBe("timeout");
  });

  it("that is slow, but makes progress, is answered, and so is one whose answer takes its time", async () => {
    await openApp(100 * MB);
    const [slow, patient] = [open(), open()];
    patient.socket.write(post("x", {}, `/?wait=${STALL_MS * 3}`));
    slow.socket.write(post("", {}, "/", 12));
    for (let byte = 0; byte < 12; byte++) {
      await sleep(STALL_MS / 4);
      slow.socket.write("x");
    }
    await until(() => slow.got().includes('{"length":12,') && patient.got().includes('{"length":1,'));
  });

  it("that does not read its answer is closed, and its memory is given back", async () => {
    await openApp(100 * MB);
    const client = open();
    client.socket.pause();
    client.socket.write(`GET /?bytes=${20 * MB} HTTP/1.1\r\nhost: a\r\n\r\n`);
    await until(() => budget.held === 20 * MB);
    await until(() => budget.held === 0);
  });

  it("that reads slowly gets all of its answer", async () => {
    await openApp(100 * MB);
    const client = open();
    client.socket.pause();
    client.socket.write(`GET /?bytes=${16 * MB} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
    for (let round = 0; round < 12; round++) {
      await sleep(STALL_MS / 4);
      client.socket.resume();
      await sleep(5);
      client.socket.pause();
    }
    client.socket.resume();
    const answer = await client.ended;
    expect(answer.length - answer.indexOf("\r\n\r\n") - 4).toBe(16 * MB);
  });
});

describe("memory of all requests together", () => {
  it("is never exceeded: bodies wait for room, then 503 with Retry-After, and others go on", async () => {
    await openApp(20 * MB);
    const bomb = gzipSync(Buffer.alloc(2 * MB));
    const holders = Array.from({ length: 12 }, () => open());
    let most = 0;
    for (const { socket } of holders) {
      socket.write(post(bomb.subarray(0, -20), { "content-encoding": "gzip" }, "/", bomb.length));
    }
    const answers = Promise.all(holders.map(({ ended }) => ended));
    for (let look = 0; look < 10; look++) {
      most = Math.max(most, budget.held);
      const { port } = app.server.address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "small" });
      expect([response.status, await response.json()]).toMatchObject([200, { length: 5 }]);
      await sleep(20);
    }
    expect(most).toBeLessThanOrEqual(20 * MB);
    const statuses = (await answers).map((text) => /^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
    expect(new Set(statuses)).toEqual(new Set(["408", "503"]));
    for (const text of await answers) if (text.includes(" 503 ")) expect(text).toMatch(/^retry-after: 1\r$/im);
    await until(() => budget.held === 0);
  });

  it("lets one large request have all of it, and refuses what can never fit", async () => {
    await openApp(20 * MB);
    const { port } = app.server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/`;
    const large = await fetch(url, { method: "POST", body: "x".repeat(3 * MB) });
    expect([large.status, await large.json()]).toMatchObject([200, { length: 3 * MB }]);
    const holder = open();
    holder.socket.write(post("x".repeat(2 * MB), {}, `/?wait=${STALL_MS}`));
    await until(() => budget.held >= 16 * MB);
    const never = await fetch(url, { method: "POST", body: "x".repeat(5 * MB) });
    expect([never.status, await never.text()]).toEqual([413, expect.stringContaining("max-old-space-size")]);
    await until(() => holder.got().includes('{"length":'));
  });
});
