import { statfs } from "node:fs/promises";
import { StokerError } from "../base/errors.ts";

/** Room that is to be left on a disk. Plain data, so that it can be sent to worker threads. */
export interface DiskRoom {
  /** Any folder on the disk. */
  readonly folder: string;
  readonly bytes: number;
}

/**
 * Throws `database-full` when there is less room. PostgreSQL survives a full disk when a table cannot grow, but not when
 * its log cannot: so loading stops before.
 */
export async function checkRoom(room: DiskRoom): Promise<void> {
  const { bavail, bsize } = await statfs(room.folder);
  const left = bavail * bsize;
  if (left >= room.bytes) return;
  throw new StokerError(
    "database-full",
    `The disk of ${room.folder} has ${megabytes(left)} left, and ${megabytes(room.bytes)} are needed to continue safely.`,
  );
}

function megabytes(bytes: number): string {
  return `${String(Math.ceil(bytes / 1e6))} MB`;
}
