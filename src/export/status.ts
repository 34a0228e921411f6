import type { Pool } from "pg";
import { StokerError } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import type { ExportedFile, ExportFailure } from "./definition.ts";
import { ExportState } from "./jobs.ts";

/** What the status endpoint answers: how far it is, or the manifest. */
export type ExportStatus =
  | { readonly completed: false; readonly progress: string; readonly retryAfter: number }
  | { readonly completed: true; readonly expires: Date; readonly manifest: JsonObject };

interface JobRow {
  request_url: string;
  state: number;
  transaction_time: Date | null;
  ended_at: Date | null;
  failure: ExportFailure | null;
  resources: string;
  seconds: number;
  claimed: boolean;
}

/**
 * The status of an export (Bulk Data Access 2.0, "Bulk Data Status Request"). `baseUrl` is the server's, for the links of the
 * manifest; it is kept so many hours. Throws `not-found`, and `job-failed` for an export that failed.
 */
export async function exportStatus(
  database: Pool,
  id: string,
  baseUrl: string,
  keptHours: number,
): Promise<ExportStatus> {
  const { rows } = await database.query<JobRow>(
    `select request_url, state, transaction_time, ended_at, failure, resources::text as resources, fence > 0 as claimed,
       extract(epoch from clock_timestamp() - created_at)::float8 as seconds
     from export_job where id = $1`,
    [readId(id)],
  );
  const job = rows[0];
  if (job === undefined) throw notFound(id);
  if (job.state === ExportState.failed) throw failed(job.failure);
  if (job.state !== ExportState.completed || job.transaction_time === null || job.ended_at === null) {
    const progress = job.claimed ? `${job.resources} resources written` : "waiting";
    return { completed: false, progress, retryAfter: Math.min(30, Math.max(1, Math.round(job.seconds / 5))) };
  }
  const files = await database.query<ExportedFile & { resources: string }>(
    `select kind, name, type, resources::text as resources, url from export_file
     where job = $1 order by type, length(name), name`,
    [readId(id)],
  );
  const listed = (kind: ExportedFile["kind"]): JsonObject[] =>
    files.rows
      .filter((file) => file.kind === kind)
      .map(({ type, name, resources, url }) => ({
        type,
        url: url ?? `${baseUrl}/_operations/export/${readId(id)}/${name}`,
        count: Number(resources),
      }));
  return {
    completed: true,
    expires: new Date(job.ended_at.getTime() + keptHours * 3_600_000),
    manifest: {
      transactionTime: job.transaction_time.toISOString(),
      request: job.request_url,
      requiresAccessToken: false,
      output: listed("output"),
      deleted: listed("deleted"),
      error: [],
    },
  };
}

/** The folder and length of a file that this server hands out. Throws `not-found`. */
export async function findExportFile(
  database: Pool,
  id: string,
  name: string,
): Promise<{ folder: string; place: string; url: string | null; bytes: number }> {
  const { rows } = await database.query<{ folder: string; place: string; url: string | null; bytes: string }>(
    `select folder.name as folder, folder.place, file.url, file.bytes::text as bytes
     from export_file file join export_job job on job.id = file.job
       join export_folder folder on folder.job = job.id and folder.fence = job.fence
     where job.id = $1 and file.name = $2 and job.state = ${ExportState.completed}`,
    [readId(id), name],
  );
  const file = rows[0];
  if (file === undefined) throw notFound(id);
  return { ...file, bytes: Number(file.bytes) };
}

/** The id in a path as decimal text; anything that is not an id is 0, which no job has. */
export function readId(text: string): string {
  return /^\d{1,18}$/.test(text) ? BigInt(text).toString() : "0";
}

/** The 404 of an export that is not there, or no longer. */
export function notFound(id: string): StokerError {
  return new StokerError("not-found", `The requested export "${id.slice(0, 64)}" was not found.`);
}

function failed(failure: ExportFailure | null): StokerError {
  // Decision D-12: what a user can act on is said; every other reason is for the log only.
  const isHidden = failure === null || failure.code === "internal";
  const reason = isHidden ? "InternalServerError" : failure.text;
  return new StokerError("job-failed", `export operation failed for reason: ${reason}`, {
    status: isHidden ? 500 : failure.status,
  });
}
