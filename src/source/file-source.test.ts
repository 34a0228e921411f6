import { execFileSync } from "node:child_process";
import { appendFile, mkdtemp, realpath, rename, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFileSource } from "./file-source.ts";
import type { ByteRange, Source } from "./source.ts";

const VANISHED = "Input file deleted, renamed, or moved during job. Import processing operation failed.";
const MEGABYTE = 1024 * 1024;

let folder: string;
let root: string;
let source: Source;
let path: string;
let url: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "stoker-file-source-")));
  root = join(folder, "root");
  execFileSync("mkdir", [root]);
  source = createFileSource(root);
  path = join(root, "input.ndjson");
  url = pathToFileURL(path).href;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function readAll(range: ByteRange, signal?: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source.read(url, range, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("file source", () => {
  it("tells length and etag, and reads any range", async () => {
    const content = Buffer.alloc(3 * MEGABYTE, "0123456789abcdef\n");
    await writeFile(path, content);
    const { length, etag } = await source.stat(url);
    expect(length).toBe(content.length);
    expect(etag).toMatch(/^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$/);
    expect((await readAll({ start: 0, etag })).equals(content)).toBe(true);
    for (const [start, end] of [
      [0, 0],
      [5, 6],
      [1, 2 * MEGABYTE],
      [512 * 1024, 1024 * 1024],
      [content.length, content.length],
      [content.length - 1, content.length],
    ] as const) {
      expect((await readAll({ start, end, etag })).equals(content.subarray(start, end))).toBe(true);
    }
  });

  it("C-024 reads an empty file as nothing", async () => {
    await writeFile(path, "");
    expect(await source.stat(url)).toMatchObject({ length: 0 });
    expect(await readAll({ start: 0 })).toHaveLength(0);
  });

  it("7.1 a missing file is a 404 at the start, and the vanished text while reading", async () => {
    await expect(source.stat(url)).rejects.toMatchObject({ code: "source-missing", status: 404 });
    await expect(readAll({ start: 0 })).rejects.toMatchObject({
      code: "source-missing",
      status: 400,
      message: VANISHED,
    });
  });

  it.each(["appended to", "cut off", "replaced", "touched"])(
    "notices a file that was %s after the plan",
    async (how) => {
      await writeFile(path, "aaaa\nbbbb\n");
      const { etag } = await source.stat(url);
      if (how === "appended to") await appendFile(path, "c\n");
      if (how === "cut off") await truncate(path, 3);
      if (how === "touched") await utimes(path, 1, 1);
      if (how === "replaced") {
        await writeFile(`${path}.new`, "cccc\ndddd\n");
        await rename(`${path}.new`, path);
      }
      await expect(readAll({ start: 0, end: 10, etag })).rejects.toMatchObject({
        code: "source-changed",
        status: 400,
        message: `Input file Etag not match. ${url}`,
      });
    },
  );

  it.each(["written to", "cut off"])("notices a file that is %s while it is read", async (how) => {
    await writeFile(path, Buffer.alloc(4 * MEGABYTE, "x"));
    const { etag, length } = await source.stat(url);
    const reading = async (): Promise<void> => {
      let first = true;
      for await (const chunk of source.read(url, { start: 0, end: length, etag })) {
        expect(chunk.length).toBeGreaterThan(0);
        if (first && how === "cut off") await truncate(path, MEGABYTE);
        if (first && how === "written to") await appendFile(path, "y");
        first = false;
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: "source-changed" });
  });

  it("never ends early: a range beyond the end is an error", async () => {
    await writeFile(path, "abc");
    await expect(readAll({ start: 0, end: 10 })).rejects.toMatchObject({ code: "source-changed" });
  });

  it("does not follow a link that came after registration, nor open a pipe or a folder", async () => {
    await writeFile(join(folder, "secret"), "secret");
    await symlink(join(folder, "secret"), path);
    await expect(source.stat(url)).rejects.toMatchObject({ code: "source-forbidden", status: 403 });
    await expect(readAll({ start: 0 })).rejects.toMatchObject({ code: "source-forbidden", status: 400 });
    await rm(path);
    execFileSync("mkfifo", [path]);
    await expect(source.stat(url)).rejects.toMatchObject({ code: "source-missing" });
    await rm(path);
    execFileSync("mkdir", [path]);
    await expect(source.stat(url)).rejects.toMatchObject({ code: "source-missing" });
  });

  it.skipIf(process.platform !== "linux")("gives its handle back whatever happens", async () => {
    await writeFile(path, Buffer.alloc(2 * MEGABYTE));
    const { etag } = await source.stat(url);
    const before = openFiles();
    for (let round = 0; round < 5; round++) {
      for await (const chunk of source.read(url, { start: 0 })) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      await expect(readAll({ start: 0, etag: "other" })).rejects.toMatchObject({ code: "source-changed" });
      await readAll({ start: 0, etag });
    }
    expect(openFiles()).toBe(before);
  });

  it("throws the signal's reason", async () => {
    await writeFile(path, Buffer.alloc(2 * MEGABYTE));
    const controller = new AbortController();
    const reason = new Error("cancelled");
    const reading = async (): Promise<void> => {
      for await (const chunk of source.read(url, { start: 0 }, controller.signal)) {
        expect(chunk.length).toBeGreaterThan(0);
        controller.abort(reason);
      }
    };
    await expect(reading()).rejects.toBe(reason);
    await expect(readAll({ start: 0 }, controller.signal)).rejects.toBe(reason);
    await expect(source.stat(url, controller.signal)).rejects.toBe(reason);
  });
});
