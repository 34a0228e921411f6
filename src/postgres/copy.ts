import { once } from "node:events";
import type { ClientBase } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { COPY_HEADER, COPY_TRAILER, type CopyBuffer } from "./copy-buffer.ts";

/** Bytes handed to the stream at once: measured as fast as larger pieces, and back-pressure works. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Copies the rows of `buffer` into `table` (a trusted name) with the given columns, in the client's open transaction.
 * Rejects with PostgreSQL's error; the buffer is unchanged either way. Nothing is sent where there are no rows.
 * `ranges`: only these bytes of the buffer, [start, end) pairs; all of it by default.
 */
export async function copyRows(
  client: ClientBase,
  table: string,
  columns: readonly string[],
  buffer: CopyBuffer,
  ranges: readonly number[] = [0, buffer.length],
): Promise<void> {
  if (buffer.length === 0 || ranges.length === 0) return;
  const stream = client.query(copyFrom(`copy ${table} (${columns.join(", ")}) from stdin (format binary)`));
  const finished = once(stream, "finish");
  const failed = new Promise<never>((_resolve, reject) => stream.once("error", reject));
  // `failed` is only awaited through the races below.
  failed.catch(() => {});
  try {
    stream.write(COPY_HEADER);
    const rows = buffer.written();
    for (let range = 0; range < ranges.length; range += 2) {
      const end = ranges[range + 1] ?? 0;
      for (let start = ranges[range] ?? 0; start < end; start += CHUNK_BYTES) {
        if (!stream.write(rows.subarray(start, Math.min(start + CHUNK_BYTES, end)))) {
          await Promise.race([once(stream, "drain"), failed]);
        }
      }
    }
    stream.end(COPY_TRAILER);
    await Promise.race([finished, failed]);
  } finally {
    finished.catch(() => {});
  }
}
