import { chmod, mkdir, mkdtemp, realpath, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { StokerError } from "../base/errors.ts";
import { formatBytes, formatCount } from "../terminal/format.ts";
import { programVersion } from "../base/version.ts";
import { openBenchServer } from "./databases.ts";
import { figuresOf } from "./figures.ts";
import { generateInput, plainBytes, readInput } from "./input.ts";
import { machineFacts } from "./machine.ts";
import { measureApi } from "./api-phase.ts";
import { measureEmptyStore, measureLoadedStore } from "./phases.ts";
import type { BenchPhase, BenchResults } from "./results.ts";

/** What `stoker bench` was told. */
export interface BenchOptions {
  /** Folder with *.ndjson or *.ndjson.gz; undefined = generated sample data. */
  readonly data: string | undefined;
  /** Resources that the store is grown to; 0 = not grown. */
  readonly grow: number;
  readonly repeat: number;
  readonly workers: number | undefined;
  readonly phases: ReadonlySet<BenchPhase>;
  /** Resources in the store that the API is measured on, at least. */
  readonly apiResources: number;
  /** A server of the user's; undefined = the embedded one. */
  readonly databaseUrl: string | undefined;
  /** Folder for everything temporary. */
  readonly workDir: string;
  readonly keep: boolean;
  readonly commandLine: string;
}

/** Patients of the generated data: about 50 MB. */
const GENERATED_PATIENTS = 500;
/** Load of the machine above which it is not quiet enough for figures. */
const BUSY = 0.5;
/** Disk that an imported byte may take (figure: at most 2.0), and the write-ahead log's limit. */
const STORE_FACTOR = 2;
const WAL_BYTES = 4e9;
/** Bytes of a resource, for the estimate before the data is known. */
const RESOURCE_BYTES = 1400;

/**
 * Measures this machine: see docs/performance.md for what and how. Everything temporary is removed at the end, also when
 * `signal` fires. Throws WrongCount when an import loaded something else than its lines.
 */
export async function runBench(
  options: BenchOptions,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<BenchResults> {
  await mkdir(options.workDir, { recursive: true });
  const work = await realpath(await mkdtemp(join(options.workDir, "stoker-bench-")));
  // PostgreSQL started by root runs as another user, who must get through to its cluster.
  await chmod(work, 0o711);
  try {
    const machine = machineFacts();
    if (machine.load > BUSY)
      say(`other programs are busy (load ${machine.load.toFixed(1)}): the figures will be unsteady`);
    await checkDisk(options, work);
    say(`working in ${work}`);
    const input =
      options.data === undefined
        ? await generateInput(GENERATED_PATIENTS, join(work, "data"), signal)
        : await readInput(options.data, join(work, "data"), signal);
    say(`${formatCount(input.lines)} resources, ${formatBytes(input.bytes)}, ${String(input.files.length)} files`);
    const server = await openBenchServer(work, options.databaseUrl, options.keep);
    try {
      const { repeat, workers, keep } = options;
      const context = { server, input, work, workers, repeat, keep, signal, say };
      const { phases } = options;
      const empty = phases.has("imports")
        ? await measureEmptyStore(context)
        : { ceilings: [], runs: [], disk: undefined };
      const loaded = phases.has("growth")
        ? await measureLoadedStore(context, options.grow)
        : { reads: undefined, growth: [], grownRuns: [] };
      const api = phases.has("api") ? await measureApi(context, options.apiResources) : undefined;
      return {
        phases: [...phases],
        date: new Date().toISOString(),
        commandLine: options.commandLine,
        stoker: programVersion(),
        machine,
        postgres: { version: server.version, embedded: server.pid !== undefined, settings: server.settings },
        data: {
          source: options.data ?? `generated, ${String(GENERATED_PATIENTS)} patients`,
          files: input.files.length,
          resources: input.lines,
          bytes: input.bytes,
        },
        ...empty,
        ...loaded,
        api,
      };
    } finally {
      await server.close();
    }
  } finally {
    if (!options.keep) await rm(work, { recursive: true, force: true });
  }
}

/** Writes figures and everything behind them as JSON. */
export async function writeResults(path: string, results: BenchResults): Promise<void> {
  await writeFile(path, `${JSON.stringify({ figures: figuresOf(results), ...results }, undefined, 2)}\n`);
}

/** Throws `bad-request` when the disk is too small for what is going to be written. */
async function checkDisk(options: BenchOptions, work: string): Promise<void> {
  const bytes = options.data === undefined ? 60e6 : await plainBytes(options.data);
  const copies = 4 + options.repeat; // unpacked, shifted, the ceiling, an empty store, the store that is read
  const grown = Math.max(
    options.phases.has("growth") ? options.grow : 0,
    options.phases.has("api") ? options.apiResources : 0,
  );
  const stores = bytes * copies + Math.max(grown * RESOURCE_BYTES, 2 * bytes);
  const needed = Math.ceil(stores * STORE_FACTOR + WAL_BYTES);
  const { bavail, bsize } = await statfs(work);
  if (bavail * bsize >= needed) return;
  throw new StokerError(
    "bad-request",
    `--work-dir: ${options.workDir} has ${formatBytes(bavail * bsize)} free and up to ${formatBytes(needed)} may be needed; choose another folder or less data`,
  );
}
