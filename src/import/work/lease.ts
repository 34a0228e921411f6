import type { Pool } from "pg";
import type { Logger } from "../../base/logger.ts";
import { renewLease, type ClaimedJob, type JobStep } from "../job/jobs.ts";

/** How long a claim lasts without a sign of life, in seconds; a sign is given three times as often. */
export const LEASE_SECONDS = 30;

/** Reason of the abort when the job became another's, or was cancelled, while it was held. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/**
 * Runs `work` on a claimed job and keeps its lease meanwhile. `work` is told by its signal when `stop` fires or the job is
 * no longer ours ({@link LeaseLost}); it then has to end.
 */
export async function withLease(
  database: Pool,
  job: ClaimedJob,
  step: JobStep,
  stop: AbortSignal,
  logger: Logger,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const lost = new AbortController();
  let renewal: Promise<void> = Promise.resolve();
  const timer = setInterval(
    () => {
      renewal = renewLease(database, job, step, LEASE_SECONDS).then(
        (held) => {
          if (!held) lost.abort(new LeaseLost(`import ${job.id} is no longer ours to ${step}`));
        },
        // The next beat tries again; the lease outlives two of them.
        (error: unknown) => logger.warn({ err: error, job: job.id }, "the lease of an import could not be renewed"),
      );
    },
    (LEASE_SECONDS * 1000) / 3,
  );
  try {
    await work(AbortSignal.any([stop, lost.signal]));
  } finally {
    clearInterval(timer);
    await renewal;
  }
}
