import type { ClientBase, Connection } from "pg";
import { COPY_HEADER, COPY_TRAILER, type CopyBuffer } from "./copy-buffer.ts";

/** Rows for a table (a trusted name), as for `copyRows`. */
export interface CopyStep {
  table: string;
  columns: readonly string[];
  buffer: CopyBuffer;
  /** Only these bytes of the buffer, [start, end) pairs; all of it by default. */
  ranges?: readonly number[];
}

/**
 * Runs `before`, copies all rows, and runs `after`, in one message to the server with the rows right behind it: one round
 * trip instead of two per table, which for a few rows is most of the time. `before` and `after` are statements without
 * parameters, such as `begin` and `commit`. The rows are handed to the socket all at once, so they must be few megabytes;
 * `copyRows` is for more. Rejects with PostgreSQL's error, and the transaction is to be rolled back.
 *
 * The server reads rows of a COPY when it comes to it, and passes over those it has no use for after an error: the
 * protocol allows for that (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY).
 */
export async function copyTogether(
  client: ClientBase,
  before: readonly string[],
  steps: readonly CopyStep[],
  after: readonly string[],
): Promise<void> {
  const full = steps.filter(({ buffer, ranges }) => buffer.length > 0 && (ranges === undefined || ranges.length > 0));
  const copies = full.map(({ table, columns }) => `copy ${table} (${columns.join(", ")}) from stdin (format binary)`);
  const text = [...before, ...copies, ...after].join("; ");
  await new Promise<void>((resolve, reject) => {
    let failed = false;
    const submittable = {
      submit(connection: Connection) {
        connection.stream.cork();
        connection.query(text);
        for (const step of full) sendRows(connection as RowsConnection, step);
        connection.stream.uncork();
      },
      handleCopyInResponse() {
        // the rows are on their way
      },
      handleCommandComplete() {
        // one per statement
      },
      handleError(error: Error) {
        failed = true;
        reject(error);
      },
      handleReadyForQuery() {
        if (!failed) resolve();
      },
    };
    client.query(submittable);
  });
}

function sendRows(connection: RowsConnection, { buffer, ranges = [0, buffer.length] }: CopyStep): void {
  const rows = buffer.written();
  connection.sendCopyFromChunk(COPY_HEADER);
  for (let range = 0; range < ranges.length; range += 2) {
    connection.sendCopyFromChunk(rows.subarray(ranges[range], ranges[range + 1]));
  }
  connection.sendCopyFromChunk(COPY_TRAILER);
  connection.endCopyFrom();
}

/** What pg's connection has and its types leave out. It copies the chunk, so that the buffer can be used again at once. */
type RowsConnection = Connection & { sendCopyFromChunk: (chunk: Buffer) => void; endCopyFrom: () => void };
