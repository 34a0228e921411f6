import type { Pool } from "pg";
import { StokerError } from "../../base/errors.ts";
import type { ImportMode } from "../request/definition.ts";
import { errorLogName, inputOfErrorLog } from "./error-log.ts";
import { jobNotFound, readJobId } from "../request/job-id.ts";
import { UnitState } from "../job/job-state.ts";

/** An input of a job, found by the name of its error log. */
export interface FoundErrorLog {
  readonly jobId: string;
  readonly number: number;
  readonly type: string | null;
  readonly url: string;
  readonly sourceEtag: string | null;
  readonly errorLog: string | null;
  readonly rejectedLog: string | null;
}

/** One line of the list of imports. */
export interface ImportSummary {
  readonly id: string;
  readonly state: "created" | "running" | "completed" | "failed" | "cancelled";
  readonly mode: ImportMode;
  readonly transactionTime: string;
  readonly endTime: string | null;
  readonly inputs: number;
  readonly loaded: number;
  readonly rejected: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Imports in the list: the newest ones. */
const LISTED = 100;

const LIST = `
select job.id::text as id,
  case job.state when 0 then 'created' when 1 then 'running' when 2 then 'completed' when 3 then 'failed'
    else 'cancelled' end as state,
  job.definition->>'mode' as mode,
  to_char(job.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') as "transactionTime",
  to_char(job.ended_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') as "endTime",
  (select count(*)::float8 from import_input where import_input.job = job.id) as inputs,
  unit.loaded, unit.rejected, unit.bytes, unit."totalBytes"
from (select * from import_job where $1::bigint is null or id < $1 order by id desc limit ${LISTED}) job
cross join lateral (
  select coalesce(sum(loaded), 0)::float8 as loaded, coalesce(sum(rejected), 0)::float8 as rejected,
    coalesce(sum(case
      when state = ${UnitState.completed} then end_offset - start_offset
      when position is null then 0
      else greatest(0, least(position, end_offset) - start_offset)
    end), 0)::float8 as bytes,
    coalesce(sum(end_offset - start_offset), 0)::float8 as "totalBytes"
  from import_unit where import_unit.job = job.id
) unit
order by job.id desc`;

/** At most 100 imports, the newest first; with `before`, the newest of those that were registered before that import. */
export async function listImports(database: Pool, before?: string): Promise<readonly ImportSummary[]> {
  const { rows } = await database.query<ImportSummary>(LIST, [before === undefined ? null : readJobId(before)]);
  return rows;
}

/** The id of an import that exists, as decimal text. Throws `not-found` as the status endpoint does. */
export async function findImport(database: Pool, id: string): Promise<string> {
  const jobId = readJobId(id);
  const { rowCount } = await database.query("select from import_job where id = $1", [jobId]);
  if (rowCount !== 1) throw jobNotFound(jobId);
  return jobId;
}

/** The input whose error log has this name. Throws `not-found` for an unknown import or name. */
export async function findErrorLog(database: Pool, id: string, name: string): Promise<FoundErrorLog> {
  const jobId = await findImport(database, id);
  const number = inputOfErrorLog(name, jobId);
  const { rows } = await database.query<FoundErrorLog>(
    `select job::text as "jobId", number, type, url, source_etag as "sourceEtag", error_log as "errorLog",
       rejected_log as "rejectedLog"
     from import_input where job = $1 and number = $2`,
    [jobId, number ?? 0],
  );
  const input = rows[0];
  if (input === undefined || errorLogName(input.type, jobId, input.number) !== name) {
    throw new StokerError("not-found", `The import "${jobId}" has no error log of this name.`);
  }
  return input;
}
