import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort, openAzurite, type Azurite } from "../../test/support/azurite.ts";
import { openTcpProxy, type TcpProxy } from "../../test/support/tcp-proxy.ts";
import { parseConnectionString } from "./azure-account.ts";
import { normaliseEtag, type ByteRange, type Source } from "./source.ts";
import { createSources } from "./sources.ts";
import { createBlobSource } from "./blob-source.ts";

const MEGABYTE = 1024 * 1024;
const OTHER_KEY = "YW5vdGhlciBrZXk=";

let azurite: Azurite;
let source: Source;
beforeAll(async () => {
  azurite = await openAzurite();
  source = createBlobSource(parseConnectionString(azurite.connectionString));
});
afterAll(() => azurite.close());

/** Bytes that tell where they are. */
function numbered(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >>> 11)) & 0xff;
  return bytes;
}

async function readAll(from: Source, url: string, range: ByteRange, signal?: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of from.read(url, range, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function* chunked(...texts: string[]): AsyncGenerator<Buffer, void, undefined> {
  for (const text of texts) yield Buffer.from(text);
}

describe("reading blobs", () => {
  it("tells length and etag in one form (1.7), and reads any range", async () => {
    const content = numbered(3 * MEGABYTE);
    const uploaded = await azurite.upload("inputs", "a/b c.ndjson", content);
    const url = `${azurite.blobEndpoint}/inputs/a/b%20c.ndjson`;
    const { length, etag } = await source.stat(url);
    expect(length).toBe(content.length);
    expect(etag).toBe(normaliseEtag(uploaded.etag));
    expect(etag).not.toContain('"');
    expect(sha256(await readAll(source, url, { start: 0 }))).toBe(sha256(content));
    for (const [start, end] of [
      [0, 0],
      [0, 1],
      [MEGABYTE, 2 * MEGABYTE + 7],
      [length - 1, length],
    ] as const) {
      expect(sha256(await readAll(source, url, { start, end, etag }))).toBe(sha256(content.subarray(start, end)));
    }
  });

  it("reads every name and address that the registration accepts", async () => {
    const name = "ordner/ä b+c%25#?.ndjson";
    await azurite.upload("inputs", name, "{}\n");
    const sources = createSources({ azureConnectionString: azurite.connectionString });
    const sent = `${azurite.blobEndpoint}/inputs/${name.split("/").map(encodeURIComponent).join("/")}?sv=1&sig=x`;
    const { url } = sources.checkUrl(sent);
    expect(await sources.sourceFor(url).stat(url)).toMatchObject({ length: 3 });
  });

  it("C-024 reads an empty blob as nothing", async () => {
    const { url } = await azurite.upload("inputs", "empty.ndjson", "");
    expect(await source.stat(url)).toMatchObject({ length: 0 });
    expect(await readAll(source, url, { start: 0 })).toHaveLength(0);
  });

  it("7.1 a missing blob is the storage's 404 at the start, and the vanished text while reading", async () => {
    const url = `${azurite.blobEndpoint}/inputs/missing.ndjson`;
    await expect(source.stat(url)).rejects.toMatchObject({
      code: "source-missing",
      status: 404,
      message: `The specified blob does not exist. ${url}`,
    });
    await expect(source.stat(`${azurite.blobEndpoint}/no-container/x`)).rejects.toMatchObject({ status: 404 });
    await expect(readAll(source, url, { start: 0, end: 5 })).rejects.toMatchObject({
      code: "source-missing",
      status: 400,
      message: "Input file deleted, renamed, or moved during job. Import processing operation failed.",
    });
  });

  it("7.1 a blob that was replaced after the plan is noticed", async () => {
    const { url } = await azurite.upload("inputs", "changed.ndjson", "aaaa\n");
    const { etag } = await source.stat(url);
    await azurite.upload("inputs", "changed.ndjson", "bbbb\n");
    await expect(readAll(source, url, { start: 0, end: 5, etag })).rejects.toMatchObject({
      code: "source-changed",
      status: 400,
      message: `Input file Etag not match. ${url}`,
    });
  });

  it("never ends early: a range beyond the end is an error", async () => {
    const { url } = await azurite.upload("inputs", "short.ndjson", "abc");
    const changed = { code: "source-changed" };
    await expect(readAll(source, url, { start: 0, end: 10 })).rejects.toMatchObject(changed);
    await expect(readAll(source, url, { start: 20, end: 30 })).rejects.toMatchObject(changed);
  });

  it("7.1 a wrong key: 403 at the start, the unauthorized text while reading", async () => {
    const { url } = await azurite.upload("inputs", "key.ndjson", "{}\n");
    const text = azurite.connectionString.replace(/AccountKey=[^;]*/, `AccountKey=${OTHER_KEY}`);
    const stranger = createBlobSource(parseConnectionString(text));
    await expect(stranger.stat(url)).rejects.toMatchObject({
      code: "source-forbidden",
      status: 403,
      // Azurite's code for it; Azure itself says AuthenticationFailed
      message: `This request is not authorized to perform this operation. ${url}`,
    });
    await expect(readAll(stranger, url, { start: 0, end: 3 })).rejects.toMatchObject({
      code: "source-forbidden",
      status: 400,
      message: "Due to unauthorized request, import processing operation failed.",
    });
  });

  it("throws the signal's reason", async () => {
    const { url } = await azurite.upload("inputs", "abort.ndjson", numbered(4 * MEGABYTE));
    const controller = new AbortController();
    const reason = new Error("cancelled");
    const reading = async (): Promise<void> => {
      for await (const chunk of source.read(url, { start: 0 }, controller.signal)) {
        expect(chunk.length).toBeGreaterThan(0);
        controller.abort(reason);
      }
    };
    await expect(reading()).rejects.toBe(reason);
    await expect(source.stat(url, controller.signal)).rejects.toBe(reason);
  });
});

describe("a network that fails", () => {
  let proxy: TcpProxy;
  let far: Source;
  let base: string;
  beforeEach(async () => {
    proxy = await openTcpProxy(azurite.port);
    base = azurite.blobEndpoint.replace(String(azurite.port), String(proxy.port));
    far = createBlobSource(parseConnectionString(azurite.connectionString.replace(azurite.blobEndpoint, base)));
  });
  afterEach(() => proxy.close());

  it("goes on at the byte where a transfer broke off", async () => {
    const content = numbered(6 * MEGABYTE);
    await azurite.upload("inputs", "broken.ndjson", content);
    proxy.breakAfter = [MEGABYTE, 2 * MEGABYTE];
    const bytes = await readAll(far, `${base}/inputs/broken.ndjson`, { start: 5, end: content.length });
    expect(sha256(bytes)).toBe(sha256(content.subarray(5)));
    expect(proxy.connections).toBe(3);
  });

  it("does not mix two contents when the blob is replaced meanwhile", async () => {
    await azurite.upload("inputs", "mixed.ndjson", Buffer.alloc(6 * MEGABYTE, "a"));
    proxy.breakAfter = [MEGABYTE];
    const reading = async (): Promise<void> => {
      let first = true;
      for await (const chunk of far.read(`${base}/inputs/mixed.ndjson`, { start: 0 })) {
        expect(chunk.includes("b")).toBe(false);
        if (first) await azurite.upload("inputs", "mixed.ndjson", Buffer.alloc(6 * MEGABYTE, "b"));
        first = false;
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: "source-changed" });
  });

  it("gives up when there is no progress", { timeout: 120_000 }, async () => {
    await azurite.upload("inputs", "dead.ndjson", numbered(MEGABYTE));
    proxy.breakAfter = Array.from({ length: 100 }, () => 0);
    await expect(readAll(far, `${base}/inputs/dead.ndjson`, { start: 0 })).rejects.toMatchObject({
      code: "source-unreachable",
      status: 400,
      message: `The storage account did not answer. (127.0.0.1:${proxy.port})`,
    });
    expect(proxy.connections).toBeLessThan(30);
  });

  it("stops the transfer of what nobody wants, and keeps the connection for a small rest", async () => {
    await azurite.upload("inputs", "large.ndjson", numbered(64 * MEGABYTE));
    const url = `${base}/inputs/large.ndjson`;
    for await (const chunk of far.read(url, { start: 0 })) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(proxy.passed).toBeLessThan(32 * MEGABYTE);

    const before = proxy.connections;
    for (let round = 0; round < 4; round++) {
      for await (const chunk of far.read(url, { start: 0, end: 200_000 })) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      // the rest of the answer is on its way; the next request comes after it
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(proxy.connections - before).toBe(1);
  });

  it("D-11 a refused connection has its own text", async () => {
    const port = await freePort();
    const nobody = createBlobSource(
      parseConnectionString(`AccountName=a;AccountKey=${OTHER_KEY};BlobEndpoint=http://127.0.0.1:${port}/a`),
    );
    await expect(nobody.stat(`http://127.0.0.1:${port}/a/c/n`)).rejects.toMatchObject({
      code: "source-unreachable",
      status: 400,
      message: `The storage account refused the connection. (127.0.0.1:${port})`,
    });
  });

  it("D-11 an unknown host", async () => {
    const account = parseConnectionString(`AccountName=a;AccountKey=${OTHER_KEY};EndpointSuffix=stoker.invalid`);
    await expect(createBlobSource(account).stat("https://a.blob.stoker.invalid/c/n")).rejects.toMatchObject({
      code: "source-unreachable",
      status: 400,
      message: "No such host is known. (a.blob.stoker.invalid:443)",
    });
  });

  it("does not follow a redirect", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(302, { location: `${azurite.blobEndpoint}/inputs/a` }).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const account = parseConnectionString(
      `AccountName=a;AccountKey=${OTHER_KEY};BlobEndpoint=http://127.0.0.1:${port}/a`,
    );
    await expect(createBlobSource(account).stat(`http://127.0.0.1:${port}/a/c/n`)).rejects.toMatchObject({
      code: "source-failed",
    });
    server.closeAllConnections();
    server.close();
  });

  it("names the package that managed identity needs", async () => {
    const identity = createSources({ azureStorageUrl: "https://acct.blob.core.windows.net" });
    const url = "https://acct.blob.core.windows.net/c/n";
    await expect(identity.sourceFor(url).stat(url)).rejects.toMatchObject({
      code: "setting",
      message: expect.stringContaining("npm install @azure/identity") as string,
    });
  });
});

function write(container: string, name: string, ...texts: string[]): Promise<string> {
  return source.writeErrorLog?.(container, name, chunked(...texts)) ?? Promise.reject(new Error("not offered"));
}

describe("error logs (contract 6, D-22)", () => {
  it("makes the container, writes the blob and returns its url", async () => {
    const url = await write("new-logs", "Patient1042_1043.ndjson", "one\n", "two\n");
    expect(url).toBe(`${azurite.blobEndpoint}/new-logs/Patient1042_1043.ndjson`);
    expect((await azurite.download("new-logs", "Patient1042_1043.ndjson")).toString()).toBe("one\ntwo\n");
    await write("new-logs", "1042_1044.ndjson");
    expect(await azurite.list("new-logs")).toEqual(["1042_1044.ndjson", "Patient1042_1043.ndjson"]);
  });

  it("never writes over a log; the same bytes again are no error", async () => {
    await write("fhirlogs", "7_8.ndjson", "mine\n");
    await expect(write("fhirlogs", "7_8.ndjson", "other\n")).rejects.toMatchObject({ code: "source-failed" });
    await expect(write("fhirlogs", "7_8.ndjson", "mi", "ne\n")).resolves.toMatch(/7_8\.ndjson$/);
    await azurite.upload("fhirlogs", "9_9.ndjson", "foreign\n");
    await expect(write("fhirlogs", "9_9.ndjson", "foreign\n")).rejects.toMatchObject({ code: "source-failed" });
    expect((await azurite.download("fhirlogs", "7_8.ndjson")).toString()).toBe("mine\n");
    expect((await azurite.download("fhirlogs", "9_9.ndjson")).toString()).toBe("foreign\n");
  });

  it("writes a long log block by block, in order", async () => {
    const digest = createHash("sha256");
    const chunks = async function* (): AsyncGenerator<Buffer, void, undefined> {
      for (let number = 0; number < 2_000; number++) {
        const chunk = Buffer.from(`${number}:${"x".repeat(9_990)}\n`);
        digest.update(chunk);
        yield chunk;
      }
    };
    await source.writeErrorLog?.("fhirlogs", "long.ndjson", chunks());
    expect(sha256(await azurite.download("fhirlogs", "long.ndjson"))).toBe(digest.digest("hex"));
  });

  it("7.2 refuses a wrong container name, and passes on what fails where the lines come from", async () => {
    await expect(write("No", "1_2.ndjson", "x")).rejects.toMatchObject({ code: "bad-request", status: 400 });
    await expect(write("fhirlogs", "../1_2.ndjson", "x")).rejects.toMatchObject({ code: "internal" });
    const failure = new Error("the database is gone");
    const broken = async function* (): AsyncGenerator<Buffer, void, undefined> {
      yield Buffer.from("x");
      throw failure;
    };
    await expect(source.writeErrorLog?.("fhirlogs", "broken.ndjson", broken())).rejects.toBe(failure);
    expect(await azurite.list("fhirlogs")).not.toContain("broken.ndjson");
  });
});
