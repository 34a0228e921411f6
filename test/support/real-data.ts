import { createReadStream, createWriteStream, existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

/** A resource as JSON.parse gives it. */
export type Resource = Readonly<Record<string, unknown>> & { readonly id: string };

/** A file of the real data set, unpacked. */
export interface RealFile {
  readonly type: string;
  readonly path: string;
}

/**
 * The folder with the real data set (one NDJSON file per type, plain or gzipped): STOKER_TEST_DATA, or the folder beside
 * the project that continuous integration puts there. Undefined when there is none.
 */
export function findRealData(): string | undefined {
  const named = process.env["STOKER_TEST_DATA"];
  const folder =
    named === undefined || named === "" ? resolve("..", "shared", "data", "synthea-r4-615") : resolve(named);
  return existsSync(folder) ? folder : undefined;
}

/** Unpacks the data set into `target`. */
export async function unpackRealData(folder: string, target: string): Promise<RealFile[]> {
  await mkdir(target, { recursive: true });
  const files: RealFile[] = [];
  for (const name of readdirSync(folder).toSorted()) {
    if (!/\.ndjson(\.gz)?$/.test(name)) continue;
    const path = join(target, name.replace(/\.gz$/, ""));
    const steps = name.endsWith(".gz") ? [createGunzip()] : [];
    await pipeline([createReadStream(join(folder, name)), ...steps, createWriteStream(path)]);
    files.push({ type: basename(path, ".ndjson"), path });
  }
  return files;
}

/** The resources of a file, one after another. */
export async function* readResources(path: string): AsyncGenerator<Resource> {
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (line !== "") yield JSON.parse(line) as Resource;
  }
}
