import type { ClientBase } from "pg";

/** Resources after which the next segment is opened: its indexes then still fit in memory. */
export const RESOURCES_PER_SEGMENT = 1_000_000;

/** The partitioned search tables, and the indexes each of their partitions has. `%` is the partition's name. */
const SEARCH_TABLES: readonly { table: string; indexes: readonly string[] }[] = [
  {
    table: "search_resource",
    indexes: [
      "create unique index %_key on % (key)",
      // A large pending list: with fastupdate off, or a small list, the import is several times slower.
      "create index %_equality on % using gin (equality) with (fastupdate = on, gin_pending_list_limit = 65536)",
      "create index %_last_updated on % (last_updated, key)",
    ],
  },
  {
    table: "search_date",
    indexes: ["create index %_value on % (parameter, low, high)", "create index %_key on % (key)"],
  },
  {
    table: "search_quantity",
    indexes: ["create index %_value on % (parameter, low, high)", "create index %_key on % (key)"],
  },
  {
    table: "search_string",
    indexes: ['create index %_value on % (parameter, "left"(folded, 64))', "create index %_key on % (key)"],
  },
];

/** The partition of a search table that holds a segment's rows. */
export function partitionName(table: string, segment: number): string {
  return `${table}_${segment}`;
}

/** The segment that new versions go to; opens the first one in an empty store. */
export async function openSegment(client: ClientBase): Promise<number> {
  const found = await client.query<{ number: number | null }>("select max(number)::int as number from segment");
  return found.rows[0]?.number ?? (await nextSegment(client, 0));
}

/**
 * Counts `resources` more in a segment (outside the batch's transaction: a guide, not a ledger), and returns the segment
 * that the next batch goes to: the same one, or a new one when it is full.
 */
export async function countIntoSegment(client: ClientBase, segment: number, resources: number): Promise<number> {
  const counted = await client.query<{ resources: string; newest: number }>(
    `update segment set resources = resources + $2 where number = $1
     returning resources::text, (select max(number)::int from segment) as newest`,
    [segment, resources],
  );
  const row = counted.rows[0];
  if (row === undefined) return openSegment(client);
  if (Number(row.resources) < RESOURCES_PER_SEGMENT) return segment;
  return row.newest > segment ? row.newest : nextSegment(client, segment);
}

/** Creates the segment after `after`, unless another process just did; returns the newest one. */
async function nextSegment(client: ClientBase, after: number): Promise<number> {
  await client.query("begin");
  try {
    // One creator at a time; the lock ends with the transaction.
    await client.query("select pg_advisory_xact_lock($1)", [SEGMENT_LOCK]);
    const found = await client.query<{ number: number | null }>("select max(number)::int as number from segment");
    const newest = found.rows[0]?.number ?? 0;
    if (newest > after) {
      await client.query("commit");
      return newest;
    }
    const number = newest + 1;
    for (const { table, indexes } of SEARCH_TABLES) await createPartition(client, table, number, indexes);
    await client.query("insert into segment (number) values ($1)", [number]);
    await client.query("commit");
    return number;
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}

const SEGMENT_LOCK = 0x5705e9;

/**
 * `attach partition` instead of `create table … partition of`: it takes a lock on the parent that searches and other
 * batches do not wait for. The check constraint spares it the scan.
 */
async function createPartition(
  client: ClientBase,
  table: string,
  segment: number,
  indexes: readonly string[],
): Promise<void> {
  const name = partitionName(table, segment);
  await client.query(`create table ${name} (like ${table} including defaults including storage)`);
  await client.query(`alter table ${name} add constraint ${name}_segment check (segment = ${segment})`);
  for (const index of indexes) await client.query(index.replaceAll("%", name));
  await client.query(`alter table ${table} attach partition ${name} for values in (${segment})`);
  await client.query(`alter table ${name} drop constraint ${name}_segment`);
}
