import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { StokerError } from "../base/errors.ts";
import type { DiskRoom } from "../postgres/disk-room.ts";

/** Limits of the jobs of one kind, as the settings say them. Plain data. */
export interface JobLimits {
  /** As many may wait or run at once. */
  readonly open: number;
  /** Room that must be left on the disk that they write to; undefined: it is another machine's. */
  readonly room?: DiskRoom | undefined;
  /** Hours after which a job that is still open is ended. */
  readonly hours: number;
}

/** A kind of jobs. */
export type JobKind = "import" | "export" | "reindex";

/** Limits that no job meets, for processes that have no settings of their own. */
export const UNLIMITED: JobLimits = { open: Number.MAX_SAFE_INTEGER, hours: 24 * 365 * 100 };

/** Seconds after which a client may ask again. */
const RETRY_SECONDS = 30;

/** Throws `too-many-jobs` (429) when `open` jobs are as many as there may be. */
export function checkOpenJobs(kind: "import" | "export", open: number, limits: JobLimits): void {
  if (open < limits.open) return;
  const setting = kind === "import" ? "STOKER_IMPORT_MAX_OPEN" : "STOKER_EXPORT_MAX_OPEN";
  throw new StokerError(
    "too-many-jobs",
    `There are ${String(open)} ${kind}s waiting or running, and at most ${String(limits.open)} may (${setting}): try again when one has ended.`,
    { retryAfter: RETRY_SECONDS },
  );
}

/** Throws `busy` (503) when the disk has less room than a job of the kind may start with. */
export async function checkJobRoom(kind: JobKind, { room }: JobLimits): Promise<void> {
  const lack = await lackOfRoom(room);
  if (lack !== undefined) throw new StokerError("busy", `No ${kind} starts: ${lack}`, { retryAfter: RETRY_SECONDS });
}

/** Says that there is too little room, in a sentence that names the setting; undefined when there is enough. */
export async function lackOfRoom(room: DiskRoom | undefined): Promise<string | undefined> {
  if (room === undefined) return undefined;
  const left = await freeBytes(room.folder);
  if (left >= room.bytes) return undefined;
  return `the disk has ${megabytes(left)} MB left, and ${megabytes(room.bytes)} MB must be free (STOKER_JOB_MIN_FREE_BYTES).`;
}

/** Free bytes of the disk of a folder, which need not be there yet. */
async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    const parent = dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === folder) throw error;
    return await freeBytes(parent);
  }
}

/** What is said of a job that was open for too long. */
export function tooOld(kind: JobKind, { hours }: JobLimits): string {
  return `the ${kind} was not finished after ${String(hours)} hours (STOKER_JOB_MAX_HOURS).`;
}

function megabytes(bytes: number): string {
  return String(Math.floor(bytes / 1e6));
}
