import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Client } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { clientConfig } from "../postgres/connection.ts";
import type { BenchServer } from "./databases.ts";
import type { BenchInput } from "./input.ts";

/** The raw COPY that imports are compared with. */
export interface Ceiling {
  readonly column: "jsonb" | "text";
  readonly seconds: number;
  /** The table with its TOAST table, bytes. */
  readonly tableBytes: number;
}

/** Bytes of a COPY message; psql sends less at once, so that this is no slower than psql. */
const CHUNK_BYTES = 1 << 18;

/**
 * What psql does with `\copy bench_line (body) from FILE (format csv, quote e'\x01', delimiter e'\x02')`: the files' lines,
 * one after another through one connection, into a table with one column in its default compression and without index.
 */
export async function measureCeiling(
  server: BenchServer,
  input: BenchInput,
  column: Ceiling["column"],
  signal: AbortSignal,
): Promise<Ceiling> {
  const database = await server.createDatabase();
  const client = new Client(clientConfig(database.connection, { applicationName: "stoker bench" }));
  client.on("error", () => {}); // the statement at hand fails, which says it
  await client.connect();
  try {
    await client.query(`create table bench_line (body ${column})`);
    await server.checkpoint();
    const started = performance.now();
    for (const { path } of input.files) {
      const copy = copyFrom(
        String.raw`copy bench_line (body) from stdin (format csv, quote e'\x01', delimiter e'\x02')`,
      );
      await pipeline(createReadStream(path, { highWaterMark: CHUNK_BYTES }), client.query(copy), { signal });
    }
    const seconds = (performance.now() - started) / 1000;
    const { rows } = await client.query<{ bytes: string; rows: string }>(
      "select pg_total_relation_size('bench_line')::text as bytes, count(*)::text as rows from bench_line",
    );
    if (Number(rows[0]?.rows) !== input.lines) {
      throw new Error(`COPY wrote ${rows[0]?.rows ?? "no"} rows of ${String(input.lines)} lines`);
    }
    return { column, seconds, tableBytes: Number(rows[0]?.bytes) };
  } finally {
    await client.end().catch(() => {}); // already lost, or ended by the stop of the server
    await database.drop();
  }
}
