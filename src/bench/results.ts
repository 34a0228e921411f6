import type { SearchTimes } from "./api-reads.ts";
import type { WriteTimes } from "./api-writes.ts";
import type { Ceiling } from "./ceiling.ts";
import type { BenchMode } from "./import-run.ts";
import type { MachineFacts } from "./machine.ts";
import type { ReadTimes } from "./reads.ts";
import type { StageSeconds } from "./stages.ts";

/** An import, measured. */
export interface ImportRun {
  readonly mode: BenchMode;
  /** Resources in the store before. */
  readonly before: number;
  readonly resources: number;
  readonly inputBytes: number;
  /** From before the registration until the status is 200. */
  readonly seconds: number;
  /** Processor time of the Stoker process. */
  readonly cpuSeconds: number | undefined;
  /** Processor time of the embedded PostgreSQL. */
  readonly databaseCpuSeconds: number | undefined;
  /** Peak of the process's resident memory until the end of this import, bytes. */
  readonly peakMemory: number | undefined;
  /** Time of the workers by stage. */
  readonly stages: StageSeconds | undefined;
}

/** The store after one import into an empty database. */
export interface DiskUse {
  readonly inputBytes: number;
  readonly databaseBytes: number;
  readonly emptyDatabaseBytes: number;
  readonly walBytes: number | undefined;
}

/** What the API does on a store of some size. */
export interface ApiTimes {
  /** Resources in the store before the writes. */
  readonly resources: number;
  /** Partitions of each search table: what every search asks. */
  readonly partitions: number;
  /** From the end of the last import until small segments were merged. */
  readonly mergeSeconds: number;
  /** The least a point read costs; undefined without Patients. */
  readonly pointRead: ReadTimes | undefined;
  readonly searches: readonly SearchTimes[];
  readonly writes: readonly WriteTimes[];
}

/** What can be measured: imports into an empty store, into one that is read and grows, and the API. */
export const BENCH_PHASES = ["imports", "growth", "api"] as const;
export type BenchPhase = (typeof BENCH_PHASES)[number];

/** All that was measured. */
export interface BenchResults {
  /** What was asked for. */
  readonly phases: readonly BenchPhase[];
  readonly date: string;
  readonly commandLine: string;
  readonly stoker: string;
  readonly machine: MachineFacts;
  readonly postgres: {
    readonly version: string;
    readonly embedded: boolean;
    readonly settings: Readonly<Record<string, string>>;
  };
  readonly data: {
    readonly source: string;
    readonly files: number;
    readonly resources: number;
    readonly bytes: number;
  };
  readonly ceilings: readonly Ceiling[];
  /** Into an empty store. */
  readonly runs: readonly ImportRun[];
  readonly disk: DiskUse | undefined;
  /** Reads of Patients while an import runs, and that import. */
  readonly reads: (ReadTimes & { readonly run: ImportRun }) | undefined;
  /** Copies that let the store grow, in order. */
  readonly growth: readonly ImportRun[];
  /** Imports into the grown store, the same size as those into the empty one. */
  readonly grownRuns: readonly ImportRun[];
  readonly api: ApiTimes | undefined;
}

/** Resources per second. */
export function rateOf(run: Pick<ImportRun, "resources" | "seconds">): number {
  return run.resources / run.seconds;
}
