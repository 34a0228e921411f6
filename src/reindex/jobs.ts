import { LEASE_SECONDS } from "../jobs/lease.ts";
import type { ClientBase, Pool } from "pg";
import { StokerError } from "../base/errors.ts";
import { AdvisoryLock } from "../postgres/advisory-locks.ts";
import { tooOld, type JobLimits } from "../jobs/job-limits.ts";
import { transaction } from "../postgres/pool.ts";
import { raiseGeneration } from "../store/search/search-parameters.ts";

/**
 * The jobs of `$reindex`: one at a time for a database. A row of `reindex_job` is the only truth about one; whoever works on
 * it holds its lease, and an older fence is refused.
 */

/** States of a job. */
export const ReindexState = { running: 0, completed: 1, failed: 2, cancelled: 3 } as const;

/** After so many claims of one job without any progress it fails. */
export const MAX_ATTEMPTS = 10;

/** A job that is ours to work on. */
export interface ClaimedReindex {
  id: bigint;
  fence: number;
  attempts: number;
  /** Ids of the parameters to index. */
  parameters: readonly number[];
  /** Whether all segments that may have rows from before the definitions are indexed. */
  segmentsReady: boolean;
  /** Everything up to this key is done. */
  lastKey: bigint | undefined;
}

/** What is known of a job. */
export interface ReindexStatus {
  id: string;
  state: number;
  createdAt: Date;
  endedAt: Date | undefined;
  /** The SearchParameter resources that it was about, `SearchParameter/[id]`. */
  names: readonly string[];
  resources: number;
  changed: number;
  total: number;
  failure: string | undefined;
}

/**
 * Makes a job for all parameters that are not enabled, or finds the one that runs; returns its id. Parameters that were
 * defined since that one began are indexed by it when it is through with the others.
 */
export async function requestReindex(pool: Pool): Promise<string> {
  return await transaction({ pool }, async (client) => {
    await client.query("select pg_advisory_xact_lock($1, 0)", [AdvisoryLock.reindexRequest]);
    const running = await client.query<{ id: string }>(
      `update reindex_job set again = exists (select from search_parameter p where not p.enabled and p.id <> all (parameters))
       where state = 0 returning id::text`,
    );
    if (running.rows[0] !== undefined) return running.rows[0].id;
    const { rows } = await client.query<{ id: string }>(
      `insert into reindex_job (parameters, names)
       select coalesce(array_agg(id order by id), '{}'), coalesce(array_agg('SearchParameter/' || resource_id order by id), '{}')
       from search_parameter where not enabled returning id::text`,
    );
    return rows[0]?.id ?? "";
  });
}

/** Claims the job that runs, unless another process has it. */
export async function claimReindex(pool: Pool): Promise<ClaimedReindex | undefined> {
  const { rows } = await pool.query<{
    id: string;
    fence: number;
    attempts: number;
    parameters: number[];
    segments_ready: boolean;
    last_key: string | null;
  }>(
    `update reindex_job set fence = fence + 1, attempts = attempts + 1, lease_until = ${LEASE}
     where state = 0 and (lease_until is null or lease_until < clock_timestamp())
     returning id::text, fence, attempts, parameters, segments_ready, last_key::text`,
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    id: BigInt(row.id),
    fence: row.fence,
    attempts: row.attempts,
    parameters: row.parameters,
    segmentsReady: row.segments_ready,
    lastKey: row.last_key === null ? undefined : BigInt(row.last_key),
  };
}

const LEASE = `clock_timestamp() + interval '${LEASE_SECONDS} seconds'`;

/** Prolongs the lease; false when the job is no longer ours, or was cancelled. */
export async function renewReindex(pool: Pool, job: ClaimedReindex): Promise<boolean> {
  const renewed = await pool.query(`update reindex_job set lease_until = ${LEASE} ${OURS}`, [job.id, job.fence]);
  return renewed.rowCount === 1;
}

/** Gives the job back for another process, or for this one when it starts again. */
export async function releaseReindex(pool: Pool, job: ClaimedReindex): Promise<void> {
  await pool.query(`update reindex_job set lease_until = null, attempts = 0 ${OURS}`, [job.id, job.fence]);
}

const OURS = "where id = $1 and fence = $2 and state = 0";

/** Gives back whatever a process that is gone had claimed; for a database that only this process works on. */
export async function releaseAllReindexes(pool: Pool): Promise<void> {
  await pool.query("update reindex_job set lease_until = null, attempts = 0 where state = 0");
}

/** Notes that the segments are indexed, and how many resources there are to read. */
export async function beginReindex(pool: Pool, job: ClaimedReindex, total: number): Promise<boolean> {
  const begun = await pool.query(
    `update reindex_job set segments_ready = true, attempts = 0, total = resources + $3, lease_until = ${LEASE} ${OURS}`,
    [job.id, job.fence, total],
  );
  return begun.rowCount === 1;
}

/** Notes that everything up to `lastKey` is done, in the transaction that did it; false when the job is no longer ours. */
export async function advanceReindex(
  client: ClientBase,
  job: ClaimedReindex,
  done: { lastKey: bigint; resources: number; changed: number },
): Promise<boolean> {
  const advanced = await client.query({
    name: "advance-reindex",
    text: `update reindex_job set last_key = $3, resources = resources + $4, changed = changed + $5, attempts = 0,
             lease_until = ${LEASE} ${OURS}`,
    values: [job.id, job.fence, done.lastKey, done.resources, done.changed],
  });
  return advanced.rowCount === 1;
}

/**
 * Enables the job's parameters, those that are still defined as they were. Ends the job, or turns it to those that were
 * defined meanwhile, where it was asked for again; then the answer is false.
 */
export async function finishReindex(pool: Pool, job: ClaimedReindex): Promise<boolean> {
  return await transaction({ pool }, async (client) => {
    const found = await client.query<{ again: boolean }>(`select again from reindex_job ${OURS} for update`, [
      job.id,
      job.fence,
    ]);
    if (found.rows[0] === undefined) return true;
    const enabled = await client.query(
      "update search_parameter set enabled = true where id = any($1::int[]) and not enabled",
      [job.parameters],
    );
    if (enabled.rowCount !== 0) await raiseGeneration(client);
    if (found.rows[0].again) {
      const turned = await client.query(
        `update reindex_job set again = false, segments_ready = false, last_key = null, lease_until = null,
           parameters = p.ids, names = reindex_job.names || p.names
         from (select array_agg(id order by id) as ids, array_agg('SearchParameter/' || resource_id order by id) as names
               from search_parameter where not enabled) p
         where reindex_job.id = $1 and p.ids is not null`,
        [job.id],
      );
      if (turned.rowCount === 1) return false;
    }
    await client.query("update reindex_job set state = 1, ended_at = clock_timestamp() where id = $1", [job.id]);
    return true;
  });
}

/** Notes that the job cannot be carried out. */
export async function failReindex(pool: Pool, job: ClaimedReindex, failure: string): Promise<void> {
  await pool.query(`update reindex_job set state = 2, ended_at = clock_timestamp(), failure = $3 ${OURS}`, [
    job.id,
    job.fence,
    failure,
  ]);
}

/** Ends jobs that have been open for too long as failed, and forgets those that ended so many hours ago. */
export async function endOldReindexes(pool: Pool, limits: JobLimits, keptHours: number): Promise<void> {
  await pool.query(
    `with forgotten as (
       delete from reindex_job where state <> ${ReindexState.running}
         and ended_at < clock_timestamp() - make_interval(secs => $3))
     update reindex_job set state = ${ReindexState.failed}, ended_at = clock_timestamp(), failure = $2
     where state = ${ReindexState.running} and created_at < clock_timestamp() - make_interval(secs => $1)`,
    [limits.hours * 3600, tooOld("reindex", limits), keptHours * 3600],
  );
}

/** Cancels a job that runs. Throws `not-found`, or `job-completed` when it has ended. */
export async function cancelReindex(pool: Pool, id: string): Promise<void> {
  const { state } = await reindexStatus(pool, id);
  const cancelled = await pool.query(
    "update reindex_job set state = 3, ended_at = clock_timestamp() where id = $1 and state = 0",
    [id],
  );
  if (cancelled.rowCount === 1 || state === ReindexState.cancelled) return;
  throw new StokerError("job-completed", `The reindex operation ${id} has ended.`);
}

/** What is known of a job. Throws `not-found`. */
export async function reindexStatus(pool: Pool, id: string): Promise<ReindexStatus> {
  const { rows } = /^\d{1,18}$/.test(id)
    ? await pool.query<{
        state: number;
        created_at: Date;
        ended_at: Date | null;
        names: string[];
        resources: string;
        changed: string;
        total: string;
        failure: string | null;
      }>(
        `select state, created_at, ended_at, names, resources::text, changed::text, total::text, failure
         from reindex_job where id = $1`,
        [id],
      )
    : { rows: [] };
  const [row] = rows;
  if (row === undefined) throw new StokerError("not-found", `There is no reindex operation ${id.slice(0, 32)}.`);
  return {
    id,
    state: row.state,
    createdAt: row.created_at,
    endedAt: row.ended_at ?? undefined,
    names: row.names,
    resources: Number(row.resources),
    changed: Number(row.changed),
    total: Number(row.total),
    failure: row.failure ?? undefined,
  };
}
