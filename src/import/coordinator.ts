import { setTimeout as sleep } from "node:timers/promises";
import { StokerError } from "../base/errors.ts";
import { databaseError } from "../postgres/database-errors.ts";
import { finishJob } from "./report/finish-job.ts";
import { tooOld, type JobLimits } from "../jobs/job-limits.ts";
import { endFrozenWriters } from "../write/single/frozen-writers.ts";
import {
  areSegmentsLeftOver,
  claimJob,
  renewLease,
  failJob,
  importFailureOf,
  releaseLease,
  type ClaimedJob,
  type JobStep,
} from "./job/jobs.ts";
import { JobState } from "./job/job-state.ts";
import { LEASE_SECONDS, LeaseLost, withLease } from "../jobs/lease.ts";
import { planJob } from "./plan/plan-job.ts";
import type { ImportServices } from "./services.ts";
import { createWaiter } from "../jobs/signal.ts";
import { endSilentSessions } from "./work/unit-lease.ts";

/** What the coordinator works with. */
export interface CoordinatorServices extends ImportServices {
  /** Called once all units of a job are done, before it completes; must be safe to call again, and end when told so. */
  readonly publish: (stop: AbortSignal) => Promise<void>;
  /** Limits of imports; none when not given. */
  readonly limits?: JobLimits;
}

/** A running coordinator. */
export interface Coordinator {
  /** Ends after the current step, whose job is given back for another process. */
  close(): Promise<void>;
}

/** Pause between looks when nobody woke us: the safety net below the signal. */
const POLL_MS = 1000;

/** Pause between looks for workers that went silent: well below their lease. */
const WATCH_MS = 5000;

/** After so many claims of a step that always broke off, the job fails instead of being tried for ever. */
const MAX_CLAIMS = 20;

/**
 * Starts the coordinator: it plans created jobs and finishes those whose units are all done, one of each kind at a time.
 * Any number of processes may run one; a job's lease and fence decide who takes a step.
 */
export function startCoordinator(services: CoordinatorServices): Coordinator {
  const stop = new AbortController();
  const loops = Promise.all([
    runLoop(services, "plan", stop.signal),
    runLoop(services, "finish", stop.signal),
    watch(services, stop.signal),
  ]);
  return {
    async close() {
      stop.abort();
      await loops;
    },
  };
}

async function runLoop(services: CoordinatorServices, step: JobStep, stop: AbortSignal): Promise<void> {
  const waiter = createWaiter(services.signal);
  try {
    while (!stop.aborted) {
      let idle = true;
      try {
        idle = !(await takeStep(services, step, stop));
      } catch (error) {
        // What was left over is published another time; there is no job to give back.
        if (!stop.aborted) services.logger.error({ err: error, step }, "the import coordinator could not take a step");
      }
      if (idle) await waiter.wait(POLL_MS, stop);
    }
  } finally {
    waiter.close();
  }
}

/** Ends what frozen workers and API writers hold, so that the others go on, and imports that have been open for too long. */
async function watch(services: CoordinatorServices, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      await endSilentSessions(services.database);
      await endFrozenWriters(services.database);
      await endOldImports(services);
    } catch (error) {
      services.logger.warn({ err: error }, "the check for silent workers and writers failed");
    }
    await sleep(WATCH_MS, undefined, { signal: stop }).catch(() => {});
  }
}

async function endOldImports({ database, limits, logger, signal }: CoordinatorServices): Promise<void> {
  if (limits === undefined) return;
  const { rows } = await database.query<{ id: string }>(
    `select id::text as id from import_job where state in (${JobState.created}, ${JobState.running})
       and created_at < clock_timestamp() - make_interval(secs => $1)`,
    [limits.hours * 3600],
  );
  for (const { id } of rows) {
    logger.error({ job: id }, tooOld("import", limits));
    if (await failJob(database, id, { status: 500, code: "job-failed", text: tooOld("import", limits) }))
      signal.notify();
  }
}

/** Claims one job and takes the step; false when there was none. */
async function takeStep(services: CoordinatorServices, step: JobStep, stop: AbortSignal): Promise<boolean> {
  const { database, logger } = services;
  const job = await claimJob(database, step, LEASE_SECONDS);
  if (job === undefined) {
    // A failed or cancelled import publishes nothing: what it leaves is done when no import is at work.
    if (step === "finish" && (await areSegmentsLeftOver(database))) await services.publish(stop);
    return false;
  }
  try {
    const lease = {
      what: `import ${job.id} to ${step}`,
      renew: () => renewLease(database, job, step, LEASE_SECONDS),
      onTrouble: (error: unknown) =>
        logger.warn({ err: error, job: job.id }, "the lease of an import could not be renewed"),
    };
    await withLease(lease, stop, (signal) =>
      step === "plan" ? planJob(database, services.sources, job, signal) : finishJob(services, job, signal),
    );
    services.signal.notify();
  } catch (error) {
    await handleFailure(services, job, step, stop, error);
    return true;
  }
  if (step === "finish") await logCounts(services, job);
  return true;
}

/** The line of contract 9: mode and counts of a completed import. */
async function logCounts({ database, logger }: CoordinatorServices, job: ClaimedJob): Promise<void> {
  if (!logger.isLevelEnabled("info")) return;
  const { rows } = await database.query<{ loaded: number; rejected: number; seconds: number }>(COUNTS, [job.id]);
  if (rows[0] !== undefined) logger.info({ job: job.id, mode: job.definition.mode, ...rows[0] }, "an import completed");
}

const COUNTS = `
select coalesce(sum(unit.loaded), 0)::float8 as loaded, coalesce(sum(unit.rejected), 0)::float8 as rejected,
  extract(epoch from job.ended_at - job.created_at)::float8 as seconds
from import_job job left join import_unit unit on unit.job = job.id
where job.id = $1 and job.state = ${JobState.completed} group by job.id`;

async function handleFailure(
  services: CoordinatorServices,
  job: ClaimedJob,
  step: JobStep,
  stop: AbortSignal,
  error: unknown,
): Promise<void> {
  const { database, logger } = services;
  if (stop.aborted) return await releaseLease(database, job);
  if (error instanceof LeaseLost) return logger.info({ job: job.id, step }, "an import was cancelled or taken over");
  if (!isFinal(error) && Number(job.fence) < MAX_CLAIMS) {
    // The lease stays and runs out: that is the pause before the next attempt.
    return logger.error({ err: error, job: job.id, step }, "a step of an import was interrupted and will be retried");
  }
  const failure = importFailureOf(error);
  // A file that is missing or changed is no error of the server.
  const level = failure.status >= 500 ? "error" : "info";
  logger[level]({ err: error, job: job.id, step }, "an import failed");
  await failJob(database, job.id, failure);
  services.signal.notify();
}

/** Whether trying again is pointless: the sources or the request are at fault, or the database is full. */
function isFinal(thrown: unknown): boolean {
  const error = databaseError(thrown);
  return error instanceof StokerError && error.code !== "database-unavailable" && error.code !== "internal";
}
