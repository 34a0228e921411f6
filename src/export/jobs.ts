import { LEASE_SECONDS } from "../jobs/lease.ts";
import type { Pool, PoolClient } from "pg";
import { AdvisoryLock } from "../postgres/advisory-locks.ts";
import { checkOpenJobs, tooOld, type JobLimits } from "../jobs/job-limits.ts";
import { transaction } from "../postgres/pool.ts";
import type { ExportDefinition, ExportedFile, ExportFailure } from "./definition.ts";

/**
 * The life of an export job: open → completed or failed; deleted at any time, by the client or when its time is over. Any
 * server takes an open job whose lease has run out and runs it from its beginning, into a folder of its own; every
 * claim raises the fence, and a step of a runner whose fence is no longer the job's is refused.
 *
 * A folder outlives its job in export_folder until somebody who can reach it has removed it.
 */
export const ExportState = { open: 0, completed: 2, failed: 3 } as const;

/** A job whose lease this process holds. */
export interface ClaimedExport {
  /** Decimal text of the 64-bit id. */
  readonly id: string;
  /** Decimal text; also counts the attempts. */
  readonly fence: string;
  readonly definition: ExportDefinition;
}

/** A folder that is to be removed. */
export interface LeftFolder {
  readonly job: string;
  readonly fence: string;
  readonly name: string;
}

/** Inserts a job and gives its id. Throws `too-many-jobs` when as many wait or run as there may be. */
export async function insertExport(
  database: Pool,
  definition: ExportDefinition,
  requestUrl: string,
  limits: JobLimits,
): Promise<string> {
  return await transaction({ pool: database }, async (client) => {
    await client.query("select pg_advisory_xact_lock($1, 2)", [AdvisoryLock.jobRequest]);
    const open = await client.query<{ count: number }>(
      `select count(*)::int as count from export_job where state = ${ExportState.open}`,
    );
    checkOpenJobs("export", open.rows[0]?.count ?? 0, limits);
    const { rows } = await client.query<{ id: string }>(
      "insert into export_job (definition, request_url) values ($1, $2) returning id::text as id",
      [JSON.stringify(definition), requestUrl],
    );
    return rows[0]?.id ?? "0";
  });
}

/** Ends the jobs that have been open for too long as failed; their runners find out. Gives their ids. */
export async function endOldExports(database: Pool, limits: JobLimits): Promise<string[]> {
  const failure: ExportFailure = { status: 500, code: "job-failed", text: tooOld("export", limits) };
  const { rows } = await database.query<{ id: string }>(
    `update export_job set state = ${ExportState.failed}, failure = $2, ended_at = clock_timestamp(), lease_until = null
     where state = ${ExportState.open} and created_at < clock_timestamp() - make_interval(secs => $1)
     returning id::text as id`,
    [limits.hours * 3600, JSON.stringify(failure)],
  );
  return rows.map(({ id }) => id);
}

/** Claims the oldest job that nobody works on; undefined when there is none. */
export async function claimExport(database: Pool): Promise<ClaimedExport | undefined> {
  const { rows } = await database.query<ClaimedExport>(
    `update export_job set fence = fence + 1, resources = 0, lease_until = clock_timestamp() + make_interval(secs => $1)
     where id = (
       select id from export_job
       where state = ${ExportState.open} and (lease_until is null or lease_until < clock_timestamp())
       order by id limit 1 for update skip locked
     )
     returning id::text as id, fence::text as fence, definition`,
    [LEASE_SECONDS],
  );
  return rows[0];
}

/**
 * Prolongs the lease and says how far the job is. False when the job is no longer this holder's, or was deleted. So it is,
 * too, when the lease has run out, even if nobody has claimed the job: its folder may have been removed meanwhile.
 */
export async function renewExport(database: Pool, job: ClaimedExport, resources: number): Promise<boolean> {
  const { rowCount } = await database.query(
    `with job as (
       update export_job set lease_until = clock_timestamp() + make_interval(secs => $3), resources = $4
       where id = $1 and fence = $2 and state = ${ExportState.open} and lease_until > clock_timestamp()
       returning id, fence, lease_until),
     folder as (
       update export_folder set lease_until = job.lease_until from job
       where export_folder.job = job.id and export_folder.fence = job.fence)
     select from job`,
    [job.id, job.fence, LEASE_SECONDS, resources],
  );
  return rowCount === 1;
}

/** Gives back what former runs of this server had in hand: for a database that nobody else works on. */
export async function releaseAllExports(database: Pool): Promise<void> {
  await database.query(`update export_job set lease_until = null where state = ${ExportState.open}`);
  await database.query("update export_folder set lease_until = null");
}

/** Makes known that a folder is about to be written. */
export async function recordFolder(database: Pool, job: ClaimedExport, place: string, name: string): Promise<void> {
  await database.query(
    `insert into export_folder (job, fence, place, name, lease_until)
     values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))`,
    [job.id, job.fence, place, name, LEASE_SECONDS],
  );
}

/** Gives a job back, so that another process may claim it at once; its folder may be removed. */
export async function releaseExport(database: Pool, job: ClaimedExport): Promise<void> {
  await database.query("update export_job set lease_until = null where id = $1 and fence = $2", [job.id, job.fence]);
  await releaseFolder(database, job);
}

/** Gives a job back that broke off, to be claimed again after a pause; its folder may be removed. */
export async function postponeExport(database: Pool, job: ClaimedExport, seconds: number): Promise<void> {
  await database.query(
    `update export_job set lease_until = clock_timestamp() + make_interval(secs => $3) where id = $1 and fence = $2`,
    [job.id, job.fence, seconds],
  );
  await releaseFolder(database, job);
}

/** Nothing is written to the job's folder any more. */
export async function releaseFolder(database: Pool, job: ClaimedExport): Promise<void> {
  await database.query("update export_folder set lease_until = null where job = $1 and fence = $2", [
    job.id,
    job.fence,
  ]);
}

/** Ends a job as completed, with its files. False when the job is no longer this holder's, as {@link renewExport} says it. */
export async function completeExport(
  database: Pool,
  job: ClaimedExport,
  transactionTime: Date,
  files: readonly ExportedFile[],
): Promise<boolean> {
  return await transaction({ pool: database }, async (client) => {
    const total = files.reduce((sum, { kind, resources }) => sum + (kind === "output" ? resources : 0), 0);
    const { rowCount } = await client.query(
      `update export_job set state = ${ExportState.completed}, transaction_time = $3, resources = $4,
         ended_at = clock_timestamp(), lease_until = null
       where id = $1 and fence = $2 and state = ${ExportState.open} and lease_until > clock_timestamp()`,
      [job.id, job.fence, transactionTime, total],
    );
    if (rowCount === 0) return false;
    await insertFiles(client, job.id, files);
    await client.query("update export_folder set lease_until = null where job = $1 and fence = $2", [
      job.id,
      job.fence,
    ]);
    return true;
  });
}

/** Ends a job as failed. */
export async function failExport(database: Pool, job: ClaimedExport, failure: ExportFailure): Promise<void> {
  await database.query(
    `update export_job set state = ${ExportState.failed}, failure = $3, ended_at = clock_timestamp(), lease_until = null
     where id = $1 and fence = $2 and state = ${ExportState.open}`,
    [job.id, job.fence, JSON.stringify(failure)],
  );
  await releaseFolder(database, job);
}

/** Forgets a job, at whatever state; its runner and its folders come to an end after it. False when there is none. */
export async function deleteExport(database: Pool, id: string): Promise<boolean> {
  const { rowCount } = await database.query("delete from export_job where id = $1", [id]);
  return rowCount === 1;
}

/** Forgets the jobs that ended so many hours ago. */
export async function deleteExpired(database: Pool, hours: number): Promise<void> {
  await database.query("delete from export_job where ended_at < clock_timestamp() - make_interval(secs => $1)", [
    hours * 3600,
  ]);
}

/** Folders at `place` that no job has any use for, and nobody writes to. */
export async function leftFolders(database: Pool, place: string): Promise<LeftFolder[]> {
  const { rows } = await database.query<LeftFolder>(
    `select folder.job::text as job, folder.fence::text as fence, folder.name
     from export_folder folder left join export_job job on job.id = folder.job and job.fence = folder.fence
     where folder.place = $1 and (job.id is null or job.state <> ${ExportState.completed})
       and (folder.lease_until is null or folder.lease_until < clock_timestamp())`,
    [place],
  );
  return rows;
}

/** The folder is gone. */
export async function forgetFolder(database: Pool, folder: LeftFolder): Promise<void> {
  await database.query("delete from export_folder where job = $1 and fence = $2", [folder.job, folder.fence]);
}

async function insertFiles(client: PoolClient, id: string, files: readonly ExportedFile[]): Promise<void> {
  await client.query(
    `insert into export_file (job, kind, name, type, resources, bytes, url)
     select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])`,
    [
      id,
      files.map(({ kind }) => kind),
      files.map(({ name }) => name),
      files.map(({ type }) => type),
      files.map(({ resources }) => resources),
      files.map(({ bytes }) => bytes),
      files.map(({ url }) => url),
    ],
  );
}
