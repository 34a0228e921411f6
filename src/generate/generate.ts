import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { makeFolders } from "../base/make-folders.ts";
import { StokerError } from "../base/errors.ts";
import { writeAll } from "../base/write-all.ts";
import { generateFacilities } from "./facility.ts";
import { generateHistory } from "./history.ts";
import { generatePerson } from "./person.ts";
import { createRandom } from "./random.ts";
import { GENERATED_TYPES, type Emit } from "./sink.ts";

/** What to generate. */
export interface GenerateOptions {
  readonly patients: number;
  /** 32 bits; the same seed and number of patients give the same bytes everywhere. */
  readonly seed: number;
  /** Refer to practitioners, organizations and locations by identifier, as Synthea does. */
  readonly conditionalReferences: boolean;
}

/** One written file. */
export interface GeneratedFile {
  readonly type: string;
  readonly path: string;
  readonly resources: number;
  readonly bytes: number;
}

/** Bytes that a file's lines may wait in memory before they are written. */
const BUFFER_BYTES = 256 * 1024;

/**
 * Generates a population and hands every resource to `emit`; pauses after each patient until `pause` resolves, so that
 * a slow taker holds the generator back.
 */
export async function generatePopulation(
  options: GenerateOptions,
  emit: Emit,
  pause: (patients: number) => Promise<void> | undefined,
): Promise<void> {
  const facilities = generateFacilities(options.seed, options.patients, options.conditionalReferences, emit);
  for (let number = 0; number < options.patients; number++) {
    const random = createRandom(options.seed, `patient ${String(number)}`);
    const person = generatePerson(random, number, facilities, emit);
    generateHistory(random, person, emit);
    const wait = pause(number + 1);
    if (wait !== undefined) await wait;
  }
}

/**
 * Writes a population as NDJSON, one file per resource type, into `folder` (made when missing). Throws `bad-request`
 * when a file is there already and `overwrite` is false, or the folder cannot be made; removes what it began when it fails.
 */
export async function generateFiles(
  options: GenerateOptions & { readonly folder: string; readonly overwrite: boolean; readonly signal?: AbortSignal },
  progress?: (patients: number) => void,
): Promise<GeneratedFile[]> {
  await makeFolder(options.folder);
  const files = new Map<string, OpenFile>();
  let complete = false;
  try {
    for (const type of GENERATED_TYPES) files.set(type, await openFile(options.folder, type, options.overwrite));
    let waiting = 0;
    const emit: Emit = (type, resource) => {
      const file = files.get(type);
      if (file === undefined) throw new StokerError("internal", `no file for resources of type ${type}`);
      const line = `${JSON.stringify(resource)}\n`;
      file.lines.push(line);
      file.waiting += line.length;
      file.resources += 1;
      waiting += line.length;
    };
    await generatePopulation(options, emit, (patients) => {
      if (waiting < BUFFER_BYTES && patients % 100 !== 0) return undefined;
      options.signal?.throwIfAborted();
      progress?.(patients);
      waiting = 0;
      return flush(files, BUFFER_BYTES / GENERATED_TYPES.length);
    });
    await flush(files, 0);
    complete = true;
  } finally {
    for (const file of files.values()) await file.handle.close();
    if (!complete) for (const file of files.values()) await rm(file.path, { force: true });
  }
  return [...files.values()].map(({ type, path, resources, bytes }) => ({ type, path, resources, bytes }));
}

interface OpenFile {
  readonly type: string;
  readonly path: string;
  readonly handle: FileHandle;
  lines: string[];
  /** Characters in {@link lines}. */
  waiting: number;
  resources: number;
  bytes: number;
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await makeFolders(folder);
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    const why = code === "EEXIST" || code === "ENOTDIR" ? "a file has this name" : code;
    throw new StokerError("bad-request", `The folder ${folder} cannot be created (${why})`, { cause });
  }
}

async function openFile(folder: string, type: string, overwrite: boolean): Promise<OpenFile> {
  const path = join(folder, `${type}.ndjson`);
  try {
    const handle = await open(path, overwrite ? "w" : "wx");
    return { type, path, handle, lines: [], waiting: 0, resources: 0, bytes: 0 };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new StokerError("bad-request", `${path} exists already; use --force to overwrite it`, { cause });
  }
}

async function flush(files: ReadonlyMap<string, OpenFile>, least: number): Promise<void> {
  for (const file of files.values()) {
    if (file.waiting <= least) continue;
    const bytes = Buffer.from(file.lines.join(""), "utf8");
    file.lines = [];
    file.waiting = 0;
    file.bytes += bytes.length;
    await writeAll(file.handle, bytes);
  }
}
