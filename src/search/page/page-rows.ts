import { resourceTypeName } from "../../fhir/resource-types.ts";
import { typeIdOfKey } from "../../fhir/resource-key.ts";
import {
  VERSION_COLUMNS,
  versionOf,
  type Queryable,
  type StoredVersion,
  type VersionColumns,
} from "../../store/read.ts";
import type { Cursor, SortedCursor, StoreOrder } from "./cursor.ts";
import { sql, statement, type Sql } from "../sql.ts";

/** A page of a search. */
export interface Page {
  versions: StoredVersion[];
  /** Where the next page starts; undefined on the last one. */
  next: Cursor | SortedCursor | undefined;
}

/** Which part of what is found is read. */
export interface InOrder {
  count: number;
  sort: StoreOrder;
  after: Cursor | undefined;
}

/** A row of the page: a version, and its key. */
export type PageRow = VersionColumns & { key: string };

/** The rows of a page whose keys are `keys` (columns `key` and `last_updated`), in their order. */
export async function readRows(db: Queryable, { sort }: InOrder, keys: Sql): Promise<PageRow[]> {
  const { heads } = ORDERS[sort](undefined);
  const found = await db.query<PageRow>(
    statement(
      sql`select p.key::text, v.id, ${HEAD_COLUMNS} from (${keys}) p join head v on v.key = p.key order by ${heads}`,
    ),
  );
  return found.rows;
}

/** The page that begins with these rows; one more than it has tells that there is another page. */
export function pageOf(found: readonly PageRow[], { count, sort }: InOrder): Page {
  const lengths = found.map((row) => row.body_length);
  const rows = found.slice(0, fittingCount(lengths, count));
  const versions = rows.map((row) => versionOf(resourceTypeName(typeIdOfKey(BigInt(row.key))), row));
  const last = rows.at(-1);
  if (last === undefined || rows.length === found.length) return { versions, next: undefined };
  const key = BigInt(last.key);
  return { versions, next: sort === "key" ? { key } : { key, lastUpdated: BigInt(last.last_updated) } };
}

/** The keys of the first of all matches. Materialized: the planner must not turn it into a walk. */
export function gatherSql(condition: Sql, { count, sort, after }: InOrder): Sql {
  const { rows, order } = ORDERS[sort](after);
  return sql`with r as materialized (
    select r.key, r.last_updated from search_resource r where ${condition}${rows})
    select r.key, r.last_updated from r order by ${order} limit ${count + 1}`;
}

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

/** The orders that the store keeps. */
export const ORDERS: { readonly [sort in StoreOrder]: (after: Cursor | undefined) => Order } = {
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
