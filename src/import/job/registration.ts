import type { Pool } from "pg";
import { StokerError } from "../../base/errors.ts";
import { AdvisoryLock } from "../../postgres/advisory-locks.ts";
import { checkJobRoom, checkOpenJobs, UNLIMITED, type JobLimits } from "../../jobs/job-limits.ts";
import { transaction } from "../../postgres/pool.ts";
import { definitionHash, type ImportRequest } from "../request/definition.ts";
import { JobState } from "./job-state.ts";

const FIND = "select id::text as id from import_job where definition_hash = $1";

// Waits for a transaction that inserts the same hash at this moment, then inserts nothing: the job is found by FIND.
const INSERT_JOB = `
insert into import_job (id, definition_hash, definition, request_url)
values (nextval('import_job_id'), $1, $2, $3)
on conflict (definition_hash) do nothing
returning id::text as id`;

const OTHERS = `
select count(*)::int as count from import_job
where state in (${JobState.created}, ${JobState.running}) and id <> $1`;

const INSERT_INPUTS = `
insert into import_input (job, number, type, url, etag)
select $1, number, type, url, etag
from unnest($2::text[], $3::text[], $4::text[]) with ordinality as input (type, url, etag, number)`;

/**
 * Registers an import, or finds the one that the same request registered before, whatever became of it (contract 2).
 * Any number of equal requests at the same time, from any number of processes, give one job. Returns the job's id as
 * decimal text. Throws `too-many-jobs`, and `busy` where there is too little room, for one that is new.
 */
export async function registerImport(
  database: Pool,
  request: ImportRequest,
  limits: JobLimits = UNLIMITED,
): Promise<string> {
  const hash = definitionHash(request);
  const known = await database.query<{ id: string }>(FIND, [hash]);
  if (known.rows[0] !== undefined) return known.rows[0].id;
  await checkJobRoom("import", limits);
  return await transaction({ pool: database }, async (client) => {
    await client.query("select pg_advisory_xact_lock($1, 1)", [AdvisoryLock.jobRequest]);
    const inserted = await client.query<{ id: string }>(INSERT_JOB, [
      hash,
      JSON.stringify(request.definition),
      request.requestUrl,
    ]);
    const job = inserted.rows[0]?.id;
    if (job === undefined) {
      const { rows } = await client.query<{ id: string }>(FIND, [hash]);
      if (rows[0] === undefined) throw new StokerError("internal", "a registered import is not there");
      return rows[0].id;
    }
    const open = await client.query<{ count: number }>(OTHERS, [job]);
    checkOpenJobs("import", open.rows[0]?.count ?? 0, limits);
    await client.query(INSERT_INPUTS, [
      job,
      request.inputs.map((input) => input.type),
      request.inputs.map((input) => input.url),
      request.inputs.map((input) => input.etag),
    ]);
    return job;
  });
}
