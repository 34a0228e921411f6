import { LeaseLost, withLease } from "../jobs/lease.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import type { Logger } from "../base/logger.ts";
import { isRetryable } from "../postgres/database-errors.ts";
import { lackOfRoom, UNLIMITED, type JobLimits } from "../jobs/job-limits.ts";
import {
  claimReindex,
  endOldReindexes,
  failReindex,
  MAX_ATTEMPTS,
  releaseReindex,
  renewReindex,
  type ClaimedReindex,
} from "./jobs.ts";
import { runReindex } from "./run-reindex.ts";

/** Carries `$reindex` out in the background. */
export interface Reindexer {
  /** Says that there may be something to do. */
  wake(): void;
  /** Ends it; a job at hand is given back, and goes on from where it is. */
  close(): Promise<void>;
}

/** Limits of reindex jobs. */
export interface ReindexLimits extends JobLimits {
  /** Hours that what is known of a job is kept after its end. */
  readonly keptHours: number;
}

const UNLIMITED_REINDEX: ReindexLimits = { ...UNLIMITED, keptHours: UNLIMITED.hours };

/** Between looks for a job that another process left. */
const INTERVAL_MS = 5000;
const FIRST_LOOK_MS = 1000;

/** Starts looking for jobs. Any number of processes may do so. */
export function openReindexer(pool: Pool, logger: Logger, limits: ReindexLimits = UNLIMITED_REINDEX): Reindexer {
  const stop = new AbortController();
  let wake = new AbortController();
  const running = (async () => {
    await idle(FIRST_LOOK_MS);
    while (!stop.signal.aborted) {
      let isIdle = true;
      try {
        await endOldReindexes(pool, limits, limits.keptHours);
        const hasRoom = (await lackOfRoom(limits.room)) === undefined;
        const job = hasRoom ? await claimReindex(pool) : undefined;
        if (job !== undefined) isIdle = await workOn(pool, logger, job, limits, stop.signal);
      } catch (error) {
        if (!stop.signal.aborted) logger.warn({ err: error }, "reindex jobs could not be read");
      }
      if (isIdle) await idle(INTERVAL_MS);
    }
  })();

  async function idle(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: AbortSignal.any([stop.signal, wake.signal]), ref: false }).catch(
      () => {},
    );
    if (wake.signal.aborted) wake = new AbortController();
  }

  return {
    wake: () => wake.abort(),
    async close() {
      stop.abort(new Error("the server is stopping"));
      await running;
    },
  };
}

/** False when there may be more to do at once. */
async function workOn(
  pool: Pool,
  logger: Logger,
  job: ClaimedReindex,
  limits: ReindexLimits,
  stop: AbortSignal,
): Promise<boolean> {
  const lease = {
    what: `reindex ${job.id}`,
    async renew(): Promise<boolean> {
      await endOldReindexes(pool, limits, limits.keptHours);
      return await renewReindex(pool, job);
    },
    onTrouble: (error: unknown) => logger.warn({ err: error }, "the lease of a reindex job could not be renewed"),
  };
  try {
    const isDone = await withLease(lease, stop, (signal) => runReindex(pool, job, signal));
    if (isDone) logger.info({ job: job.id.toString() }, "reindex completed");
    return false;
  } catch (error) {
    if (stop.aborted) {
      await releaseReindex(pool, job).catch(() => {});
    } else if (error instanceof LeaseLost) {
      logger.info({ job: job.id.toString() }, "a reindex job was cancelled or taken over");
    } else if (!isRetryable(error) && job.attempts >= MAX_ATTEMPTS) {
      logger.error({ job: job.id.toString(), err: error }, "a reindex job failed");
      await failReindex(pool, job, error instanceof Error ? error.message : String(error));
    } else {
      // The lease stays and runs out: that is the pause before the next attempt.
      logger.warn({ job: job.id.toString(), err: error }, "a reindex job was interrupted and will be retried");
    }
    return true;
  }
}
