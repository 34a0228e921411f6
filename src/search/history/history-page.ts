import { typeIdOfKey } from "../../fhir/resource-key.ts";
import { resourceTypeName } from "../../fhir/resource-types.ts";
import {
  HISTORY_COLUMNS,
  historyVersionOf,
  type HistoryColumns,
  type HistoryVersion,
} from "../../store/resources/history.ts";
import type { Queryable } from "../../postgres/pool.ts";
import { ALWAYS } from "../condition/condition.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import type { WideHistoryPosition } from "../execute/cursor.ts";
import type { HistoryQuery } from "./history-query.ts";
import { explain } from "../cost/planner.ts";
import { keyRanges } from "../condition/reference-link.ts";
import { resolveCondition } from "../resolve/resolve.ts";
import { all, any, sql, statement, type Sql } from "../../postgres/sql.ts";

/** Which versions a history of a type or of the system has. */
export type HistoryScope = Pick<HistoryQuery, "types" | "since" | "at">;

/** A version with its place in the history. */
export interface PlacedVersion extends WideHistoryPosition {
  version: HistoryVersion;
}

/**
 * The first `count` versions behind `after`, by lastUpdated descending, then key and versionId descending: a version's
 * place never changes, so that pages neither repeat nor skip one that was there all the time.
 *
 * Three streams come in this order from indexes, and are merged: current versions from the rows of searches (whose
 * segments are read through while they are not indexed, as searches do), deletions that are current, and all that is not
 * current. The last stream is read only as far as the other two reach: of an `_at`, it may find nothing for a long way.
 */
export async function readWideHistory(
  db: Queryable,
  scope: HistoryScope,
  after: WideHistoryPosition | undefined,
  count: number,
): Promise<PlacedVersion[]> {
  const isCurrent = conditionSql(await resolveCondition(db, ALWAYS));
  const current = await run(db, currentSql(scope, after, count, isCurrent));
  const others = await run(db, othersSql(scope, after, count, current[count - 1]));
  return [...current, ...others].toSorted(newestFirst).slice(0, count);
}

/** How many versions the history has. Reads through the tables. */
export async function countWideHistory(db: Queryable, scope: HistoryScope): Promise<number> {
  const found = await db.query<{ total: string }>(
    statement(sql`select ((select count(*) from resource_current v where ${currentScope(scope)})
      + (select count(*) from resource_history v where ${othersScope(scope)}))::text as total`),
  );
  return Number(found.rows[0]?.total ?? 0);
}

/** About how many: the planner's guess. Small guesses are rough, and cheap to replace by the truth. */
export async function estimateWideHistory(db: Queryable, scope: HistoryScope): Promise<number> {
  const current = await explain(db, sql`select from resource_current v where ${currentScope(scope)}`);
  const others = await explain(db, sql`select from resource_history v where ${othersScope(scope)}`);
  const rows = Math.round(current.rows + others.rows);
  return rows < WORTH_ESTIMATING ? countWideHistory(db, scope) : rows;
}

const WORTH_ESTIMATING = 10_000;

/** The first versions that are current, deletions among them. */
export function currentSql(
  scope: HistoryScope,
  after: WideHistoryPosition | undefined,
  count: number,
  isCurrent: Sql,
): Sql {
  // A resource has one current version: rows are told apart by key, but for the one that the cursor may stand on.
  const inOrder = (row: "r" | "d"): Sql => {
    const alias = row === "r" ? sql`r` : sql`d`;
    const conditions = [...bounds(scope, alias), ...(row === "r" ? [isCurrent] : [])];
    if (after !== undefined) {
      const position = sql`(${after.lastUpdated}::bigint, ${after.key}::bigint)`;
      conditions.push(sql`(${alias}.last_updated, ${alias}.key) <= ${position}`);
    }
    const table = row === "r" ? sql`search_resource r` : sql`deletion d`;
    return sql`(select ${alias}.key from ${table} where ${all(conditions)}
      order by ${alias}.last_updated desc, ${alias}.key desc limit ${count + 1})`;
  };
  return sql`select v.key::text, v.id, ${COLUMNS}
    from (${inOrder("r")} union all ${inOrder("d")}) p join resource_current v on v.key = p.key
    where ${all([sql`v.version_id is not null`, ...behind(after)])}
    order by v.last_updated desc, v.key desc limit ${count}`;
}

/** The first versions that are not current, down to `last`. */
export function othersSql(
  scope: HistoryScope,
  after: WideHistoryPosition | undefined,
  count: number,
  last: WideHistoryPosition | undefined,
): Sql {
  const conditions = [othersScope(scope), ...behind(after)];
  if (last !== undefined) {
    // The date once more: an index condition even where the planner does not take the row for one.
    conditions.push(sql`(v.last_updated, v.key, v.version_id) > ${place(last)}`);
  }
  return sql`select v.key::text, h.id, ${COLUMNS}
    from (select v.* from resource_history v where ${all(conditions)}
      order by v.last_updated desc, v.key desc, v.version_id desc limit ${count}) v join resource_current h on h.key = v.key
    order by v.last_updated desc, v.key desc, v.version_id desc`;
}

const COLUMNS: Sql = { texts: [HISTORY_COLUMNS], values: [] };

async function run(db: Queryable, query: Sql): Promise<PlacedVersion[]> {
  const found = await db.query<HistoryColumns & { key: string }>(statement(query));
  return found.rows.map((row) => {
    const key = BigInt(row.key);
    const version = historyVersionOf(resourceTypeName(typeIdOfKey(key)), row);
    return { key, lastUpdated: version.lastUpdated, versionId: version.versionId, version };
  });
}

function newestFirst(a: WideHistoryPosition, b: WideHistoryPosition): number {
  if (a.lastUpdated !== b.lastUpdated) return b.lastUpdated - a.lastUpdated;
  if (a.key !== b.key) return a.key < b.key ? 1 : -1;
  return b.versionId - a.versionId;
}

function place({ lastUpdated, key, versionId }: WideHistoryPosition): Sql {
  return sql`(${lastUpdated}::bigint, ${key}::bigint, ${versionId}::integer)`;
}

function behind(after: WideHistoryPosition | undefined): Sql[] {
  return after === undefined ? [] : [sql`(v.last_updated, v.key, v.version_id) < ${place(after)}`];
}

/** What is asked of the key and the date of any version; current ones are current until now. */
function bounds({ types, since, at }: HistoryScope, alias: Sql): Sql[] {
  const conditions: Sql[] = [];
  if (types !== undefined) {
    conditions.push(any(keyRanges(types).map(({ low, high }) => sql`${alias}.key between ${low} and ${high}`)));
  }
  if (since !== undefined) conditions.push(sql`${alias}.last_updated >= ${since}::bigint`);
  if (at !== undefined) conditions.push(sql`${alias}.last_updated <= ${at.high}::bigint`);
  return conditions;
}

function currentScope(scope: HistoryScope): Sql {
  return all([sql`v.version_id is not null`, ...bounds(scope, sql`v`)]);
}

/**
 * On rows `v` of version. Of an `_at`: neither the current version nor any other one took its place before the period
 * began, or at once (see `readHistory`). Subqueries that yield a value stay what they are; the planner would make joins of
 * others, and lose the order.
 */
function othersScope(scope: HistoryScope): Sql {
  const { at } = scope;
  if (at === undefined) return all(bounds(scope, sql`v`));
  const begin = sql`greatest(v.last_updated, ${at.low}::bigint)`;
  return all([
    ...bounds(scope, sql`v`),
    sql`(select h.last_updated from resource_current h where h.key = v.key and h.version_id is not null) > ${begin}`,
    sql`(select bool_or(n.last_updated <= ${begin}) from resource_history n
      where n.key = v.key and (n.last_updated, n.version_id) > (v.last_updated, v.version_id)) is not true`,
  ]);
}
