import type { Pool, PoolClient } from "pg";
import { StokerError } from "../../base/errors.ts";
import { checkContainerName } from "../../source/container-name.ts";
import { normaliseEtag, sourceChanged, type Source, type SourceStat } from "../../source/source.ts";
import type { Sources } from "../../source/sources.ts";
import { splitIntoUnits } from "../../split/plan.ts";
import { transaction } from "../../postgres/pool.ts";
import { DEFAULT_ERROR_CONTAINER } from "../request/definition.ts";
import { InputError, startJob, type ClaimedJob } from "../job/jobs.ts";

/** Inputs whose properties are asked for at once (contract 4.1). */
const STATS_AT_ONCE = 16;

/** Inputs whose properties are stored with one statement; bounds the memory of a plan, whatever the number of inputs. */
const INPUTS_PER_PAGE = 512;

/** Units inserted with one statement. */
const UNITS_PER_INSERT = 5000;

/** Units of one job at most: 10 TB at the default unit size. A tiny unit size must not fill the database. */
const MAX_UNITS = 1_000_000;

/** An input whose properties are not known yet. */
interface UnknownInput {
  readonly number: number;
  readonly url: string;
  readonly etag: string | null;
}

const UNKNOWN_INPUTS = `
select number, url, etag from import_input
where job = $1 and number > $2 and length is null
order by number limit ${INPUTS_PER_PAGE}`;

const STORE_STATS = `
update import_input input set length = stat.length, source_etag = stat.etag
from unnest($2::integer[], $3::bigint[], $4::text[]) as stat (number, length, etag)
where input.job = $1 and input.number = stat.number`;

const INSERT_UNITS = `
insert into import_unit (job, input, start_offset, end_offset)
select $1, input, start_offset, end_offset
from unnest($2::integer[], $3::bigint[], $4::bigint[]) with ordinality as unit (input, start_offset, end_offset, place)
order by place`;

/**
 * The plan of a job (contract 4.1, 4.2): asks for the properties of all its inputs, compares their etags, cuts them into
 * units and lets the job run. What was asked for is kept, so that a plan that was interrupted goes on where it stopped.
 * Throws a StokerError for what ends the job as failed (contract 7.1), anything else for what may be tried again.
 */
export async function planJob(database: Pool, sources: Sources, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  const logPlaces = new Set<Source>();
  for (let after = 0; ;) {
    const { rows } = await database.query<UnknownInput>(UNKNOWN_INPUTS, [job.id, after]);
    const last = rows.at(-1);
    if (last === undefined) break;
    const stats = await statInputs(sources, rows, signal);
    await database.query(STORE_STATS, [
      job.id,
      rows.map((input) => input.number),
      stats.map((stat) => stat.length),
      stats.map((stat) => stat.etag),
    ]);
    for (const input of rows) logPlaces.add(sources.sourceFor(input.url));
    after = last.number;
  }
  await checkErrorContainer(database, job);
  const container = job.definition.errorContainerName ?? DEFAULT_ERROR_CONTAINER;
  for (const place of logPlaces) await place.makeErrorContainer?.(container);
  signal.throwIfAborted();
  await transaction({ pool: database }, async (client) => {
    // First the job's row: who cancels it takes the same lock first, and nobody else may plan it now.
    if (!(await startJob(client, job))) return;
    await insertUnits(client, job);
  });
}

/**
 * Contract 7.2: a bad container name is no error of registration, but of the first unit, so it comes after what is wrong
 * with the files, and names one of them.
 */
async function checkErrorContainer(database: Pool, job: ClaimedJob): Promise<void> {
  const name = job.definition.errorContainerName;
  const problem = name === null ? undefined : checkContainerName(name);
  if (problem === undefined) return;
  const { rows } = await database.query<{ url: string }>(
    "select url from import_input where job = $1 order by number limit 1",
    [job.id],
  );
  throw new InputError(rows[0]?.url ?? "", problem);
}

/** Stats of `inputs` in their order. Of several that fail, the first in the order of the request is thrown. */
async function statInputs(
  sources: Sources,
  inputs: readonly UnknownInput[],
  signal: AbortSignal,
): Promise<readonly SourceStat[]> {
  const stats: SourceStat[] = [];
  for (let start = 0; start < inputs.length; start += STATS_AT_ONCE) {
    signal.throwIfAborted();
    const answers = await Promise.allSettled(
      inputs.slice(start, start + STATS_AT_ONCE).map((input) => statInput(sources, input, signal)),
    );
    for (const answer of answers) {
      if (answer.status === "rejected") throw answer.reason;
      stats.push(answer.value);
    }
  }
  return stats;
}

async function statInput(sources: Sources, input: UnknownInput, signal: AbortSignal): Promise<SourceStat> {
  const stat = await sources.sourceFor(input.url).stat(input.url, signal);
  if (input.etag !== null && normaliseEtag(input.etag) !== stat.etag) throw sourceChanged(input.url);
  return stat;
}

/** Units in the order of work: the largest inputs first, so that no large one is left when all others are done. */
async function insertUnits(client: PoolClient, job: ClaimedJob): Promise<void> {
  const size = job.definition.processingUnitBytesToRead;
  const { rows } = await client.query<{ number: number; length: number }>(
    "select number, length::float8 as length from import_input where job = $1 order by length desc, number",
    [job.id],
  );
  const units = rows.reduce((sum, input) => sum + Math.max(1, Math.ceil(input.length / size)), 0);
  if (units > MAX_UNITS) {
    throw new StokerError(
      "bad-request",
      `A processingUnitBytesToRead of ${String(size)} makes ${String(units)} units of these inputs; at most ${String(MAX_UNITS)} are possible.`,
    );
  }
  let inputs: number[] = [];
  let starts: number[] = [];
  let ends: number[] = [];
  for (const input of rows) {
    for (const unit of splitIntoUnits(input.length, size)) {
      inputs.push(input.number);
      starts.push(unit.start);
      ends.push(unit.end);
      if (inputs.length < UNITS_PER_INSERT) continue;
      await client.query(INSERT_UNITS, [job.id, inputs, starts, ends]);
      [inputs, starts, ends] = [[], [], []];
    }
  }
  if (inputs.length > 0) await client.query(INSERT_UNITS, [job.id, inputs, starts, ends]);
}
