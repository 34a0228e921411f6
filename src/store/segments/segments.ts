import type { ClientBase } from "pg";
import { AdvisoryLock } from "../../postgres/advisory-locks.ts";
import type { SEARCH_COLUMNS } from "../search/search-rows.ts";

/**
 * The life of a segment, one partition of each search table.
 *
 * A *live* segment has its indexes from the beginning (state indexed) and takes API writes and small imports. A *bulk*
 * segment is loading: it takes the batches of a large import, without indexes. When it is full, or its import is done, it
 * is sealed: no rows are added any more, its indexes are built by sorting, stale rows are removed, and it is indexed.
 *
 * Rows of a version that is superseded are deleted at once where there are indexes to find them; in other segments they
 * are listed in `stale_row`, which every search leaves out.
 *
 * Writers hold {@link holdSegments} on the segments they write to, and on those they take rows from, until their commit;
 * whoever changes a segment's state waits for them.
 *
 * Small bulk segments that are indexed are merged later (merge-segments.ts): one partition then holds the rows of several.
 * Rows are therefore deleted and changed through the parent table, by their segment's number; only a segment that is open
 * for new rows is sure to have partitions of its own.
 */

/** Resources after which the next segment is opened: its indexes then still fit in memory. */
const RESOURCES_PER_SEGMENT = 1_000_000;

/** States of `segment.state`. */
export const SegmentState = { loading: 0, sealed: 1, indexed: 2 } as const;

/** The partitioned search tables, and the indexes each of their partitions has. `%` is the partition's name. */
export const SEARCH_TABLES: readonly {
  readonly table: keyof typeof SEARCH_COLUMNS;
  readonly indexes: readonly (readonly [name: string, definition: string])[];
}[] = [
  {
    table: "search_resource",
    indexes: [
      // A large pending list: with fastupdate off, or a small list, writing is several times slower.
      ["equality", "using gin (equality) with (fastupdate = on, gin_pending_list_limit = 65536)"],
      ["key", "(key)"],
      ["last_updated", "(last_updated, key)"],
    ],
  },
  {
    table: "search_date",
    indexes: [
      ["value", "(parameter, low, high)"],
      ["key", "(key)"],
    ],
  },
  {
    table: "search_quantity",
    indexes: [
      // Most searches ask for quantities of one code, their qualifier, in one unit, and need the first matches in the order
      // of keys: all of it is read from the index.
      ["value", "(parameter, qualifier, code, key, low, high)"],
      ["key", "(key)"],
    ],
  },
  {
    table: "search_string",
    indexes: [
      ["value", '(parameter, "left"(folded, 64))'],
      ["key", "(key)"],
    ],
  },
];

/** The partition of a search table that holds a segment's rows, as long as the segment is not merged. */
export function partitionName(table: string, segment: number): string {
  return `${table}_${segment}`;
}

/** The segment that new rows go to: the newest live one, or the newest bulk one that is loading. Opens one if need be. */
export async function openSegment(client: ClientBase, live: boolean): Promise<number> {
  const state = live ? SegmentState.indexed : SegmentState.loading;
  const find = `select number from segment
    where live = $1 and state = $2 and resources < ${RESOURCES_PER_SEGMENT} order by number desc limit 1`;
  const found = await client.query<{ number: number }>(find, [live, state]);
  if (found.rows[0] !== undefined) return found.rows[0].number;
  await client.query("begin");
  try {
    // One opener at a time; the lock ends with the transaction.
    await client.query("select pg_advisory_xact_lock($1, 0)", [AdvisoryLock.segmentOpen]);
    const again = await client.query<{ number: number }>(find, [live, state]);
    const number = again.rows[0]?.number ?? (await createSegment(client, live));
    await client.query("commit");
    return number;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

/** Counts resources into a segment after their commit (a guide, not a ledger); false when it is full. */
export async function countIntoSegment(client: ClientBase, segment: number, resources: number): Promise<boolean> {
  const counted = await client.query<{ open: boolean }>({
    name: "count-into-segment",
    text: `update segment set resources = resources + $2 where number = $1
           returning resources < ${RESOURCES_PER_SEGMENT} as open`,
    values: [segment, resources],
  });
  return counted.rows[0]?.open === true;
}

/**
 * Keeps the states of these segments as they are until the client's transaction ends, and returns them. Several writers
 * can hold the same segment.
 */
export async function holdSegments(client: ClientBase, segments: readonly number[]): Promise<Map<number, number>> {
  const numbers = [...new Set(segments)].toSorted((a, b) => a - b);
  if (numbers.length === 0) return new Map();
  await client.query({
    name: "hold-segments",
    text: "select pg_advisory_xact_lock_shared($1, number) from unnest($2::int[]) as held (number)",
    values: [AdvisoryLock.segmentWrite, numbers],
  });
  // A statement of its own: its snapshot must be taken when the locks are held.
  const found = await client.query<{ number: number; state: number }>({
    name: "segment-states",
    text: "select number, state from segment where number = any($1::int[])",
    values: [numbers],
  });
  return new Map(found.rows.map((row) => [row.number, row.state]));
}

/** Segments that are not indexed yet, oldest first. */
export async function unindexedSegments(client: ClientBase): Promise<number[]> {
  const found = await client.query<{ number: number }>("select number from segment where state <> $1 order by number", [
    SegmentState.indexed,
  ]);
  return found.rows.map((row) => row.number);
}

/**
 * Seals a segment and builds its indexes; returns at once when it is indexed. Goes on where a crash stopped another call.
 * Several callers wait for one another. Writers wait only for the two short changes of state.
 */
export async function indexSegment(client: ClientBase, segment: number): Promise<void> {
  await client.query("select pg_advisory_lock($1, $2)", [AdvisoryLock.segmentSeal, segment]);
  try {
    const found = await client.query<{ state: number; large: boolean }>(
      `select state, resources >= ${LARGE_SEGMENT} as large from segment where number = $1`,
      [segment],
    );
    const [row] = found.rows;
    if (row === undefined || row.state === SegmentState.indexed) return;
    // A smaller one is about to be merged, and its import waits for this.
    if (row.large) await setFineStatistics(client, partitionName("search_resource", segment));
    await changeState(client, segment, SegmentState.sealed);
    await client.query("set maintenance_work_mem = '512MB'");
    for (const each of SEARCH_TABLES) await createIndexes(client, each, partitionName(each.table, segment));
    await changeState(client, segment, SegmentState.indexed);
    for (const { table } of SEARCH_TABLES) await client.query(`analyze ${partitionName(table, segment)}`);
  } finally {
    await client.query("reset maintenance_work_mem");
    await client.query("select pg_advisory_unlock($1, $2)", [AdvisoryLock.segmentSeal, segment]);
  }
}

async function changeState(client: ClientBase, segment: number, state: number): Promise<void> {
  await client.query("begin");
  try {
    await client.query("select pg_advisory_xact_lock($1, $2)", [AdvisoryLock.segmentWrite, segment]);
    if (state === SegmentState.indexed) await removeStaleRows(client, segment);
    await client.query("update segment set state = $2 where number = $1", [segment, state]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

async function removeStaleRows(client: ClientBase, segment: number): Promise<void> {
  const stale = await client.query("select from stale_row where segment = $1 limit 1", [segment]);
  if (stale.rowCount === 0) return;
  for (const { table } of SEARCH_TABLES) {
    const name = partitionName(table, segment);
    await client.query(
      `delete from ${name} row using stale_row stale
       where stale.segment = $1 and row.key = stale.key and row.stamp = stale.stamp`,
      [segment],
    );
  }
  await client.query("delete from stale_row where segment = $1", [segment]);
}

async function createSegment(client: ClientBase, live: boolean): Promise<number> {
  const state = live ? SegmentState.indexed : SegmentState.loading;
  const inserted = await client.query<{ number: number }>(
    "insert into segment (number, live, state) select coalesce(max(number), 0) + 1, $1, $2 from segment returning number",
    [live, state],
  );
  const number = inserted.rows[0]?.number;
  if (number === undefined) throw new Error("no segment was created");
  for (const each of SEARCH_TABLES) {
    await createPartition(client, each.table, number);
    if (live) await createIndexes(client, each, partitionName(each.table, number));
  }
  if (live) await setFineStatistics(client, partitionName("search_resource", number));
  return number;
}

/** Resources from which on a partition stays what it is: merges leave it alone. */
export const LARGE_SEGMENT = 500_000;

/**
 * Has PostgreSQL look closer at the equality values of a partition of search_resource when it next analyzes it. Of values it has not
 * met often it thinks that each is half as frequent as the rarest it knows: a patient's resources would be guessed at three
 * times their number, in every partition, and what costs nothing would look expensive. Analyzing takes twice as long.
 */
export async function setFineStatistics(client: ClientBase, partition: string): Promise<void> {
  await client.query(`alter table ${partition} alter column equality set statistics 300`);
}

/** Builds the indexes that a partition of the table has, those that are missing. */
export async function createIndexes(
  client: ClientBase,
  { indexes }: (typeof SEARCH_TABLES)[number],
  partition: string,
): Promise<void> {
  for (const [name, definition] of indexes) {
    await client.query(`create index if not exists ${partition}_${name} on ${partition} ${definition}`);
  }
}

/**
 * `attach partition` instead of `create table … partition of`: it takes a lock on the parent that searches and other
 * batches do not wait for. The check constraint spares it the scan. Rows are copied into the partition itself, which
 * knows its number: the default.
 */
async function createPartition(client: ClientBase, table: string, segment: number): Promise<void> {
  const name = partitionName(table, segment);
  await client.query(`create table ${name} (like ${table} including defaults including storage)`);
  await client.query(`alter table ${name} alter column segment set default ${segment}`);
  await client.query(`alter table ${name} add constraint ${name}_segment check (segment = ${segment})`);
  await client.query(`alter table ${table} attach partition ${name} for values in (${segment})`);
  await client.query(`alter table ${name} drop constraint ${name}_segment`);
}
