import { resourceTypeName } from "../../fhir/resource-types.ts";
import { typeIdOfKey } from "../../fhir/resource-key.ts";
import { VERSION_COLUMNS_SQL, versionOf, type StoredVersion, type VersionColumns } from "../../store/resources/read.ts";
import { type Queryable } from "../../postgres/pool.ts";
import type { Cursor, PagePosition, SortedCursor, StoreOrder } from "./cursor.ts";
import { sql, statement, type Sql } from "../../postgres/sql.ts";

/** A page of a search. */
export interface Page {
  versions: StoredVersion[];
  /** Where the next page starts; undefined on the last one. */
  next: Cursor | SortedCursor | undefined;
  /** Where the page before it ends; undefined on the first one, and in orders that are not read backwards. */
  previous: Cursor | undefined;
}

/** Which part of what is found is read. */
export interface InOrder extends PagePosition {
  count: number;
  sort: StoreOrder;
}

/** A row of the page: a version, and its key. */
export type PageRow = VersionColumns & { key: string };

/** The rows of a page whose keys are `keys` (columns `key` and `last_updated`), in their order; backwards from the last to the first. */
export async function readRows(db: Queryable, { sort, backwards }: InOrder, keys: Sql): Promise<PageRow[]> {
  const { heads } = orderOf({ sort, from: undefined, backwards });
  const found = await db.query<PageRow>(
    statement(
      sql`select p.key::text, v.id, ${VERSION_COLUMNS_SQL} from (${keys}) p join resource_current v on v.key = p.key order by ${heads}`,
    ),
  );
  return found.rows;
}

/** The page that begins, or, backwards, ends with these rows; one more than it has tells that there is another page. */
export function pageOf(found: readonly PageRow[], { count, sort, from, backwards }: InOrder): Page {
  const lengths = found.map((row) => row.body_length);
  const read = found.slice(0, fittingCount(lengths, count));
  const rows = backwards ? read.toReversed() : read;
  const versions = rows.map((row) => versionOf(resourceTypeName(typeIdOfKey(BigInt(row.key))), row));
  const cursorOf = (row: PageRow | undefined): Cursor | undefined => {
    if (row === undefined) return undefined;
    const key = BigInt(row.key);
    return sort === "key" ? { key } : { key, lastUpdated: BigInt(row.last_updated) };
  };
  const [isBefore, isBehind] = [from !== undefined, read.length < found.length];
  const [isPrevious, isNext] = backwards ? [isBehind, isBefore] : [isBefore, isBehind];
  return {
    versions,
    next: isNext ? cursorOf(rows.at(-1)) : undefined,
    previous: isPrevious ? cursorOf(rows[0]) : undefined,
  };
}

/** The keys of the first of all matches. Materialized: the planner must not turn it into a walk. */
export function gatherSql(condition: Sql, request: InOrder): Sql {
  const { rows, order } = orderOf(request);
  return sql`with r as materialized (
    select r.key, r.last_updated from search_resource r where ${condition}${rows})
    select r.key, r.last_updated from r order by ${order} limit ${request.count + 1}`;
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

/** The order of rows and of heads, and the rows behind a cursor. */
interface Order {
  rows: Sql;
  order: Sql;
  heads: Sql;
}

const NOTHING: Sql = sql``;

/** An order that the store keeps, and the rows behind a position; backwards all in the other direction. */
export function orderOf({ sort, from, backwards }: Pick<InOrder, "sort" | "from" | "backwards">): Order {
  const isDescending = (sort === "-_lastUpdated") !== backwards;
  const direction = isDescending ? sql` desc` : NOTHING;
  const behind = isDescending ? sql`<` : sql`>`;
  if (sort === "key") {
    return {
      rows: from === undefined ? NOTHING : sql` and r.key ${behind} ${from.key}`,
      order: sql`r.key${direction}`,
      heads: sql`p.key${direction}`,
    };
  }
  const place = from && sql`(${from.lastUpdated ?? 0n}::bigint, ${from.key}::bigint)`;
  return {
    rows: place === undefined ? NOTHING : sql` and (r.last_updated, r.key) ${behind} ${place}`,
    order: sql`r.last_updated${direction}, r.key${direction}`,
    heads: sql`p.last_updated${direction}, p.key${direction}`,
  };
}
