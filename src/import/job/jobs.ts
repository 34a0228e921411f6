import type { Pool, PoolClient } from "pg";
import { StokerError } from "../../base/errors.ts";
import { databaseError } from "../../postgres/database-errors.ts";
import { transaction } from "../../postgres/pool.ts";
import { SegmentState } from "../../store/segments/segments.ts";
import type { ImportDefinition } from "../request/definition.ts";
import { JobState, UnitState, type JobFailure } from "./job-state.ts";

/**
 * The life of an import job: created → (planner) running → (finisher) completed; created or running → failed or
 * cancelled by user. Planner and finisher are any process that holds the lease; every claim raises the fence, and a step
 * of a holder whose fence is no longer the job's is refused, so that two holders never both take effect.
 */

/** A pool, or a connection with an open transaction. */
export type Connection = Pool | PoolClient;

/** A job whose lease this process holds. */
export interface ClaimedJob {
  /** Decimal text of the 64-bit id. */
  readonly id: string;
  /** Decimal text; also counts the attempts. */
  readonly fence: string;
  readonly definition: ImportDefinition;
}

/** What the documents say when the database is full (decision D-12); they hide its name, too. */
const SIZE_QUOTA =
  "The database '****' has reached its size quota. Partition or delete data, drop indexes, or consult the documentation " +
  "for possible resolutions.";

/** The step of a job's life that a claim is for. */
export type JobStep = "plan" | "finish";

const CLAIM_TO_PLAN = `
update import_job set fence = fence + 1, lease_until = clock_timestamp() + make_interval(secs => $1)
where id = (
  select id from import_job
  where state = ${JobState.created} and (lease_until is null or lease_until < clock_timestamp())
  order by id limit 1 for update skip locked
)
returning id::text as id, fence::text as fence, definition`;

const CLAIM_TO_FINISH = `
update import_job set fence = fence + 1, lease_until = clock_timestamp() + make_interval(secs => $1)
where id = (
  select id from import_job job
  where state = ${JobState.running} and (lease_until is null or lease_until < clock_timestamp())
    and not exists (
      select from import_unit unit
      where unit.job = job.id and unit.state in (${UnitState.created}, ${UnitState.running})
    )
  order by id limit 1 for update skip locked
)
returning id::text as id, fence::text as fence, definition`;

/** Claims the oldest job that waits for `step`, for `leaseSeconds`; undefined when there is none. */
export async function claimJob(
  database: Connection,
  step: JobStep,
  leaseSeconds: number,
): Promise<ClaimedJob | undefined> {
  const { rows } = await database.query<ClaimedJob>(step === "plan" ? CLAIM_TO_PLAN : CLAIM_TO_FINISH, [leaseSeconds]);
  return rows[0];
}

/** Prolongs the lease. False when the job is no longer this holder's: claimed by another, cancelled or failed. */
export async function renewLease(
  database: Connection,
  job: ClaimedJob,
  step: JobStep,
  leaseSeconds: number,
): Promise<boolean> {
  const { rowCount } = await database.query(
    `update import_job set lease_until = clock_timestamp() + make_interval(secs => $4)
     where id = $1 and fence = $2 and state = $3`,
    [job.id, job.fence, stateDuring(step), leaseSeconds],
  );
  return rowCount === 1;
}

/** Gives the job back, so that another process may claim it at once. */
export async function releaseLease(database: Connection, job: ClaimedJob): Promise<void> {
  await database.query("update import_job set lease_until = null where id = $1 and fence = $2", [job.id, job.fence]);
}

/** Ends the plan: from now on workers may claim the job's units. False when the job is no longer this holder's. */
export async function startJob(database: Connection, job: ClaimedJob): Promise<boolean> {
  const { rowCount } = await database.query(
    `update import_job set state = ${JobState.running}, planned_at = clock_timestamp(), lease_until = null,
       bytes = (select coalesce(sum(length), 0) from import_input where job = $1)
     where id = $1 and fence = $2 and state = ${JobState.created}`,
    [job.id, job.fence],
  );
  return rowCount === 1;
}

/** Ends the job as completed. False when the job is no longer this holder's. */
export async function completeJob(database: Connection, job: ClaimedJob): Promise<boolean> {
  const { rowCount } = await database.query(
    `update import_job set state = ${JobState.completed}, ended_at = clock_timestamp(), lease_until = null
     where id = $1 and fence = $2 and state = ${JobState.running}`,
    [job.id, job.fence],
  );
  return rowCount === 1;
}

/**
 * Ends a job as failed, with its reason, and takes its open units from their workers. The first failure wins: false when
 * the job had ended before. Runs in a transaction of its own: call it when no transaction of
 * yours holds the row of a unit.
 */
export async function failJob(database: Pool, jobId: string, failure: JobFailure): Promise<boolean> {
  return await transaction({ pool: database }, async (client) => {
    const { rowCount } = await client.query(
      `update import_job
       set state = ${JobState.failed}, failure = $2, ended_at = clock_timestamp(), lease_until = null
       where id = $1 and state in (${JobState.created}, ${JobState.running})`,
      [jobId, JSON.stringify(failure)],
    );
    if (rowCount === 0) return false;
    await closeUnits(client, jobId);
    return true;
  });
}

/** Takes the open units of a job from their workers: state cancelled, and a fence that refuses their next commit. */
export async function closeUnits(database: Connection, jobId: string): Promise<void> {
  await database.query(
    `update import_unit set state = ${UnitState.cancelled}, fence = fence + 1, lease_until = null
     where job = $1 and state in (${UnitState.created}, ${UnitState.running})`,
    [jobId],
  );
}

/** Whether there are segments without indexes although no import is at work on them. */
export async function areSegmentsLeftOver(database: Pool): Promise<boolean> {
  const { rows } = await database.query<{ left: boolean }>(
    `select exists (select from segment where state <> ${SegmentState.indexed})
       and not exists (select from import_job where state in (${JobState.created}, ${JobState.running})) as left`,
  );
  return rows[0]?.left === true;
}

/** What is wrong with an import as one of its units meets it: the status names the input, too (contract 3.1). */
export class InputError extends StokerError {
  readonly input: string;

  /** `input`: its URL. */
  constructor(input: string, message: string) {
    super("bad-request", message);
    this.input = input;
  }
}

/** The failure that a thrown error is. `unitOf` is the URL of the input whose unit met it. */
export function importFailureOf(thrown: unknown, unitOf?: string): JobFailure {
  const error = databaseError(thrown);
  const input = error instanceof InputError ? error.input : unitOf;
  const place = input === undefined ? {} : { input };
  if (!(error instanceof StokerError)) {
    return { status: 500, code: "internal", text: error instanceof Error ? error.message : String(error), ...place };
  }
  const text = error.code === "database-full" ? SIZE_QUOTA : error.message;
  return { status: error.status, code: error.code, text, ...place };
}

function stateDuring(step: JobStep): number {
  return step === "plan" ? JobState.created : JobState.running;
}
