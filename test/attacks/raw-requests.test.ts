import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sized } from "../support/attack-size.ts";
import { harmOf, openCappedServer, type CappedServer } from "../support/capped-server.ts";
import { openConnections, requestOf, type Connections } from "./connections.ts";

/** Bytes that are no HTTP, or two things at once, and connections that do nothing, against a server of 1 GB. */

/** As long as a server may leave a connection open that has sent something wrong. */
const CLOSED_WITHIN_MS = 5000;

let server: CappedServer;
let connections: Connections;
beforeAll(async () => {
  server = await openCappedServer();
  connections = openConnections(server);
});
afterEach(async () => {
  await connections.close();
  expect((await fetch(`${server.origin}/health/live`)).status).toBe(200);
});
afterAll(async () => {
  await server?.close();
});

const PATIENT = '{"resourceType":"Patient","id":"smuggled"}';
const POST = "POST /fhir/Patient HTTP/1.1\r\nhost: a\r\ncontent-type: application/fhir+json\r\n";
/** What would be carried out if the server took the end of a body to be where an attacker says. */
const SMUGGLED = `PUT /fhir/Patient/smuggled HTTP/1.1\r\nhost: a\r\ncontent-type: application/fhir+json\r\ncontent-length: ${String(PATIENT.length)}\r\n\r\n${PATIENT}`;

describe("bytes that are no request", () => {
  test.each<[what: string, bytes: string | Buffer]>([
    ["random bytes", Buffer.from(Array.from({ length: 2000 }, (_, index) => (index * 151 + 17) % 256))],
    ["the beginning of TLS", Buffer.from("16030100a5010000a10303", "hex")],
    ["HTTP/0.9", "GET /fhir/metadata\r\n\r\n"],
    ["HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["an unknown version", "GET /fhir/metadata HTTP/7.3\r\nhost: a\r\n\r\n"],
    ["an unknown method", "BREW /fhir/metadata HTTP/1.1\r\nhost: a\r\n\r\n"],
    ["a method in lower case", "get /fhir/metadata HTTP/1.1\r\nhost: a\r\n\r\n"],
    ["a URL with a space", "GET /fhir/Pat ient HTTP/1.1\r\nhost: a\r\n\r\n"],
    ["a NUL in the URL", "GET /fhir/\0 HTTP/1.1\r\nhost: a\r\n\r\n"],
    ["a URL of 100 KB", `GET /fhir/Patient?name=${"a".repeat(100_000)} HTTP/1.1\r\nhost: a\r\n\r\n`],
    ["a header of 100 KB", `GET /fhir/metadata HTTP/1.1\r\nhost: a\r\nx: ${"a".repeat(100_000)}\r\n\r\n`],
    ["5,000 headers", `GET /fhir/metadata HTTP/1.1\r\nhost: a\r\n${"x-a: b\r\n".repeat(5000)}\r\n`],
    ["a NUL in a header", "GET /fhir/metadata HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n"],
    ["a header without a name", "GET /fhir/metadata HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n"],
    ["a header with a space in its name", "GET /fhir/metadata HTTP/1.1\r\nhost: a\r\nx y: b\r\n\r\n"],
    ["a space before a colon", `${POST}content-length : 5\r\n\r\n12345`],
    ["a folded length", `${POST}content-length:\r\n 5\r\n\r\n12345`],
    ["lines that end in CR alone", "GET /fhir/metadata HTTP/1.1\rhost: a\r\r"],
    ["no host", "GET /fhir/metadata HTTP/1.1\r\n\r\n"],
    ["a length of no number", `${POST}content-length: five\r\n\r\n12345`],
    ["a negative length", `${POST}content-length: -5\r\n\r\n12345`],
    ["a length of 30 digits", `${POST}content-length: ${"9".repeat(30)}\r\n\r\n12345`],
    ["a length of 1 TB", `${POST}content-length: 1099511627776\r\n\r\n12345`],
    ["two lengths", `${POST}content-length: 5\r\ncontent-length: 6\r\n\r\n12345${SMUGGLED}`],
    ["a list of lengths", `${POST}content-length: 5, 6\r\n\r\n12345${SMUGGLED}`],
    ["a length and chunks", `${POST}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ["chunks that are not the last encoding", `${POST}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ["an unknown transfer encoding", `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ["a folded transfer encoding", `${POST}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
    ["a chunk of a size that is no number", `${POST}transfer-encoding: chunked\r\n\r\nxyz\r\n12345\r\n0\r\n\r\n`],
    ["a chunk of 2^64 bytes", `${POST}transfer-encoding: chunked\r\n\r\n10000000000000000\r\n12345\r\n0\r\n\r\n`],
    ["a negative chunk", `${POST}transfer-encoding: chunked\r\n\r\n-5\r\n12345\r\n0\r\n\r\n`],
    ["a chunk longer than its size", `${POST}transfer-encoding: chunked\r\n\r\n2\r\n12345\r\n0\r\n\r\n`],
    [
      "a chunk with 100 KB of extensions",
      `${POST}transfer-encoding: chunked\r\n\r\n5;${"a".repeat(100_000)}\r\n12345\r\n`,
    ],
  ])("%s: a 4xx, or nothing, and the connection is closed", async (_, bytes) => {
    const attacker = connections.open(bytes, { reads: true });
    // A server may wait for the rest; the attacker says that there is none.
    attacker.socket.end();
    const isClosed = await Promise.race([attacker.closed.then(() => true), sleep(CLOSED_WITHIN_MS, false)]);
    expect(isClosed).toBe(true);
    expect(attacker.got()).toMatch(/^(?:HTTP\/1\.1 4\d\d [\s\S]*)?$/);
    // Nothing else was answered on the connection, and nothing was carried out.
    expect(attacker.got().match(/HTTP\/1\.1 \d/g)?.length ?? 0).toBeLessThanOrEqual(1);
    expect((await fetch(`${server.base}/Patient/smuggled`)).status).toBe(404);
  });

  test.each<[what: string, bytes: string, status: number]>([
    [
      "an absolute URI, which RFC 9112 (3.2.2) wants to be taken",
      "GET http://elsewhere.example/fhir/metadata HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
      200,
    ],
    ["HTTP/1.0", "GET /health/live HTTP/1.0\r\n\r\n", 200],
    ["empty lines before a request", "\r\n\r\nGET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 200],
    ["an asterisk", "OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 404],
    ["CONNECT", "CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: a\r\n\r\n", 0],
    ["an upgrade", "GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 200],
    [
      "an expectation that nobody knows",
      `${POST}expect: magic\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`,
      417,
    ],
  ])("%s: has its answer", async (_, bytes, status) => {
    const attacker = connections.open(bytes, { reads: true });
    for (let look = 0; look < 50 && attacker.got() === "" && !attacker.socket.destroyed; look++) await sleep(20);
    expect(Number(/^HTTP\/1\.1 (\d+)/.exec(attacker.got())?.[1] ?? 0)).toBe(status);
  });

  test("300 requests whose clients leave in the middle of the body", async () => {
    const worst = await server.during(async () => {
      for (let number = 0; number < 300; number++) {
        const { socket } = connections.open(requestOf("PUT", "/fhir/Patient/early", "x".repeat(5000), {}, 10_000));
        socket.once("connect", () => setTimeout(() => socket.resetAndDestroy(), number % 20));
      }
      await sleep(500);
    });
    expect(harmOf(worst)).toEqual([]);
    expect((await fetch(`${server.base}/Patient/early`)).status).toBe(404);
  });
});

test("idle and slow connections", async () => {
  const half = requestOf("PUT", "/fhir/Patient/b", '{"resourceType"', {}, 1000);
  const worst = await server.during(async () => {
    for (let number = 0; number < sized(1000, 6000); number++) {
      connections.open([Buffer.from("GET /fhir/Pat"), half, Buffer.from("")][number % 3] ?? "");
      if (number % 50 === 49) await sleep(10);
    }
    for (let round = 0; round < 40; round++) {
      expect((await fetch(`${server.base}/metadata`, { headers: { connection: "close" } })).status).toBe(200);
      await sleep(100);
    }
  });
  expect(harmOf(worst)).toEqual([]);
});
