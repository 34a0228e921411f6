import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { StokerError } from "../base/errors.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { generateFiles } from "../generate/generate.ts";

/** A file of the data that is measured with. */
export interface InputFile {
  /** The resource type its name tells, if it does. */
  readonly type: string | undefined;
  readonly path: string;
  /** Lines that are not blank. */
  readonly lines: number;
  readonly bytes: number;
}

/** The data: plain NDJSON files in one folder. */
export interface BenchInput {
  /** Absolute, without links. */
  readonly folder: string;
  readonly files: readonly InputFile[];
  readonly lines: number;
  readonly bytes: number;
}

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/** Bytes that the *.ndjson(.gz) files of a folder have when they are plain; a gzip file knows its own size modulo 4 GB. */
export async function plainBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await dataFiles(folder)) {
    const path = join(folder, name);
    const { size } = await stat(path);
    bytes += name.endsWith(".gz") ? Math.max(size, await gzipSize(path, size)) : size;
  }
  return bytes;
}

/**
 * The NDJSON files of a folder. If any is compressed, all are brought as plain files into `work`, because one folder is
 * what a server may read from. Throws `bad-request` when there are none.
 */
export async function readInput(folder: string, work: string, signal: AbortSignal): Promise<BenchInput> {
  const names = await dataFiles(folder);
  if (names.length === 0) {
    throw new StokerError("bad-request", `${folder} holds no files *.ndjson or *.ndjson.gz`);
  }
  if (!names.some((name) => name.endsWith(".gz"))) {
    return await measureInput(
      folder,
      names.map((name) => join(folder, name)),
      signal,
    );
  }
  await mkdir(work, { recursive: true });
  const paths: string[] = [];
  for (const name of names) {
    const path = join(work, name.replace(/\.gz$/, ""));
    const source = createReadStream(join(folder, name));
    const target = createWriteStream(path, { flags: "wx" });
    if (name.endsWith(".gz")) await pipeline(source, createGunzip(), target, { signal });
    else await pipeline(source, target, { signal });
    paths.push(path);
  }
  return await measureInput(work, paths, signal);
}

/** Generated sample data, for when no folder is given. */
export async function generateInput(patients: number, work: string, signal: AbortSignal): Promise<BenchInput> {
  const options = { patients, seed: 1, conditionalReferences: false, folder: work, overwrite: true, signal };
  const files = await generateFiles(options);
  return await measureInput(
    work,
    files.filter(({ resources }) => resources > 0).map(({ path }) => path),
    signal,
  );
}

/** Counts lines and bytes. */
async function measureInput(folder: string, paths: readonly string[], signal: AbortSignal): Promise<BenchInput> {
  const root = await realpath(folder);
  const files: InputFile[] = [];
  for (const path of paths) {
    const name = basename(path);
    const type = RESOURCE_TYPES.find((type) => name === `${type}.ndjson`);
    files.push({ type, path: join(root, name), ...(await countLines(path, signal)) });
  }
  return inputOf(root, files);
}

/** Sums up files. */
export function inputOf(folder: string, files: readonly InputFile[]): BenchInput {
  const lines = files.reduce((sum, file) => sum + file.lines, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { folder, files, lines, bytes };
}

async function countLines(path: string, signal: AbortSignal): Promise<{ lines: number; bytes: number }> {
  let lines = 0;
  let bytes = 0;
  /** Bytes of the line at hand in earlier chunks, line ends not counted. */
  let carried = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const last = end > start && chunk[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
      if (carried + last - start > 0) lines += 1;
      carried = 0;
      start = end + 1;
    }
    carried += chunk.length - start;
  }
  return { lines: carried > 0 ? lines + 1 : lines, bytes };
}

async function dataFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new StokerError("bad-request", `${folder} cannot be read; --data must be a folder with NDJSON files`, {
      cause,
    });
  });
  return names.filter((name) => /\.ndjson(\.gz)?$/.test(name)).toSorted();
}

async function gzipSize(path: string, size: number): Promise<number> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, Math.max(0, size - 4));
    return bytesRead === 4 ? buffer.readUInt32LE(0) : 0;
  } finally {
    await handle.close();
  }
}
