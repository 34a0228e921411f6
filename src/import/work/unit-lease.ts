import type { ClientBase } from "pg";
import { LEASE_SECONDS } from "../../jobs/lease.ts";
import { WORKER_NAME } from "../../postgres/connection.ts";
import type { ImportDefinition } from "../request/definition.ts";
import { JobState, UnitState } from "../job/job-state.ts";
import type { StoredTally } from "../../write/batch/unit-tally.ts";

/** A unit this worker holds; every commit of it carries the fence. */
export interface ClaimedUnit {
  /** Decimal text, as are `fence` and `job`. */
  readonly id: string;
  readonly fence: string;
  readonly job: string;
  /** Claims since the unit last advanced, this one included, without those that ended for reasons outside the unit. */
  readonly attempts: number;
  readonly definition: ImportDefinition;
  /** Bytes of all inputs of the job. */
  readonly jobBytes: number;
  readonly input: {
    readonly type: string | null;
    readonly url: string;
    readonly etag: string;
    readonly length: number;
  };
  readonly startOffset: number;
  readonly endOffset: number;
  /** Checkpoint: next byte to read, undefined before the first batch; lines of the unit before it. */
  readonly position: number | undefined;
  readonly lines: number;
  /** What was counted by type so far. */
  readonly tally: StoredTally | null;
}

/** What a batch adds to its unit. */
export interface UnitProgress {
  /** Next byte to read, and lines of the unit before it. */
  position: number;
  lines: number;
  loaded: number;
  rejected: number;
  created: number;
  updated: number;
  unchanged: number;
  deleted: number;
  /** Of the whole unit. */
  tally: StoredTally;
}

type Queryable = Pick<ClientBase, "query">;

/** What a session is called that works on a unit: administrators see it, and its holder is found by it. */
const SESSION_NAME = `${WORKER_NAME} unit `;

/**
 * Claims the oldest open unit of a running job: one never begun, or one whose worker has gone silent. What that worker had
 * begun can never be committed: see {@link endFormerSession}. One step in an index, however many units are open: a plain
 * join would sort them all.
 */
export async function claimUnit(client: ClientBase): Promise<ClaimedUnit | undefined> {
  const claimed = await client.query<
    Omit<ClaimedUnit, "input"> & { type: string | null; url: string; etag: string; length: number }
  >({
    name: "claim-unit",
    text: `update import_unit unit
           set state = ${UnitState.running}, fence = unit.fence + 1, attempts = unit.attempts + 1,
             lease_until = clock_timestamp() + interval '${LEASE_SECONDS} seconds'
           from import_job job, import_input input
           where unit.id = (
             select open.id from import_job running, lateral (
               select id from import_unit
               where job = running.id and (state = ${UnitState.created}
                 or (state = ${UnitState.running} and lease_until < clock_timestamp()))
               order by id limit 1 for update skip locked
             ) open
             where running.state = ${JobState.running} order by running.id limit 1
           ) and job.id = unit.job and input.job = unit.job and input.number = unit.input
           returning unit.id::text, unit.fence::text, unit.job::text, unit.attempts, job.definition,
             job.bytes::float8 as "jobBytes",
             unit.start_offset::float8 as "startOffset", unit.end_offset::float8 as "endOffset",
             unit.position::float8 as position, unit.lines::float8 as lines, unit.tally,
             input.type, input.url, input.source_etag as etag, input.length::float8 as length,
             set_config('application_name', '${SESSION_NAME}' || unit.id, false)`,
  });
  const row = claimed.rows[0];
  if (row === undefined) return undefined;
  const { type, url, etag, length, ...unit } = row;
  return { ...unit, position: unit.position ?? undefined, input: { type, url, etag, length } };
}

/**
 * Ends the session of the worker that held the unit before, if it is still there: a worker that is frozen in the middle of a
 * transaction would hold up whoever writes the same resources for as long as it stays so.
 */
export async function endFormerSession(client: ClientBase, unit: ClaimedUnit): Promise<void> {
  if (unit.attempts === 1) return;
  await client.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = $1 and datname = current_database() and usename = current_user and pid <> pg_backend_pid()`,
    [SESSION_NAME + unit.id],
  );
}

/**
 * Ends the sessions of workers that hold a unit whose lease has run out. {@link endFormerSession} does not come to it when
 * a frozen worker holds the unit's row itself, or what every other worker waits for. What it had begun could not have been
 * committed any more.
 */
export async function endSilentSessions(client: Queryable): Promise<void> {
  await client.query(
    `select pg_terminate_backend(session.pid) from pg_stat_activity session, import_unit unit
     where session.application_name = '${SESSION_NAME}' || unit.id and session.datname = current_database()
       and session.usename = current_user and session.pid <> pg_backend_pid()
       and unit.state = ${UnitState.running} and unit.lease_until < clock_timestamp()`,
  );
}

/** Prolongs the lease; false when the unit is no longer this worker's. Any connection will do. */
export async function renewUnit(client: Queryable, unit: Pick<ClaimedUnit, "id" | "fence">): Promise<boolean> {
  const renewed = await client.query(
    `update import_unit set lease_until = clock_timestamp() + interval '${LEASE_SECONDS} seconds'
     where id = $1 and fence = $2 and state = ${UnitState.running}`,
    [unit.id, unit.fence],
  );
  return renewed.rowCount === 1;
}

/** Whose unit this is, and where in which file it begins; undefined when it is no longer worked on under this fence. */
export async function placeOfUnit(
  client: Queryable,
  unit: Pick<ClaimedUnit, "id" | "fence">,
): Promise<{ job: string; url: string; startOffset: number } | undefined> {
  const { rows } = await client.query<{ job: string; url: string; startOffset: number }>(
    `select unit.job::text, input.url, unit.start_offset::float8 as "startOffset"
     from import_unit unit join import_input input on input.job = unit.job and input.number = unit.input
     where unit.id = $1 and unit.fence = $2 and unit.state = ${UnitState.running}`,
    [unit.id, unit.fence],
  );
  return rows[0];
}

/**
 * Advances the checkpoint in the batch's own transaction, and ends the unit when `completed`. False when the unit is no
 * longer this worker's (taken over, cancelled, failed): the transaction must be rolled back.
 */
export async function advanceUnit(
  client: ClientBase,
  unit: ClaimedUnit,
  progress: UnitProgress,
  completed: boolean,
): Promise<boolean> {
  const advanced = await client.query({
    name: "advance-unit",
    text: `update import_unit
           set attempts = 0, position = $3, lines = $4, loaded = loaded + $5, rejected = rejected + $6, created = created + $7,
             updated = updated + $8, unchanged = unchanged + $9, deleted = deleted + $10, tally = $12,
             state = case when $11 then ${UnitState.completed} else state end,
             lease_until = case when $11 then null else clock_timestamp() + interval '${LEASE_SECONDS} seconds' end
           where id = $1 and fence = $2 and state = ${UnitState.running}`,
    values: [
      unit.id,
      unit.fence,
      progress.position,
      progress.lines,
      progress.loaded,
      progress.rejected,
      progress.created,
      progress.updated,
      progress.unchanged,
      progress.deleted,
      completed,
      JSON.stringify(progress.tally),
    ],
  });
  return advanced.rowCount === 1;
}

/**
 * Puts the unit back, so that any worker goes on from its checkpoint at once. `counted`: the claim counts as an attempt,
 * because the unit itself may be at fault.
 */
export async function releaseUnit(client: ClientBase, unit: ClaimedUnit, counted: boolean): Promise<void> {
  await client.query(
    `update import_unit
     set state = ${UnitState.created}, lease_until = null, attempts = case when $3 then attempts else greatest(attempts - 1, 0) end
     where id = $1 and fence = $2 and state = ${UnitState.running}`,
    [unit.id, unit.fence, counted],
  );
  await client.query("select set_config('application_name', $1, false)", [WORKER_NAME]);
}

/**
 * Puts back every unit that some worker holds. Only for the start of a server that is alone on its database (the
 * embedded one): whoever held them is gone.
 */
export async function releaseAllUnits(client: Queryable): Promise<void> {
  await client.query(
    `update import_unit set state = ${UnitState.created}, lease_until = null where state = ${UnitState.running}`,
  );
  await client.query("update import_job set lease_until = null where lease_until is not null");
}
