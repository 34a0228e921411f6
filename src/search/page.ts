import { resourceTypeName } from "../fhir/resource-types.ts";
import { typeIdOfKey } from "../fhir/resource-key.ts";
import { VERSION_COLUMNS, versionOf, type Queryable, type StoredVersion, type VersionColumns } from "../store/read.ts";
import { conditionSql, hasLinks, type Condition } from "./condition.ts";
import type { Cursor, SortedCursor, StoreOrder } from "./cursor.ts";
import { sql, statement, type Sql } from "./sql.ts";
import { windowOf, type KeyRange } from "./window.ts";

/** A page of a search. */
export interface Page {
  versions: StoredVersion[];
  /** Where the next page starts; undefined on the last one. */
  next: Cursor | SortedCursor | undefined;
}

/** What to read. */
export interface PageRequest {
  /** On rows `r` of search_resource: the searched types, and everything that is asked of them. */
  scope: Sql;
  condition: Sql;
  /** The condition in the form for rows that are at hand. */
  test: Sql;
  /** Whether the planner can tell how many resources it finds. */
  isEstimable: boolean;
  /** Whether testing a row means looking at other resources: some ten times as long. */
  hasLinks: boolean;
  /** The condition for resources of a range of keys, and as {@link conditionOfAnyType} has it. */
  within: (range: KeyRange) => Sql;
  ofAnyType: Sql;
  /** The one range of keys that all matches have, if there is one. */
  range: KeyRange | undefined;
  count: number;
  sort: StoreOrder;
  after: Cursor | undefined;
  /** False when the condition says no more than the scope. */
  isFiltered: boolean;
}

/** The SQL that finds all rows that meet the condition; of the two ways to follow chains, the planner's cheaper one. */
export async function gatheringSql(db: Queryable, condition: Condition): Promise<Sql> {
  const lookup = conditionSql(condition);
  if (!hasLinks(condition)) return lookup;
  const set = conditionSql(condition, "set");
  const costs: number[] = [];
  for (const each of [lookup, set]) {
    costs.push((await explain(db, sql`select from search_resource r where ${each}`)).cost);
  }
  return (costs[1] ?? 0) < (costs[0] ?? 0) ? set : lookup;
}

/**
 * Reads a page. One resource more than asked for is looked for, to know whether there is a next page.
 *
 * There are two ways to the first matches in an order: to walk in that order until there are enough, which is quick when
 * matches are frequent, or to gather all matches and sort them, which is quick when they are rare. The planner, left
 * alone, takes a walk whenever that is cheaper on average, and passes by millions of resources when matches are rarer
 * than it thought. Here a walk has a bounded number of steps, and gathering follows when it did not find enough. Keys
 * are hashes, so the first steps are a fair sample.
 */
export async function readPage(db: Queryable, request: PageRequest): Promise<Page> {
  const { count, isEstimable } = request;
  if (!request.isFiltered) return pageOf(await run(db, request, walkSql(request, count + 1)), request);
  const inWindows = await readWindows(db, request);
  if (inWindows !== undefined) return pageOf(inWindows, request);
  const gathering = isEstimable ? (await explain(db, gatherSql(request))).cost : Infinity;
  if (gathering > CHEAP) {
    const sampleSteps = request.hasLinks ? SAMPLE_STEPS / 10 : SAMPLE_STEPS;
    const sample = await run(db, request, walkSql(request, sampleSteps));
    if (sample.length > count) return pageOf(sample, request);
    const steps = request.hasLinks && sample.length === 0 ? SAMPLE_STEPS : stepsFor(sampleSteps, sample.length, count);
    if (steps !== undefined && (await walkingCost(db, request, steps)) < gathering) {
      const walked = await run(db, request, walkSql(request, steps));
      if (walked.length > count) return pageOf(walked, request);
    }
  }
  return pageOf(await run(db, request, gatherSql(request)), request);
}

/**
 * The first matches in the order of keys, read in one part of the range of keys after another until there are enough. Keys are
 * hashes: a part of their range has the same part of the matches, so it is told beforehand how large it must be, and the index
 * of keys tells which of the rows that have a value are in it. What there are few of is read at once. Undefined where the
 * planner cannot tell how many there are, or the order is another one.
 */
async function readWindows(db: Queryable, request: PageRequest): Promise<PageRow[] | undefined> {
  const { count, sort, after, range: whole, isEstimable, hasLinks } = request;
  if (sort !== "key" || whole === undefined || !isEstimable || hasLinks) return undefined;
  const { rows } = await explain(db, sql`select from search_resource r where ${request.ofAnyType}`);
  let share = rows < WORTH_A_WINDOW ? 1 : (SPARE * (count + 1)) / rows;
  const found: PageRow[] = [];
  let seen = 0;
  for (let low = after === undefined ? whole.low : after.key + 1n; ;) {
    const window = windowOf({ low, high: whole.high }, whole, share < LARGEST_SHARE ? share : 1);
    const condition = request.within(window);
    found.push(...(await run(db, request, gatherSql({ ...request, condition, after: undefined }))));
    if (found.length > count) return found.slice(0, count + 1);
    if (window.high === whole.high) return found;
    low = window.high + 1n;
    seen += share;
    const needed = SPARE * (count + 1 - found.length);
    share = found.length === 0 ? share * 20 : (seen * needed) / found.length;
  }
}

/** Matches, by the planner's guess, from which on it is worth while not to read all of them. */
const WORTH_A_WINDOW = 400;
/** A window is to have so many times as many matches as are needed. */
const SPARE = 3;
/** A larger part of the range is no longer worth while: the rest is read. */
const LARGEST_SHARE = 0.3;

/**
 * The cost of a walk: the planner's, and a page for every step, because neighbours in an order are nowhere near each other
 * in the table, whatever its statistics say. Half of what all steps cost: most walks end at a third of {@link stepsFor}.
 */
async function walkingCost(db: Queryable, request: PageRequest, steps: number): Promise<number> {
  return (await explain(db, walkSql({ ...request, count: steps }, steps))).cost / 2 + steps / 2;
}

/** Planner's cost of gathering below which nothing else is tried: some 10 ms. */
const CHEAP = 8000;
/** Steps of the first walk, 2 to 5 ms, and of the longest. */
const SAMPLE_STEPS = 2000;
const MAX_STEPS = 50_000;

/**
 * How far to walk for a page when a walk of `steps` found `found` matches: three times as far as that lets expect.
 * Undefined where that is too far.
 */
export function stepsFor(steps: number, found: number, count: number): number | undefined {
  const needed = Math.ceil((3 * steps * (count + 1)) / found);
  return needed > MAX_STEPS ? undefined : needed;
}

/** The keys of the first matches among the first `steps` resources of the scope. */
export function walkSql({ scope, test, count, sort, after, isFiltered }: PageRequest, steps: number): Sql {
  const { rows, order } = ORDERS[sort](after);
  const first = sql`select r.segment, r.stamp, r.key, r.last_updated, r.equality
    from search_resource r where ${isFiltered ? scope : test}${rows} order by ${order} limit ${steps}`;
  if (!isFiltered) return first;
  return sql`select r.key, r.last_updated from (${first}) r where ${test} order by ${order} limit ${count + 1}`;
}

/** The keys of the first of all matches. Materialized: the planner must not turn it into a walk. */
export function gatherSql({ condition, count, sort, after }: PageRequest): Sql {
  const { rows, order } = ORDERS[sort](after);
  return sql`with r as materialized (
    select r.key, r.last_updated from search_resource r where ${condition}${rows})
    select r.key, r.last_updated from r order by ${order} limit ${count + 1}`;
}

type PageRow = VersionColumns & { key: string };

async function run(db: Queryable, { sort }: PageRequest, keys: Sql): Promise<PageRow[]> {
  const { heads } = ORDERS[sort](undefined);
  const found = await db.query<PageRow>(
    statement(
      sql`select p.key::text, v.id, ${HEAD_COLUMNS} from (${keys}) p join head v on v.key = p.key order by ${heads}`,
    ),
  );
  return found.rows;
}

function pageOf(found: readonly PageRow[], { count, sort }: PageRequest): Page {
  const lengths = found.map((row) => row.body_length);
  const rows = found.slice(0, fittingCount(lengths, count));
  const versions = rows.map((row) => versionOf(resourceTypeName(typeIdOfKey(BigInt(row.key))), row));
  const last = rows.at(-1);
  if (last === undefined || rows.length === found.length) return { versions, next: undefined };
  const key = BigInt(last.key);
  return { versions, next: sort === "key" ? { key } : { key, lastUpdated: BigInt(last.last_updated) } };
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
  const { rows } = await explain(db, sql`select from search_resource r where ${condition}`);
  return rows < WORTH_ESTIMATING ? countResources(db, condition) : Math.round(rows);
}

/** What the planner thinks of a query. */
export async function explain(db: Queryable, query: Sql): Promise<{ rows: number; cost: number }> {
  const found = await db.query<{ "QUERY PLAN": { Plan: { "Plan Rows": number; "Total Cost": number } }[] }>(
    statement(sql`explain (format json) ${query}`),
  );
  const plan = found.rows[0]?.["QUERY PLAN"][0]?.Plan;
  return { rows: plan?.["Plan Rows"] ?? 0, cost: plan?.["Total Cost"] ?? 0 };
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

const ORDERS: { readonly [sort in StoreOrder]: (after: Cursor | undefined) => Order } = {
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
