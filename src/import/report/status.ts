import type { Pool } from "pg";
import { StokerError } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { errorLogName } from "./error-log.ts";
import { jobNotFound, readJobId } from "../request/job-id.ts";
import type { JobCauses } from "./causes.ts";
import { JobState, UnitState, type JobFailure } from "../job/job-state.ts";

/** The answer of the status endpoint as long as the job has not failed (contract 3.1). */
export interface ImportStatus {
  /** The job has completed: 200. Otherwise it is under way: 202. */
  readonly completed: boolean;
  /** The result so far (contract 3.2); undefined while the job is not planned yet. */
  readonly body: JsonObject | undefined;
  /** How far it is, for `X-Progress` (decision D-21). */
  readonly progress: string;
  /** Seconds after which it makes sense to ask again. */
  readonly retryAfter: number;
}

/** Which answer is wanted. */
export interface StatusOptions {
  /** One `output[]` entry per unit instead of one per input. */
  readonly details: boolean;
  /** Public FHIR base without a trailing slash, for links to this server's own error logs. */
  readonly baseUrl: string;
}

interface JobRow {
  readonly state: number;
  readonly requestUrl: string;
  readonly failure: JobFailure | null;
  readonly causes: JobCauses | null;
  readonly transactionTime: string;
  readonly seconds: number;
}

/** Sums over a job's units. */
interface Totals {
  readonly totalBytes: number;
  readonly bytes: number;
  readonly loaded: number;
  readonly rejected: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
}

/** What became of the lines of a type; null for rejected lines whose type is not known. */
type TypeRow = { type: string | null } & Record<"created" | "updated" | "unchanged" | "deleted" | "rejected", number>;

/** References of loaded lines that lead nowhere: `conditional` or `urn`, by target type where the reference names one. */
type LeftReferences = { form: string; targetType: string | null; count: number };

interface InputRow {
  readonly number: number;
  readonly type: string | null;
  readonly url: string;
  readonly errorLog: string | null;
  readonly rejectedLog: string | null;
  readonly loaded: number;
  readonly rejected: number;
}

const JOB = `
select state, request_url as "requestUrl", failure, causes,
  to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') as "transactionTime",
  extract(epoch from coalesce(ended_at, clock_timestamp()) - created_at)::float8 as seconds
from import_job where id = $1`;

const TOTALS = `
select
  coalesce(sum(end_offset - start_offset), 0)::float8 as "totalBytes",
  coalesce(sum(case
    when state = ${UnitState.completed} then end_offset - start_offset
    when position is null then 0
    else greatest(0, least(position, end_offset) - start_offset)
  end), 0)::float8 as bytes,
  coalesce(sum(loaded), 0)::float8 as loaded,
  coalesce(sum(rejected), 0)::float8 as rejected,
  coalesce(sum(created), 0)::float8 as created,
  coalesce(sum(updated), 0)::float8 as updated,
  coalesce(sum(unchanged), 0)::float8 as unchanged,
  coalesce(sum(deleted), 0)::float8 as deleted
from import_unit where job = $1`;

/** Inputs with a finished unit, summed over their finished units: one pass, however many inputs and units there are. */
const INPUTS = `
select input.number, input.type, input.url, input.error_log as "errorLog", input.rejected_log as "rejectedLog",
  unit.loaded, unit.rejected
from import_input input
join (
  select input, sum(loaded)::float8 as loaded, sum(rejected)::float8 as rejected
  from import_unit where job = $1 and state = ${UnitState.completed}
  group by input
) unit on unit.input = input.number
where input.job = $1
order by input.number`;

const TYPES = `
select nullif(entry.key, '') as type,
  sum((entry.value ->> 0)::bigint)::float8 as created, sum((entry.value ->> 1)::bigint)::float8 as updated,
  sum((entry.value ->> 2)::bigint)::float8 as unchanged, sum((entry.value ->> 3)::bigint)::float8 as deleted,
  sum((entry.value ->> 4)::bigint)::float8 as rejected
from import_unit unit, jsonb_each(unit.tally -> 'types') entry
where unit.job = $1
group by entry.key order by entry.key = '', entry.key collate "C"`;

const REFERENCES = `
select split_part(entry.key, ' ', 1) as form, nullif(split_part(entry.key, ' ', 2), '') as "targetType",
  sum(entry.value::bigint)::float8 as count
from import_unit unit, jsonb_each_text(unit.tally -> 'references') entry
where unit.job = $1
group by entry.key order by count desc, entry.key collate "C"`;

const UNITS = `
select input.type, input.url, unit.loaded::float8 as loaded
from import_unit unit join import_input input on input.job = unit.job and input.number = unit.input
where unit.job = $1 and unit.state = ${UnitState.completed}
order by unit.input, unit.start_offset`;

/**
 * What the status endpoint says of an import (contract 3.1, 3.2; decisions D-06, D-07, D-19, D-21). Throws `not-found`
 * for an unknown id, `job-cancelled` for a cancelled job and `job-failed`, with the status and text of contract 7.1, for a
 * failed one; a hidden reason is the error's cause.
 */
export async function importStatus(database: Pool, id: string, options: StatusOptions): Promise<ImportStatus> {
  const jobId = readJobId(id);
  const { rows } = await database.query<JobRow>(JOB, [jobId]);
  const job = rows[0];
  if (job === undefined) throw jobNotFound(jobId);
  switch (job.state) {
    case JobState.created:
      return { completed: false, body: undefined, progress: "0% (planning)", retryAfter: 1 };
    case JobState.running:
    case JobState.completed:
      return await progressOf(database, jobId, job, options);
    case JobState.failed:
      throw failed(job.failure);
    case JobState.cancelled:
    case JobState.cancelledByUser:
      throw new StokerError("job-cancelled", "User requested cancellation of operation.");
    default:
      throw new StokerError("job-failed", "Unknown Error.", { status: 500 });
  }
}

async function progressOf(database: Pool, jobId: string, job: JobRow, options: StatusOptions): Promise<ImportStatus> {
  const completed = job.state === JobState.completed;
  const { rows } = await database.query<Totals>(TOTALS, [jobId]);
  const totals = rows[0];
  if (totals === undefined) throw new StokerError("internal", "sums over no rows must be one row");
  const inputs = await database.query<InputRow>(INPUTS, [jobId]);
  const done = options.details
    ? (await database.query<Pick<InputRow, "type" | "url" | "loaded">>(UNITS, [jobId])).rows
    : inputs.rows;

  const types = await database.query<TypeRow>(TYPES, [jobId]);
  const left = await database.query<LeftReferences>(REFERENCES, [jobId]);

  const links = `${options.baseUrl}/_operations/import/${jobId}`;
  const resourcesPerSecond = Math.round(totals.loaded / Math.max(job.seconds, 0.001));
  const share = totals.totalBytes === 0 ? (completed ? 1 : 0) : totals.bytes / totals.totalBytes;
  return {
    completed,
    body: {
      transactionTime: job.transactionTime,
      request: job.requestUrl,
      output: done.map((row) => ({ type: row.type, count: row.loaded, inputUrl: row.url })),
      error: inputs.rows.filter((row) => row.rejected > 0).map((row) => errorEntry(row, jobId, links)),
      stoker: {
        id: jobId,
        bytes: totals.bytes,
        totalBytes: totals.totalBytes,
        seconds: Math.round(job.seconds * 1000) / 1000,
        resourcesPerSecond,
        loaded: totals.loaded,
        rejected: totals.rejected,
        created: totals.created,
        updated: totals.updated,
        unchanged: totals.unchanged,
        deleted: totals.deleted,
        types: types.rows,
        references: { unresolved: left.rows.reduce((sum, { count }) => sum + count, 0), left: left.rows },
        causes: [...(job.causes?.causes ?? [])],
        otherRejected: job.causes?.otherRejected ?? 0,
      },
    },
    progress: `${(share * 100).toFixed(1)}% of ${String(totals.totalBytes)} bytes, ${String(resourcesPerSecond)} resources/s`,
    retryAfter: retryAfter(job.seconds, share),
  };
}

/** One entry per input with rejected lines; while its log is not written, the links lead to this server's own view. */
function errorEntry(input: InputRow, jobId: string, links: string): JsonObject {
  const name = errorLogName(input.type, jobId, input.number);
  const rejectedUrl =
    input.errorLog === null
      ? `${links}/rejected/${name}`
      : input.rejectedLog && absolute(input.rejectedLog, `${links}/rejected`);
  return {
    type: "OperationOutcome",
    count: input.rejected,
    inputUrl: input.url,
    url: input.errorLog === null ? `${links}/errors/${name}` : absolute(input.errorLog, `${links}/errors`),
    ...(rejectedUrl ? { rejectedUrl } : {}),
  };
}

function absolute(log: string, folder: string): string {
  return log.includes("://") ? log : `${folder}/${log}`;
}

/** A fifth of the time that is probably left, between 1 and 30 seconds. */
function retryAfter(seconds: number, share: number): number {
  if (share <= 0 || share >= 1) return 1;
  return Math.min(30, Math.max(1, Math.round((seconds * (1 - share)) / share / 5)));
}

function failed(failure: JobFailure | null): StokerError {
  const status = failure?.status ?? 500;
  // Decision D-12: what a full database says helps the user; every other internal reason is for the log only.
  const hidden = status === 500 && failure?.code !== "database-full" && failure?.code !== "job-failed";
  const reason = hidden ? "InternalServerError" : failure?.text;
  const file = failure?.input === undefined ? "" : ` ErrorFile: ${failure.input}`;
  return new StokerError("job-failed", `import operation failed for reason: ${reason ?? ""}${file}`, {
    status,
    ...(hidden ? { cause: failure } : {}),
  });
}
