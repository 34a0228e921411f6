import type { QueryResult } from "pg";
import { displacedIds } from "../../fhir/resource-key.ts";
import { DISPLACED_GENERATION, learnDisplacedIds } from "../identity/displaced-ids.ts";
import type { Queryable } from "../../postgres/pool.ts";

/**
 * The text that begins a transaction which reads one state of the database, read only; `timeout` in milliseconds ends
 * its statements. To be sent by itself, without parameters; {@link hasStaleRows} and {@link knowDisplacedIds} read what comes back.
 *
 * The lock comes before the snapshot: partitions are exchanged by merges of segments (merge-segments.ts), and a snapshot taken
 * before such an exchange would not fit the partitions found after it. A merge waits for the lock, a little while.
 */
export function beginSnapshot(timeout: number): string {
  return `begin isolation level repeatable read read only; set local statement_timeout = ${Math.trunc(timeout)};
    ${PLANNER}; lock table only search_resource in access share mode;
    select exists (select from stale_row) as "hasStaleRows", ${DISPLACED_GENERATION} as displaced`;
}

/** Whether rows of older versions are listed in `stale_row`, by the results of {@link beginSnapshot}. */
export function hasStaleRows(begun: readonly QueryResult[]): boolean {
  return (begun.at(-1)?.rows[0] as { hasStaleRows?: unknown } | undefined)?.hasStaleRows === true;
}

/**
 * Makes this thread know the ids that are displaced in the state of the database that was begun with {@link beginSnapshot}.
 * False where it knows further ones already: references to these are still stored under another number there, and a new
 * snapshot is to be taken.
 */
export async function knowDisplacedIds(db: Queryable, begun: readonly QueryResult[]): Promise<boolean> {
  const generation = Number((begun.at(-1)?.rows[0] as { displaced?: unknown } | undefined)?.displaced);
  if (generation > displacedIds().generation) await learnDisplacedIds(db);
  return displacedIds().generation <= generation;
}

/**
 * The planner thinks that reading a hundred index entries takes as long as reading one page. Most pages are in memory: it
 * then reads all keys of a type to be spared some pages of the rows that another index has found. Compiling, and starting a
 * parallel worker, does not pay for queries of some milliseconds.
 */
const PLANNER = "set local cpu_index_tuple_cost = 0.02; set local parallel_setup_cost = 5000; set local jit = off";
