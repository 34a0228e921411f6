import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import { StokerError } from "../../base/errors.ts";
import type { Sources } from "../../source/sources.ts";
import { groupCauses } from "./causes.ts";
import { DEFAULT_ERROR_CONTAINER } from "../request/definition.ts";
import { forgetLines } from "./forget-lines.ts";
import { errorLog, errorLogName, inputsWithRejectedLines } from "./error-log.ts";
import { completeJob, type ClaimedJob } from "../job/jobs.ts";
import { UnitState } from "../job/job-state.ts";
import { rejectedBytes } from "./rejected-bytes.ts";

/** What finishing a job needs. */
export interface FinishServices {
  readonly database: Pool;
  readonly sources: Sources;
  /** Makes everything that was loaded searchable at full speed; safe to run again. Ends early when the signal fires. */
  readonly publish: (stop: AbortSignal) => Promise<void>;
}

/** Pauses before a log is written again that a storage account without an answer did not take, in milliseconds. */
const UNREACHABLE_PAUSES_MS = [1000, 2000, 4000, 8000, 8000];

const READ_INPUT = `
select type, url, source_etag as "sourceEtag", error_log as "errorLog"
from import_input where job = $1 and number = $2`;

interface InputRow {
  readonly type: string | null;
  readonly url: string;
  readonly sourceEtag: string | null;
  readonly errorLog: string | null;
}

/**
 * Ends a job whose units are all done: publishes what was loaded, writes the error logs (contract 6, decision D-06), and
 * completes it. Every step may be repeated: a finisher that died is followed by another.
 */
export async function finishJob(services: FinishServices, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  const { database } = services;
  await checkUnits(database, job);
  await services.publish(signal);
  signal.throwIfAborted();
  await storeCauses(database, job, signal);
  for (const input of await inputsWithRejectedLines(database, job.id)) {
    signal.throwIfAborted();
    await writeInputLogs(services, job, input, signal);
  }
  await forgetLines(database, job.id);
  await completeJob(database, job);
}

/** Once: error logs in a storage account take the rows with them that the causes are found in. */
async function storeCauses(database: Pool, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  const { rows } = await database.query<{ known: boolean }>(
    "select causes is not null as known from import_job where id = $1",
    [job.id],
  );
  if (rows[0]?.known !== false) return;
  const causes = await groupCauses(database, job.id, signal);
  await database.query("update import_job set causes = $2 where id = $1 and fence = $3", [
    job.id,
    JSON.stringify(causes),
    job.fence,
  ]);
}

/** A unit that ended otherwise than completed ends its job with it; if that was lost, it is made up for here. */
async function checkUnits(database: Pool, job: ClaimedJob): Promise<void> {
  const { rows } = await database.query<{ id: string }>(
    `select id::text as id from import_unit where job = $1 and state <> ${UnitState.completed} limit 1`,
    [job.id],
  );
  if (rows[0] !== undefined) throw new StokerError("internal", `unit ${rows[0].id} of the import did not complete`);
}

async function writeInputLogs(
  services: FinishServices,
  job: ClaimedJob,
  number: number,
  signal: AbortSignal,
): Promise<void> {
  const { database, sources } = services;
  const { rows } = await database.query<InputRow>(READ_INPUT, [job.id, number]);
  const input = rows[0];
  if (input === undefined || input.errorLog !== null) return;

  const name = errorLogName(input.type, job.id, number);
  const source = sources.sourceFor(input.url);
  if (source.writeErrorLog === undefined) {
    // Served by this server from the rows, which stay.
    await storeNames(database, job.id, number, name, name);
    return;
  }
  const container = job.definition.errorContainerName ?? DEFAULT_ERROR_CONTAINER;
  const write = source.writeErrorLog.bind(source);
  const log = await whileUnreachable(signal, () =>
    write(container, name, guarded(errorLog(database, job.id, number), signal)),
  );
  const rejectedName = name.replace(/\.ndjson$/, "-rejected.ndjson");
  const rejected = await whileUnreachable(signal, () =>
    write(container, rejectedName, guarded(rejectedBytes(database, sources, job.id, number, input, signal), signal)),
  ).catch((error: unknown) => {
    // The lines themselves are an addition to the log: an input that changed or went away since costs this file only.
    if (error instanceof StokerError && error.code.startsWith("source-")) return null;
    throw error;
  });
  await storeNames(database, job.id, number, log, rejected);
  await database.query(
    "delete from import_rejected_line where unit in (select id from import_unit where job = $1 and input = $2)",
    [job.id, number],
  );
}

/** Everything is loaded: a storage account that is away for some seconds must not fail the import now. */
async function whileUnreachable<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  for (const pause of UNREACHABLE_PAUSES_MS) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StokerError) || error.code !== "source-unreachable") throw error;
    }
    await sleep(pause, undefined, { signal });
  }
  return await work();
}

async function storeNames(
  database: Pool,
  jobId: string,
  number: number,
  errorLogUrl: string,
  rejectedLog: string | null,
): Promise<void> {
  await database.query("update import_input set error_log = $3, rejected_log = $4 where job = $1 and number = $2", [
    jobId,
    number,
    errorLogUrl,
    rejectedLog,
  ]);
}

/** Ends a stream of chunks when the signal fires. */
async function* guarded(chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    yield chunk;
  }
}
