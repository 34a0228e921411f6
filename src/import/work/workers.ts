import { Worker } from "node:worker_threads";
import type { Pool } from "pg";
import { StokerError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { isOutOfMemory } from "../../base/memory.ts";
import { withClient } from "../../store/segments/publish.ts";
import { indexSegment } from "../../store/segments/segments.ts";
import type { JobFailure } from "../job/job-state.ts";
import { failJob, importFailureOf } from "../job/jobs.ts";
import type { ImportSignal } from "../../jobs/signal.ts";
import { noTimes, STAGES, type StageTimes } from "../../write/batch/stage-times.ts";
import { placeOfUnit, renewUnit } from "./unit-lease.ts";
import type { BatchReport } from "./unit-runner.ts";
import { type WorkerMessage, type WorkerOrder, type WorkerStart } from "./worker-messages.ts";
import { WorkPlace } from "../../write/batch/work-place.ts";

/** How long a stopping worker may take to put its unit back. */
const STOP_MS = 5000;
/**
 * A line's objects die at once, so a small young generation costs no time; the default lets the heap grow from 70 to 175 MB
 * (one worker, real data set, Node 24).
 */
const YOUNG_GENERATION_MB = 24;
/** Pause before a thread that died is started again. */
const RESTART_MS = 1000;

/** What {@link startWorkers} needs. */
export interface WorkersOptions extends Omit<WorkerStart, "at"> {
  /** Units worked on at once. */
  count: number;
  /** Heap of each thread, in megabytes. A unit that needs more fails its import. */
  heapMegabytes: number;
  /** For recording failed jobs. */
  database: Pool;
  signal: ImportSignal;
  logger: Logger;
  /** Called for every committed batch (metrics). */
  onBatch?: (report: BatchReport) => void;
}

/** The running worker threads. */
export interface Workers {
  /** Seconds spent per stage, summed over the threads. */
  stageSeconds(): StageTimes;
  /** Stops the threads: units at hand are put back. Resolves when all have ended. */
  close(): Promise<void>;
}

/** Starts the import workers of this process, each a thread with a connection of its own. */
export function startWorkers(options: WorkersOptions): Workers {
  const pool = new WorkerPool(options);
  return pool;
}

class WorkerPool implements Workers {
  readonly #options: WorkersOptions;
  readonly #threads: (Worker | undefined)[] = [];
  readonly #times: (StageTimes | undefined)[] = [];
  /** Of threads that have ended. */
  readonly #pastTimes: StageTimes = noTimes();
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #pending = new Set<Promise<unknown>>();
  readonly #unsubscribe: () => void;
  /** Full segments are indexed one after another, beside the import. */
  #indexing: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();

  constructor(options: WorkersOptions) {
    this.#options = options;
    for (let place = 0; place < options.count; place++) this.#start(place);
    this.#unsubscribe = options.signal.onWork(() => this.#order("wake"));
  }

  stageSeconds(): StageTimes {
    const sum = noTimes();
    for (const times of [...this.#times, this.#pastTimes]) {
      for (const stage of STAGES) sum[stage] += (times?.[stage] ?? 0) / 1000;
    }
    return sum;
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the server is stopping"));
    this.#unsubscribe();
    for (const timer of this.#restarts) clearTimeout(timer);
    const ended = this.#threads.map(async (thread) => {
      if (thread === undefined) return;
      const exit = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
      const deadline = setTimeout(() => void thread.terminate(), STOP_MS);
      await exit;
      clearTimeout(deadline);
    });
    this.#order("stop");
    await Promise.all(ended);
    await Promise.all([...this.#pending, this.#indexing]);
  }

  /** What fails or is left undone here is done when an import is published. */
  async #index(segment: number): Promise<void> {
    const stop = this.#stop.signal;
    try {
      await withClient(this.#options.database, stop, (client) => indexSegment(client, segment));
    } catch (error) {
      if (stop.aborted) return;
      this.#options.logger.warn({ segment, err: error }, "a segment could not be indexed yet");
    }
  }

  #order(order: WorkerOrder): void {
    for (const thread of this.#threads) thread?.postMessage(order);
  }

  #start(place: number): void {
    const { connection, sources, room, heapMegabytes, logger } = this.#options;
    const at = new Float64Array(new SharedArrayBuffer(WorkPlace.places * Float64Array.BYTES_PER_ELEMENT));
    const start: WorkerStart = { connection, sources, room, at };
    const thread = new Worker(workerFile(), {
      workerData: start,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#threads[place] = thread;
    thread.on("message", (message: WorkerMessage) => this.#receive(place, message));
    thread.on("error", (error) => {
      logger.error({ err: error }, "import worker failed");
      if (isOutOfMemory(error)) this.#track(this.#failAfter(at, heapMegabytes));
    });
    thread.once("exit", () => {
      this.#threads[place] = undefined;
      for (const stage of STAGES) this.#pastTimes[stage] += this.#times[place]?.[stage] ?? 0;
      this.#times[place] = undefined;
      if (this.#stop.signal.aborted) return;
      const timer = setTimeout(() => {
        this.#restarts.delete(timer);
        this.#start(place);
      }, RESTART_MS);
      this.#restarts.add(timer);
    });
  }

  #receive(place: number, message: WorkerMessage): void {
    const { logger, signal, database, onBatch } = this.#options;
    switch (message.kind) {
      case "batch":
        this.#times[place] = message.times;
        onBatch?.(message.report);
        return;
      case "units-done":
        signal.notify();
        return;
      case "alive":
        this.#track(
          renewUnit(database, message.unit).catch((error: unknown) =>
            logger.warn({ unit: message.unit.id, err: error }, "the lease of a unit could not be renewed"),
          ),
        );
        return;
      case "segment-full":
        this.#indexing = this.#indexing.then(() => this.#index(message.segment));
        return;
      case "trouble":
        logger.warn({ job: message.job, reason: message.text }, "an import worker failed and will retry");
        return;
      case "job-failed":
        this.#track(this.#fail(message.job, message.failure, message.reason));
    }
  }

  /** Never throws. Where it cannot be recorded, the unit's lease ends, and its next worker meets the same failure. */
  async #fail(job: string, failure: JobFailure, reason: string): Promise<void> {
    const { logger, signal, database } = this.#options;
    try {
      const isFirst = await failJob(database, job, failure);
      // An input that went away or changed is no error of the server.
      if (isFirst) logger[failure.status >= 500 ? "error" : "info"]({ job, failure, reason }, "import failed");
      signal.notify();
    } catch (error) {
      logger.error({ job, failure, err: error }, "the failure of an import could not be recorded");
    }
  }

  /** A worker ran out of memory: another one would do so at the same line, so the import ends with that as its reason. */
  async #failAfter(at: Float64Array, heapMegabytes: number): Promise<void> {
    const { logger, database } = this.#options;
    const unit = String(at[WorkPlace.unit]);
    try {
      const place = await placeOfUnit(database, { id: unit, fence: String(at[WorkPlace.fence]) });
      if (place === undefined) return;
      const line = `line ${at[WorkPlace.line]} of the unit that begins at byte ${place.startOffset}`;
      const text =
        `An import worker needed more than ${heapMegabytes} MB of memory at byte ${at[WorkPlace.byteOffset]} (${line}). ` +
        "Make the resource smaller, or give the server more memory.";
      await this.#fail(place.job, importFailureOf(new StokerError("out-of-memory", text), place.url), text);
    } catch (error) {
      logger.error({ unit, err: error }, "the unit whose worker ran out of memory could not be found");
    }
  }

  /** For {@link close}, which waits for it. `work` never rejects. */
  #track(work: Promise<unknown>): void {
    const tracked = work.finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
  }
}

/** The compiled thread: also for tests that run the sources, because a thread cannot load TypeScript on every Node. */
function workerFile(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../../../dist/import/work/worker-thread.js", here)
    : new URL("./worker-thread.js", here);
}
