import type { SourceConfig } from "../../source/sources.ts";
import type { DatabaseConnection } from "../../postgres/connection.ts";
import type { DiskRoom } from "../../postgres/disk-room.ts";
import type { JobFailure } from "../job/job-state.ts";
import type { StageTimes } from "../../write/batch/stage-times.ts";
import type { ClaimedUnit } from "./unit-lease.ts";
import type { BatchReport } from "./unit-runner.ts";

/** What a worker thread is started with. */
export interface WorkerStart {
  connection: DatabaseConnection;
  sources: SourceConfig;
  /** To be left free where the database's disk is this machine's. */
  room: DiskRoom | undefined;
  /** What it is working on, seen by the main thread even when the worker dies: see {@link WorkPlace}. */
  at: Float64Array;
}

/** To a worker: look for units now; stop (the unit at hand is put back). */
export type WorkerOrder = "wake" | "stop";

/** From a worker. */
export type WorkerMessage =
  | { kind: "batch"; report: BatchReport; times: StageTimes }
  /** The worker is done with its last unit of the job: there is no open one left, as far as it saw. */
  | { kind: "units-done"; job: string }
  /** A sign of life while a unit is worked on, however long its source or the database let the worker wait. */
  | { kind: "alive"; unit: Pick<ClaimedUnit, "id" | "fence"> }
  /** A bulk segment takes no more: its indexes can be built. */
  | { kind: "segment-full"; segment: number }
  /** The job cannot go on: the main thread records it. `reason` is for the log. */
  | { kind: "job-failed"; job: string; failure: JobFailure; reason: string }
  | { kind: "trouble"; text: string; job: string | undefined };
