import type { QueryResult } from "pg";

/**
 * The text that begins a transaction which reads one state of the database, read only; `timeout` in milliseconds ends
 * its statements. To be sent by itself, without parameters; {@link hasStaleRows} reads what comes back.
 *
 * The lock comes before the snapshot: partitions are exchanged by merges of segments (merge-segments.ts), and a snapshot taken
 * before such an exchange would not fit the partitions found after it. A merge waits for the lock, a little while.
 */
export function beginSnapshot(timeout: number): string {
  return `begin isolation level repeatable read read only; set local statement_timeout = ${Math.trunc(timeout)};
    ${PLANNER}; lock table only search_resource in access share mode;
    select exists (select from stale_row) as "hasStaleRows"`;
}

/** Whether rows of older versions are listed in `stale_row`, by the results of {@link beginSnapshot}. */
export function hasStaleRows(begun: readonly QueryResult[]): boolean {
  return (begun.at(-1)?.rows[0] as { hasStaleRows?: unknown } | undefined)?.hasStaleRows === true;
}

/**
 * The planner thinks that reading a hundred index entries takes as long as reading one page. Most pages are in memory: it
 * then reads all keys of a type to be spared some pages of the rows that another index has found. Compiling, and starting a
 * parallel worker, does not pay for queries of some milliseconds.
 */
const PLANNER = "set local cpu_index_tuple_cost = 0.02; set local parallel_setup_cost = 5000; set local jit = off";
