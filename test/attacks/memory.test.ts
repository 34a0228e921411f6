import { setTimeout as sleep } from "node:timers/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sized } from "../support/attack-size.ts";
import { harmOf, openCappedServer, type CappedServer } from "../support/capped-server.ts";
import { openConnections, requestOf, type Connections } from "./connections.ts";

/** Attacks on the memory of a server of 1 GB: by bodies that never end, by answers that are not read, by many connections. */

const MB = 1 << 20;
/** A batch whose answer has 63 MB. */
const LARGE_READ = JSON.stringify({
  resourceType: "Bundle",
  type: "batch",
  entry: Array.from({ length: 9 }, () => ({ request: { method: "GET", url: "Binary/large" } })),
});

let server: CappedServer;
let connections: Connections;
/** For each of the two kinds, which would need more memory together than a server has that is capped at 1 GB. */
async function start(): Promise<void> {
  server = await openCappedServer();
  connections = openConnections(server);
  const body = JSON.stringify({
    resourceType: "Binary",
    id: "large",
    contentType: "text/plain",
    data: "A".repeat(7 * MB),
  });
  expect(await put("Binary/large", body)).toBe(201);
  expect(await put("Patient/a", JSON.stringify({ resourceType: "Patient", id: "a" }))).toBe(201);
}
async function stop(): Promise<void> {
  await server?.close();
}
/** Memory is given back: the server takes a large request again. */
afterEach(async () => {
  await connections.close();
  let status = 503;
  for (let attempt = 0; attempt < 20 && status === 503; attempt++) status = await put("Basic/large", basic(4 * MB));
  expect(status).toBeLessThan(202);
});

async function put(path: string, body: string): Promise<number> {
  const headers = { "content-type": "application/fhir+json" };
  const response = await fetch(`${server.base}/${path}`, { method: "PUT", body, headers });
  await response.arrayBuffer();
  return response.status;
}

function basic(bytes: number): string {
  const filler = Array.from({ length: Math.ceil(bytes / 1000) }, () => "x".repeat(997));
  return JSON.stringify({
    resourceType: "Basic",
    id: "large",
    code: { text: "c" },
    extension: filler.map((valueString) => ({ url: "urn:x", valueString })),
  });
}

/** What is wrong with the server while these bytes come on so many connections, and stay as they are for some seconds. */
async function harmBy(bytes: readonly Buffer[], count: number, seconds = 8): Promise<string[]> {
  const worst = await server.during(async () => {
    for (let number = 0; number < count; number++) {
      connections.open(bytes[number % bytes.length] ?? "");
      if (number % 50 === 49) await sleep(10);
    }
    const end = performance.now() + seconds * 1000;
    // Small requests of others go on.
    while (performance.now() < end) {
      const answer = await fetch(`${server.base}/Patient/a`);
      expect([answer.status, answer.status === 200 ? "" : await answer.text()]).toEqual([200, ""]);
      expect(await put("Patient/a", JSON.stringify({ resourceType: "Patient", id: "a" }))).toBe(200);
      await sleep(100);
    }
  });
  return harmOf(worst);
}

describe("bodies that never end", () => {
  beforeAll(start);
  afterAll(stop);
  const bomb = Buffer.from(basic(15 * MB));
  const zipped = gzipSync(bomb);
  const brotlied = brotliCompressSync(bomb, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

  test("600 connections with gzip bodies of 15 MB that withhold their last bytes", async () => {
    const encoding = { "content-encoding": "gzip" };
    const request = requestOf("POST", "/fhir/Basic", zipped.subarray(0, -9), encoding, zipped.length);
    expect(await harmBy([request], 600)).toEqual([]);
  });

  test("200 connections with other encodings, to other routes", async () => {
    const [head, tail] = [brotlied.subarray(0, -9), brotlied.length];
    const requests = ["/fhir", "/fhir/Patient/$validate", "/fhir/Patient/_search"].map((path) =>
      requestOf("POST", path, head, { "content-encoding": "br" }, tail),
    );
    expect(await harmBy(requests, 200)).toEqual([]);
  });

  test("honest transactions of many megabytes at once are answered, or told to come again", async () => {
    const entry = {
      resource: JSON.parse(basic(sized(6, 14) * MB)) as object,
      request: { method: "POST", url: "Basic" },
    };
    const bundle = JSON.stringify({ resourceType: "Bundle", type: "transaction", entry: [entry] });
    const request = requestOf("POST", "/fhir", bundle, { connection: "close" });
    const worst = await server.during(async () => {
      const senders = Array.from({ length: sized(10, 30) }, () => connections.open(request, { reads: true }));
      await Promise.all(senders.map(({ closed }) => closed));
      const statuses = new Set(senders.map((sender) => /^HTTP\/1.1 (\d+)/.exec(sender.got())?.[1]));
      expect([...statuses].filter((status) => status !== "200" && status !== "503")).toEqual([]);
      expect(statuses.has("200")).toBe(true);
    });
    expect(harmOf(worst)).toEqual([]);
  });

  test("connections with chunks, without a length", async () => {
    const chunk = `${(MB / 4).toString(16)}\r\n${"x".repeat(MB / 4)}\r\n`;
    const head =
      "POST /fhir/Basic HTTP/1.1\r\nhost: a\r\ncontent-type: application/fhir+json\r\ntransfer-encoding: chunked\r\n\r\n";
    expect(await harmBy([Buffer.from(head + chunk.repeat(16))], sized(100, 600))).toEqual([]);
  });
});

describe("answers that are not read", () => {
  beforeAll(start);
  afterAll(stop);
  test("70 clients that ask for 63 MB each", async () => {
    expect(await harmBy([requestOf("POST", "/fhir", LARGE_READ)], 70, 12)).toEqual([]);
  });

  test("one connection with 60 pipelined batches", async () => {
    expect(
      await harmBy([Buffer.concat(Array.from({ length: 60 }, () => requestOf("POST", "/fhir", LARGE_READ)))], 1),
    ).toEqual([]);
  });

  test("200 clients that ask for a Binary of 7 MB in one form or the other, compressed or not", async () => {
    const headers = [{}, { accept: "text/plain" }, { "accept-encoding": "gzip" }];
    expect(
      await harmBy(
        headers.map((each) => requestOf("GET", "/fhir/Binary/large", "", each)),
        200,
      ),
    ).toEqual([]);
  });

  test("200 clients that ask for searches, histories, versions and Bundles of it", async () => {
    const paths = ["Binary?_id=large", "Binary/large/_history", "Binary/_history", "Binary/large/_history/1"];
    const requests = paths.map((path) => requestOf("GET", `/fhir/${path}`));
    expect(await harmBy([...requests, requestOf("POST", "/fhir", LARGE_READ)], 200)).toEqual([]);
  });

  test("20 connections with 500 pipelined requests each", async () => {
    const many = Buffer.concat(Array.from({ length: 500 }, () => requestOf("GET", "/fhir/metadata")));
    expect(await harmBy([many], 20)).toEqual([]);
  });
});
