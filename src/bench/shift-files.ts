import { createReadStream } from "node:fs";
import { mkdir, open, realpath, type FileHandle } from "node:fs/promises";
import { basename, join } from "node:path";
import { inputOf, type BenchInput, type InputFile } from "./input.ts";
import { shiftLine } from "./shift.ts";

const CHUNK_BYTES = 1 << 20;

/**
 * Writes copy number `copy` of the data into `folder` (made where missing), with ids of its own: see {@link shiftLine}.
 * The files are on the disk when it returns, so that nothing is still being written while an import is
 * measured. The rewriting takes 6 to 12 s per GB (two shared cores, 2026-11).
 */
export async function shiftFiles(
  input: BenchInput,
  copy: number,
  folder: string,
  signal: AbortSignal,
): Promise<BenchInput> {
  await mkdir(folder, { recursive: true });
  const root = await realpath(folder);
  const files: InputFile[] = [];
  for (const file of input.files) {
    const path = join(root, basename(file.path));
    files.push({ ...file, path, bytes: await shiftFile(file.path, path, `-${String(copy)}`, signal) });
  }
  return inputOf(root, files);
}

/** Returns the bytes written. */
async function shiftFile(from: string, to: string, suffix: string, signal: AbortSignal): Promise<number> {
  const handle = await open(to, "w");
  try {
    let bytes = 0;
    // latin1 is one character per byte, there and back: no decoding, and no character is cut at a chunk's border.
    let rest = "";
    for await (const chunk of createReadStream(from, { highWaterMark: CHUNK_BYTES, signal }) as AsyncIterable<Buffer>) {
      const text = rest + chunk.toString("latin1");
      const lines = text.split("\n");
      rest = lines.pop() ?? "";
      bytes += await writeLines(handle, lines, suffix);
    }
    if (rest !== "") bytes += await writeLines(handle, [rest], suffix);
    await handle.sync();
    return bytes;
  } finally {
    await handle.close();
  }
}

async function writeLines(handle: FileHandle, lines: readonly string[], suffix: string): Promise<number> {
  if (lines.length === 0) return 0;
  const bytes = Buffer.from(`${lines.map((line) => shiftLine(line, suffix)).join("\n")}\n`, "latin1");
  let written = 0;
  while (written < bytes.length) written += (await handle.write(bytes, written)).bytesWritten;
  return bytes.length;
}
