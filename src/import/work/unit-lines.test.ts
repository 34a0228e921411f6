import { mkdtemp, open, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAzurite, type Azurite } from "../../../test/support/azurite.ts";
import type { Source } from "../../source/source.ts";
import { createSources } from "../../source/sources.ts";
import { checkpointBefore } from "../../split/line-block.ts";
import { splitIntoUnits } from "../../split/plan.ts";
import { readLineBlocks } from "./unit-lines.ts";

const MEGABYTE = 1024 * 1024;

let folder: string;
let azurite: Azurite;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "stoker-unit-lines-")));
  azurite = await openAzurite();
});
afterAll(async () => {
  await azurite.close();
  await rm(folder, { recursive: true, force: true });
});

async function fileOf(name: string, content: string | Buffer): Promise<{ source: Source; url: string }> {
  await writeFile(join(folder, name), content);
  const url = pathToFileURL(join(folder, name)).href;
  return { source: createSources({ fileRoot: folder }).sourceFor(url), url };
}

async function blobOf(name: string, content: string | Buffer): Promise<{ source: Source; url: string }> {
  const { url } = await azurite.upload("lines", name, content);
  return { source: createSources({ azureConnectionString: azurite.connectionString }).sourceFor(url), url };
}

/** Every line of an input, unit by unit. */
async function linesOf(source: Source, url: string, unitSize: number): Promise<string[]> {
  const { length, etag } = await source.stat(url);
  const lines: string[] = [];
  for (const unit of splitIntoUnits(length, unitSize)) {
    for await (const block of readLineBlocks(source, url, { ...unit, fileLength: length }, etag)) {
      for (let index = 0; index < block.count; index++) {
        lines.push(block.bytes.toString("utf8", block.starts[index], block.ends[index]));
      }
    }
  }
  return lines;
}

describe("readLineBlocks", () => {
  const contents = Array.from({ length: 400 }, (_, number) => `{"id":"${number}","text":"${"é".repeat(number % 97)}"}`);
  contents[200] = `{"id":"long","text":"${"y".repeat(700_000)}"}`;
  const text = contents.join("\r\n");

  it.each([1_000, 4_096, 50_000, 300_000, 10_000_000])(
    "reads each line of a file once, unit size %i",
    async (unitSize) => {
      const { source, url } = await fileOf("input.ndjson", text);
      expect(await linesOf(source, url, unitSize)).toEqual(contents);
    },
  );

  it.each([100_000, 10_000_000])("reads each line of a blob once, unit size %i", async (unitSize) => {
    const { source, url } = await blobOf("input.ndjson", text);
    expect(await linesOf(source, url, unitSize)).toEqual(contents);
  });

  it("R-030, C-024: tiny units of a tiny file, and an empty file", async () => {
    const small = await fileOf("small.ndjson", `${"p".repeat(66)}\n`);
    expect(await linesOf(small.source, small.url, 10)).toEqual(["p".repeat(66)]);
    const empty = await fileOf("empty.ndjson", "");
    expect(await linesOf(empty.source, empty.url, 10)).toEqual([]);
  });

  it("goes on from a checkpoint", async () => {
    const { source, url } = await fileOf("resume.ndjson", text);
    const { length, etag } = await source.stat(url);
    const unit = { start: 5_000, end: 20_000, fileLength: length };
    const all: string[] = [];
    const resumed: string[] = [];
    let checkpoint = { position: 0, lines: 0 };
    for await (const block of readLineBlocks(source, url, unit, etag)) {
      for (let index = 0; index < block.count; index++) {
        if (all.length === 60) checkpoint = checkpointBefore(block, index);
        all.push(block.bytes.toString("utf8", block.starts[index], block.ends[index]));
      }
    }
    const rest = { ...unit, start: checkpoint.position, resumed: true, linesBefore: checkpoint.lines };
    let number = 0;
    for await (const block of readLineBlocks(source, url, rest, etag)) {
      number = number === 0 ? (block.lines[0] ?? 0) : number;
      for (let index = 0; index < block.count; index++) {
        resumed.push(block.bytes.toString("utf8", block.starts[index], block.ends[index]));
      }
    }
    expect(resumed).toEqual(all.slice(60));
    expect(number).toBe(61);
  });

  it("throws when the input changes between two units", async () => {
    const { source, url } = await fileOf("changing.ndjson", "a\nb\nc\n");
    const { length, etag } = await source.stat(url);
    await writeFile(join(folder, "changing.ndjson"), "a\nb\nd\n");
    const reading = readLineBlocks(source, url, { start: 0, end: 6, fileLength: length }, etag);
    await expect(reading.next()).rejects.toMatchObject({ code: "source-changed" });
  });

  it("holds a few chunks of a 200 MB file in memory, not the file", async () => {
    const path = join(folder, "large.ndjson");
    const file = await open(path, "w");
    const piece = Buffer.from(`{"text":"${"z".repeat(1_012)}"}\n`.repeat(1_000));
    let lines = 0;
    for (let written = 0; written < 200 * MEGABYTE; written += piece.length) {
      await file.write(piece);
      lines += 1_000;
    }
    await file.close();
    const url = pathToFileURL(path).href;
    const source = createSources({ fileRoot: folder }).sourceFor(url);
    const { length, etag } = await source.stat(url);
    const before = process.memoryUsage();
    let peak = 0;
    let seen = 0;
    for await (const block of readLineBlocks(source, url, { start: 0, end: length, fileLength: length }, etag)) {
      seen += block.count;
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      peak = Math.max(peak, arrayBuffers + heapUsed - before.arrayBuffers - before.heapUsed);
    }
    expect(seen).toBe(lines);
    expect(peak).toBeLessThan(100 * MEGABYTE);
  });

  it("never holds a line above the maximum: 200 MB without a line end (a sparse file)", async () => {
    const path = join(folder, "sparse.ndjson");
    const file = await open(path, "w");
    await file.truncate(200 * MEGABYTE);
    await file.write("\nlast\n", 200 * MEGABYTE);
    await file.close();
    const url = pathToFileURL(path).href;
    const source = createSources({ fileRoot: folder }).sourceFor(url);
    const { length, etag } = await source.stat(url);
    const before = process.memoryUsage().arrayBuffers;
    const unit = { start: 0, end: length, fileLength: length };
    const seen: string[] = [];
    let dropped: unknown;
    let peak = 0;
    for await (const block of readLineBlocks(source, url, unit, etag, undefined, 4 * MEGABYTE)) {
      dropped ??= block.tooLong?.get(0);
      for (let index = 0; index < block.count; index++) {
        seen.push(block.bytes.toString("utf8", block.starts[index], block.ends[index]));
      }
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    }
    expect(seen).toEqual(["", "last"]);
    expect(dropped).toEqual({ offset: 0, length: 200 * MEGABYTE });
    expect(peak).toBeLessThan(100 * MEGABYTE);
  });
});
