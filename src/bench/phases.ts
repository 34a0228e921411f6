import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { formatCount, formatDuration } from "../terminal/format.ts";
import { measureCeiling, type Ceiling } from "./ceiling.ts";
import type { BenchDatabase, BenchServer } from "./databases.ts";
import { runTimedImport, type BenchMode } from "./import-run.ts";
import type { BenchInput } from "./input.ts";
import { processTime } from "./machine.ts";
import { startReader } from "./reads.ts";
import { runLine } from "./report.ts";
import type { BenchResults, DiskUse, ImportRun } from "./results.ts";
import { shiftFiles } from "./shift-files.ts";
import { stagesBetween } from "./stages.ts";
import { startStoker, type StokerProcess } from "./stoker-process.ts";

/** What the phases work with. */
export interface BenchContext {
  readonly server: BenchServer;
  readonly input: BenchInput;
  /** Folder for temporary files. */
  readonly work: string;
  readonly workers: number | undefined;
  /** Runs of what is repeated. */
  readonly repeat: number;
  readonly keep: boolean;
  readonly signal: AbortSignal;
  /** Says what was just measured. */
  readonly say: (line: string) => void;
}

/**
 * The ceiling, and imports into an empty store: COPY, InitialLoad, IncrementalLoad, COPY, …, COPY. Taking turns, so that
 * a machine that gets slower or faster does so for all of them.
 */
export async function measureEmptyStore(
  context: BenchContext,
): Promise<Pick<BenchResults, "ceilings" | "runs" | "disk">> {
  const ceilings: Ceiling[] = [];
  const runs: ImportRun[] = [];
  let disk: DiskUse | undefined;
  const ceiling = async (column: Ceiling["column"]): Promise<void> => {
    const measured = await measureCeiling(context.server, context.input, column, context.signal);
    ceilings.push(measured);
    const rate = formatCount(context.input.lines / measured.seconds);
    context.say(`COPY into one ${column} column: ${formatDuration(measured.seconds)}, ${rate} lines/s`);
  };
  await ceiling("text");
  for (let number = 1; number <= context.repeat; number++) {
    for (const mode of ["InitialLoad", "IncrementalLoad"] as const) {
      await ceiling("jsonb");
      const measured = await measureImport(context, mode);
      runs.push(measured.run);
      if (mode === "IncrementalLoad") disk = measured.disk;
      context.say(runLine(`${mode} ${String(number)}/${String(context.repeat)}`, measured.run));
    }
  }
  await ceiling("jsonb");
  return { ceilings, runs, disk };
}

/** One import by a fresh server process into a fresh database. */
async function measureImport(context: BenchContext, mode: BenchMode): Promise<{ run: ImportRun; disk: DiskUse }> {
  const { input } = context;
  return await withStoker(context, input.folder, async (stoker, database) => {
    const emptyDatabaseBytes = await database.size();
    const run = await timeImport(context, stoker, input, mode, 0);
    const [databaseBytes, walBytes] = [await database.size(), await context.server.walBytes()];
    return { run, disk: { inputBytes: input.bytes, databaseBytes, emptyDatabaseBytes, walBytes } };
  });
}

/**
 * One store, filled with copies of the data whose ids are shifted, by one server process: reads during an import, growth
 * to `grow` resources, imports into the grown store. A copy exists on the disk only while it is imported.
 */
export async function measureLoadedStore(
  context: BenchContext,
  grow: number,
): Promise<Pick<BenchResults, "reads" | "growth" | "grownRuns">> {
  const growth: ImportRun[] = [];
  const grownRuns: ImportRun[] = [];
  const { input, say, signal } = context;
  return await withStoker(context, context.work, async (stoker) => {
    let copies = 0;
    const importCopy = <T>(use: (copy: BenchInput, before: number) => Promise<T>): Promise<T> => {
      const before = copies * input.lines;
      copies += 1;
      return withCopy(context, copies, (copy) => use(copy, before));
    };
    const grown = (copy: BenchInput, before: number): Promise<ImportRun> =>
      timeImport(context, stoker, copy, "IncrementalLoad", before);

    const loaded = await importCopy(async (copy, before) => {
      const run = await grown(copy, before);
      return { run, patients: await readIds(copy, "Patient", 500, signal) };
    });
    growth.push(loaded.run);
    const reads =
      loaded.patients.length === 0
        ? undefined
        : await importCopy((copy, before) => whileRead(stoker, loaded.patients, () => grown(copy, before)));
    if (reads !== undefined)
      say(`${runLine("import while being read", reads.run)}, median read ${reads.median.toFixed(1)} ms`);
    while (copies * input.lines < grow) {
      const run = await importCopy(grown);
      growth.push(run);
      say(runLine(`into ${formatCount(run.before)} resources`, run));
    }
    const repeats = grow > 0 ? context.repeat : 0;
    for (let number = 1; number <= repeats; number++) {
      await context.server.checkpoint();
      const run = await importCopy(grown);
      grownRuns.push(run);
      say(runLine(`into the grown store ${String(number)}/${String(repeats)}`, run));
    }
    return { reads, growth, grownRuns };
  });
}

async function whileRead(
  stoker: StokerProcess,
  ids: readonly string[],
  work: () => Promise<ImportRun>,
): Promise<NonNullable<BenchResults["reads"]>> {
  const reader = startReader(stoker.base, "Patient", ids);
  try {
    const run = await work();
    return { ...(await reader.stop()), run };
  } catch (error) {
    await reader.stop().catch(() => {}); // the import's error says more
    throw error;
  }
}

/** Makes copy number `copy` of the data, and removes it when `use` is done with it. */
export async function withCopy<T>(
  { input, work, signal }: BenchContext,
  copy: number,
  use: (copy: BenchInput) => Promise<T>,
): Promise<T> {
  const folder = join(work, `copy-${String(copy)}`);
  try {
    return await use(await shiftFiles(input, copy, folder, signal));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function timeImport(
  context: BenchContext,
  stoker: StokerProcess,
  input: BenchInput,
  mode: BenchMode,
  before: number,
): Promise<ImportRun> {
  const databaseCpu = async (): Promise<number | undefined> =>
    context.server.pid === undefined ? undefined : await processTime(context.server.pid);
  const [cpuBefore, databaseBefore, stagesBefore] = [
    await stoker.cpuSeconds(),
    await databaseCpu(),
    await stoker.stages(),
  ];
  const seconds = await runTimedImport(stoker.base, input, mode, context.signal);
  return {
    mode,
    before,
    resources: input.lines,
    inputBytes: input.bytes,
    seconds,
    cpuSeconds: difference(cpuBefore, await stoker.cpuSeconds()),
    databaseCpuSeconds: difference(databaseBefore, await databaseCpu()),
    peakMemory: (await stoker.memory())?.peak,
    stages: stagesBetween(stagesBefore, await stoker.stages()),
  };
}

/** Runs `use` with a fresh database and a server process on it; stops and removes both afterwards. */
export async function withStoker<T>(
  context: BenchContext,
  fileRoot: string,
  use: (stoker: StokerProcess, database: BenchDatabase) => Promise<T>,
): Promise<T> {
  const folder = join(context.work, "stoker");
  await mkdir(folder, { recursive: true });
  const database = await context.server.createDatabase();
  try {
    const stoker = await startStoker(
      { databaseUrl: database.url, fileRoot, folder, workers: context.workers },
      context.signal,
    );
    try {
      await context.server.checkpoint();
      return await use(stoker, database);
    } catch (error) {
      if (!context.signal.aborted && stoker.logTail() !== "")
        context.say(`the end of the server's log:\n${stoker.logTail()}`);
      throw error;
    } finally {
      await stoker.close();
    }
  } finally {
    await database.drop();
  }
}

async function readIds(input: BenchInput, type: string, limit: number, signal: AbortSignal): Promise<string[]> {
  const file = input.files.find((file) => file.type === type);
  if (file === undefined) return [];
  const ids: string[] = [];
  const stream = createReadStream(file.path);
  for await (const line of createInterface({ input: stream, signal })) {
    if (line !== "") ids.push((JSON.parse(line) as { id: string }).id);
    if (ids.length >= limit) break;
  }
  stream.destroy();
  return ids;
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}
