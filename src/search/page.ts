import { resourceTypeName } from "../fhir/resource-types.ts";
import { typeIdOfKey } from "../fhir/resource-key.ts";
import { VERSION_COLUMNS, versionOf, type Queryable, type StoredVersion, type VersionColumns } from "../store/read.ts";
import type { SortOrder } from "./control.ts";
import type { Cursor } from "./cursor.ts";
import { sql, statement, type Sql } from "./sql.ts";

/** A page of a search. */
export interface Page {
  versions: StoredVersion[];
  /** Where the next page starts; undefined on the last one. */
  next: Cursor | undefined;
}

/** What to read. */
export interface PageRequest {
  /** On rows `r` of search_resource. */
  condition: Sql;
  count: number;
  sort: SortOrder;
  after: Cursor | undefined;
}

/**
 * The condition for rows of current versions only. Rows of older ones are there while a large import runs, listed in
 * `stale_row`; when that is empty, as it mostly is, searches are spared looking there row by row.
 */
export async function withoutStaleRows(db: Queryable, condition: Sql): Promise<Sql> {
  const { rows } = await db.query<{ any: boolean }>({ text: "select exists (select from stale_row) as any" });
  if (rows[0]?.any !== true) return condition;
  return sql`${condition} and not exists (
    select from stale_row x where x.segment = r.segment and x.key = r.key and x.stamp = r.stamp)`;
}

/** Reads a page. One resource more than asked for is looked for, to know whether there is a next page. */
export async function readPage(db: Queryable, request: PageRequest): Promise<Page> {
  const found = await db.query<VersionColumns & { key: string }>(statement(pageSql(request)));
  const lengths = found.rows.map((row) => row.body_length);
  const rows = found.rows.slice(0, fittingCount(lengths, request.count));
  const versions = rows.map((row) => versionOf(resourceTypeName(typeIdOfKey(BigInt(row.key))), row));
  const last = rows.at(-1);
  if (last === undefined || rows.length === found.rows.length) return { versions, next: undefined };
  const key = BigInt(last.key);
  return { versions, next: request.sort === "key" ? { key } : { key, lastUpdated: BigInt(last.last_updated) } };
}

/** The statement of a page: first the keys, then their heads. */
export function pageSql({ condition, count, sort, after }: PageRequest): Sql {
  const { rows, order, heads } = ORDERS[sort](after);
  return sql`select p.key::text, v.id, ${HEAD_COLUMNS}
from (
  select r.key, r.last_updated from search_resource r
  where ${condition}${rows}
  order by ${order} limit ${count + 1}
) p join head v on v.key = p.key
order by ${heads}`;
}

/** How many resources there are. */
export async function countResources(db: Queryable, condition: Sql): Promise<number> {
  const found = await db.query<{ total: string }>(
    statement(sql`select count(*)::text as total from search_resource r where ${condition}`),
  );
  return Number(found.rows[0]?.total ?? 0);
}

/**
 * About how many resources there are: the planner's guess, which costs nothing. Small guesses are rough, and cheap to
 * replace by the truth.
 */
export async function estimateResources(db: Queryable, condition: Sql): Promise<number> {
  const query = statement(sql`explain (format json) select from search_resource r where ${condition}`);
  const found = await db.query<{ "QUERY PLAN": { Plan: { "Plan Rows": number } }[] }>(query);
  const guess = found.rows[0]?.["QUERY PLAN"][0]?.Plan["Plan Rows"] ?? 0;
  return guess < WORTH_ESTIMATING ? countResources(db, condition) : Math.round(guess);
}

const WORTH_ESTIMATING = 10_000;

/** Bodies of a page, in bytes. */
const PAGE_BYTES = 32 * 1024 * 1024;

/**
 * How many of the bodies with these lengths, at most `count`, go on one page: a page is cut short rather than held in
 * memory whole. At least one, if there is one.
 */
export function fittingCount(lengths: readonly number[], count: number): number {
  let bytes = 0;
  let fit = 0;
  for (const length of lengths.slice(0, count)) {
    bytes += length;
    if (fit > 0 && bytes > PAGE_BYTES) break;
    fit++;
  }
  return fit;
}

const HEAD_COLUMNS: Sql = { texts: [VERSION_COLUMNS], values: [] };

/** The order of rows and of heads, and the rows behind a cursor. */
interface Order {
  rows: Sql;
  order: Sql;
  heads: Sql;
}

const NOTHING: Sql = sql``;

const ORDERS: { readonly [sort in SortOrder]: (after: Cursor | undefined) => Order } = {
  key: (after) => ({
    rows: after === undefined ? NOTHING : sql` and r.key > ${after.key}`,
    order: sql`r.key`,
    heads: sql`p.key`,
  }),
  _lastUpdated: (after) => ({
    rows:
      after === undefined
        ? NOTHING
        : sql` and (r.last_updated, r.key) > (${after.lastUpdated ?? 0n}::bigint, ${after.key}::bigint)`,
    order: sql`r.last_updated, r.key`,
    heads: sql`p.last_updated, p.key`,
  }),
  "-_lastUpdated": (after) => ({
    rows:
      after === undefined
        ? NOTHING
        : sql` and (r.last_updated, r.key) < (${after.lastUpdated ?? 0n}::bigint, ${after.key}::bigint)`,
    order: sql`r.last_updated desc, r.key desc`,
    heads: sql`p.last_updated desc, p.key desc`,
  }),
};
