import { setTimeout as sleep } from "node:timers/promises";
import type { ClientBase } from "pg";
import { AdvisoryLock } from "../../postgres/advisory-locks.ts";
import { chooseMerge, type PartitionSet } from "./merge-choice.ts";
import { SEARCH_COLUMNS } from "../search/search-rows.ts";
import { createIndexes, partitionName, SEARCH_TABLES, SegmentState, setFineStatistics } from "./segments.ts";

/**
 * Merging of small segments: a search asks every partition, so many small ones make all searches slow.
 *
 * Rows keep the number of their segment; a merged partition is the one for several numbers. So heads stay as they are, and
 * everything that names rows by segment and stamp goes on to find them through the parent tables.
 *
 * 1. Triggers on the old partitions begin to list the resources whose rows change: rows are only deleted and updated there.
 * 2. The rows are copied into new tables, which get their indexes by sorting. Nobody waits for that.
 * 3. What was changed meanwhile is copied again, until little is left.
 * 4. In one transaction that keeps all others off the search tables, the rest is copied, the old partitions are dropped
 *    and the new ones attached. Snapshots are taken under a lock (snapshot.ts), so a reader sees the old or the new.
 *
 * A merge that was broken off leaves tables and triggers that nobody reads; the next call removes them.
 */

/** Changed resources copied again at once, and those that may be left for the exchange. */
const CHANGES_AT_ONCE = 20_000;
const FEW_CHANGES = 2000;
/** How long searches and writers may have to wait behind an exchange that waits for others: more with every try. Milliseconds. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 1000;
/** Pauses between tries, and when the merge is given up. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
const PATIENCE_MS = 600_000;

/** Room that a merge leaves on the disk, for imports and the write-ahead log. */
const RESERVE_BYTES = 512 * 1024 * 1024;
const BEGIN_SHORT = "begin; set local lock_timeout = '500ms'";
/** PostgreSQL's error codes of a lock that was not to be had in time, and of a deadlock. */
const LOCK_BUSY = ["55P03", "40P01"];

/** What a merge must keep to. */
export interface MergeLimits {
  /** Ends it between two steps. */
  readonly stop?: AbortSignal;
  /** Room on the disk, where that can be known: nothing is merged that does not fit a second time. */
  readonly freeBytes?: () => Promise<number>;
}

/** What a call of {@link mergeSegments} did. */
export type MergeOutcome =
  /** Segments were merged; there may be more. */
  | "merged"
  /** There is nothing to do, or another process does it. */
  | "nothing"
  /** Others held what it needs for too long, or there is no room: worth another try later. */
  | "busy";

/**
 * Merges small indexed bulk segments into one, if there are enough of them. Not to be called in a transaction; the client
 * is out of any when it returns.
 */
export async function mergeSegments(client: ClientBase, limits: MergeLimits = {}): Promise<MergeOutcome> {
  const { stop, freeBytes } = limits;
  const locked = await client.query<{ held: boolean }>("select pg_try_advisory_lock($1, 0) as held", [
    AdvisoryLock.segmentMerge,
  ]);
  if (locked.rows[0]?.held !== true) return "nothing";
  try {
    await removeBrokenOff(client);
    const sets = chooseMerge(await readPartitionSets(client));
    if (sets === undefined) return "nothing";
    if (freeBytes !== undefined && (await freeBytes()) < (await bytesOf(client, sets)) + RESERVE_BYTES) return "busy";
    const merge = await beginMerge(client, sets);
    await copyAll(client, merge, stop);
    if (await exchange(client, merge, stop)) return "merged";
    await removeBrokenOff(client);
    return "busy";
  } catch (error) {
    await removeBrokenOff(client).catch(() => {}); // the next call does it
    if (isBusy(error)) return "busy";
    throw error;
  } finally {
    await client.query("select pg_advisory_unlock($1, 0)", [AdvisoryLock.segmentMerge]).catch(() => {});
  }
}

/** Whether there are small segments that will be merged when no import is at work. */
export async function isMergeDue(client: ClientBase): Promise<boolean> {
  return chooseMerge(await readPartitionSets(client)) !== undefined;
}

/** A merge under way. */
interface Merge {
  readonly number: number;
  readonly sets: readonly PartitionSet[];
  /** Of all sets. */
  readonly segments: readonly number[];
}

async function readPartitionSets(client: ClientBase): Promise<PartitionSet[]> {
  const { rows } = await client.query<{ merged: number | null; segments: number[]; rows: number }>(
    `select s.merged, s.segments, greatest(c.reltuples, 0)::float8 as rows
     from (select merged, array_agg(number order by number) as segments from segment
           where not live and state = $1 group by merged, case when merged is null then number end) s
       join pg_class c on c.oid = to_regclass(case when s.merged is null then 'search_resource_' || s.segments[1]
                                              else 'search_resource_merged_' || s.merged end)`,
    [SegmentState.indexed],
  );
  return rows.map(({ merged, ...set }) => ({ ...set, merged: merged ?? undefined }));
}

/** What their partitions take on the disk. */
async function bytesOf(client: ClientBase, sets: readonly PartitionSet[]): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(
    "select sum(pg_total_relation_size(name::regclass))::float8 as bytes from unnest($1::text[]) as old (name)",
    [oldPartitions(sets)],
  );
  return rows[0]?.bytes ?? 0;
}

/** From its commit on, every change of the sets' rows is listed. */
async function beginMerge(client: ClientBase, sets: readonly PartitionSet[]): Promise<Merge> {
  const segments = sets.flatMap((set) => set.segments).toSorted((a, b) => a - b);
  return await inTransaction(client, BEGIN_SHORT, async () => {
    const begun = await client.query<{ merged: number }>(
      "insert into segment_merge (merged, segments) values (nextval('merged_partition'), $1::int[]) returning merged",
      [segments],
    );
    for (const name of oldPartitions(sets)) {
      await client.query(
        `create trigger segment_merge after insert or update or delete on ${name}
         for each row execute function note_segment_change()`,
      );
    }
    return { number: begun.rows[0]?.merged ?? 0, sets, segments };
  });
}

/** In one transaction: rows of tables that it has made itself need no write-ahead log where there are no replicas. */
async function copyAll(client: ClientBase, { number, sets, segments }: Merge, stop?: AbortSignal): Promise<void> {
  await inTransaction(client, "begin; set local maintenance_work_mem = '512MB'", async () => {
    for (const each of SEARCH_TABLES) {
      const target = mergedName(each.table, number);
      const columns = columnsOf(each.table);
      await client.query(`create table ${target} (like ${each.table} including defaults including storage)`);
      // Spares the exchange a look at every row.
      await client.query(
        `alter table ${target} add constraint ${target}_segment check (segment = any (array[${segments.join(", ")}]))`,
      );
      for (const set of sets) {
        stop?.throwIfAborted();
        await client.query(`insert into ${target} (${columns}) select ${columns} from ${partitionOf(each.table, set)}`);
      }
      await createIndexes(client, each, target);
    }
  });
  await setFineStatistics(client, mergedName("search_resource", number));
  // Searches then need not find out for every row whether it is visible.
  for (const { table } of SEARCH_TABLES) await client.query(`vacuum (analyze) ${mergedName(table, number)}`);
}

/** Tries until it succeeds; gives up when the tables are in use all the time. */
async function exchange(client: ClientBase, merge: Merge, stop?: AbortSignal): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS;
  let [wait, pause] = [FIRST_WAIT_MS, FIRST_PAUSE_MS];
  while (performance.now() < end) {
    stop?.throwIfAborted();
    const left = await inTransaction(client, "begin", () => copyChanges(client, merge));
    if (left > FEW_CHANGES) continue;
    if (!(await isInLongUse(client))) {
      if (await tryExchange(client, merge, wait)) return true;
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
    await sleep(pause, undefined, stop === undefined ? {} : { signal: stop });
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
  return false;
}

/** Whether somebody reads or writes the search tables who will hardly be done soon, such as an export. */
async function isInLongUse(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ any: boolean }>(
    `select exists (
       select from pg_locks l join pg_stat_activity a on a.pid = l.pid
       where l.relation = 'search_resource'::regclass and l.database = (select oid from pg_database where datname = current_database())
         and a.xact_start < clock_timestamp() - interval '2 seconds') as any`,
  );
  return rows[0]?.any === true;
}

/**
 * Copies resources again that were changed; returns how many there were. Each statement sees what is committed then; a
 * resource that is changed once more is listed once more.
 */
async function copyChanges(client: ClientBase, { number, sets }: Merge): Promise<number> {
  const changed = await client.query<{ keys: string[] }>(
    `with changed as (
       delete from segment_merge_change where ctid = any (array(select ctid from segment_merge_change limit ${CHANGES_AT_ONCE}))
       returning key)
     select array(select distinct key::text from changed) as keys`,
  );
  const keys = changed.rows[0]?.keys ?? [];
  if (keys.length === 0) return 0;
  for (const { table } of SEARCH_TABLES) {
    const target = mergedName(table, number);
    const columns = columnsOf(table);
    await client.query(`delete from ${target} where key = any($1::bigint[])`, [keys]);
    for (const set of sets) {
      await client.query(
        `insert into ${target} (${columns}) select ${columns} from ${partitionOf(table, set)} where key = any($1::bigint[])`,
        [keys],
      );
    }
  }
  return keys.length;
}

/** False when the locks are not to be had within `wait` milliseconds, or others changed much meanwhile. */
async function tryExchange(client: ClientBase, { number, sets, segments }: Merge, wait: number): Promise<boolean> {
  const tables = SEARCH_TABLES.map(({ table }) => table);
  const old = oldPartitions(sets);
  // Nobody waits for the first lock but an autovacuum of the partitions, which PostgreSQL calls off after a second.
  const lock = `begin; set local lock_timeout = '3s'; lock table ${old.join(", ")} in share update exclusive mode;
    set local lock_timeout = ${wait}; lock table ${tables.map((table) => `only ${table}`).join(", ")} in access exclusive mode`;
  try {
    return await inTransaction(client, lock, async () => {
      // What was copied is worth keeping, but there is more, and everybody waits.
      if ((await copyChanges(client, { number, sets, segments })) > 2 * FEW_CHANGES) return false;
      await client.query(`drop table ${old.join(", ")}`);
      for (const table of tables) {
        const target = mergedName(table, number);
        await client.query(`alter table ${table} attach partition ${target} for values in (${segments.join(", ")})`);
        await client.query(`alter table ${target} drop constraint ${target}_segment`);
      }
      await client.query("update segment set merged = $1 where number = any($2::int[])", [number, segments]);
      await client.query("delete from segment_merge where merged = $1", [number]);
      return true;
    });
  } catch (error) {
    if (isBusy(error)) return false;
    throw error;
  }
}

/** Removes what merges left behind that were broken off; the lock is held, so none is at work. */
async function removeBrokenOff(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ merged: number }>("select merged from segment_merge");
  if (rows.length === 0) return;
  await inTransaction(client, BEGIN_SHORT, async () => {
    const triggers = await client.query<{ name: string }>(
      `select tgrelid::regclass::text as name from pg_trigger
       where tgname = 'segment_merge' and tgfoid = 'note_segment_change'::regproc order by tgrelid`,
    );
    for (const { name } of triggers.rows) await client.query(`drop trigger segment_merge on ${name}`);
    for (const { merged } of rows) {
      for (const { table } of SEARCH_TABLES) await client.query(`drop table if exists ${mergedName(table, merged)}`);
    }
    await client.query("delete from segment_merge_change");
    await client.query("delete from segment_merge");
  });
}

async function inTransaction<Result>(client: ClientBase, begin: string, work: () => Promise<Result>): Promise<Result> {
  try {
    await client.query(begin);
    const result = await work();
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

function oldPartitions(sets: readonly PartitionSet[]): string[] {
  return SEARCH_TABLES.flatMap(({ table }) => sets.map((set) => partitionOf(table, set)));
}

function partitionOf(table: string, { merged, segments }: PartitionSet): string {
  return merged === undefined ? partitionName(table, segments[0] ?? 0) : mergedName(table, merged);
}

function mergedName(table: string, number: number): string {
  return `${table}_merged_${number}`;
}

function columnsOf(table: keyof typeof SEARCH_COLUMNS): string {
  return ["segment", ...SEARCH_COLUMNS[table]].join(", ");
}

function isBusy(error: unknown): boolean {
  return LOCK_BUSY.includes((error as { code?: string }).code ?? "");
}
