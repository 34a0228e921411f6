import type { Queryable } from "../../postgres/pool.ts";
import { type Condition, type KeyRange } from "../condition/condition.ts";
import { isEstimable } from "../condition/condition-sql.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { hasLinks } from "../condition/condition-sql.ts";
import { gatherSql, orderOf, pageOf, readRows, type InOrder, type Page, type PageRow } from "./page-rows.ts";
import { explain } from "../cost/planner.ts";
import { sql, type Sql } from "../../postgres/sql.ts";
import { readWindows } from "./windows.ts";

/** What to read. */
export interface PageRequest extends InOrder {
  /** On rows `r` of search_resource: the searched types, and everything that is asked of them. */
  scope: Sql;
  resolved: Condition;
  /** The SQL that finds all rows that meet it: `gatheringSql`. */
  gathering: () => Promise<Sql>;
  /** The one range of keys that all matches have, if there is one. */
  range: KeyRange | undefined;
  /** False when the condition says no more than the scope. */
  isFiltered: boolean;
}

/**
 * Reads a page. One resource more than asked for is looked for, to know whether there is a next page.
 *
 * In the order of keys the range of keys is read window by window, where the planner can tell how wide they must be. Otherwise
 * there are two ways to the first matches in an order: to walk in that order until there are enough, which is quick when
 * matches are frequent, or to gather all matches and sort them, which is quick when they are rare. The planner, left
 * alone, takes a walk whenever that is cheaper on average, and passes by millions of resources when matches are rarer
 * than it thought. Here a walk has a bounded number of steps, and gathering follows when it did not find enough.
 */
export async function readPage(db: Queryable, request: PageRequest): Promise<Page> {
  return pageOf(await readFirst(db, request), request);
}

async function readFirst(db: Queryable, request: PageRequest): Promise<PageRow[]> {
  const { count, sort, range, resolved, isFiltered } = request;
  if (!isFiltered) return readRows(db, request, walkSql(request, count + 1));
  const isLinked = hasLinks(resolved);
  if (sort === "key" && range !== undefined && isEstimable(resolved) && !isLinked) {
    return readWindows(db, { ...request, range });
  }
  // Links that are left lead to very many, of whatever the planner thinks there are few.
  const cost = isLinked ? Infinity : await gatheringCost(db, request);
  if (cost > CHEAP) {
    // Testing a row then means looking at other resources: some ten times as long.
    const sampleSteps = isLinked ? SAMPLE_STEPS / 10 : SAMPLE_STEPS;
    const sample = await readRows(db, request, walkSql(request, sampleSteps));
    if (sample.length > count) return sample;
    const steps = isLinked && sample.length === 0 ? SAMPLE_STEPS : stepsFor(sampleSteps, sample.length, count);
    if (steps !== undefined && (await walkingCost(db, request, steps)) < (await gatheringCost(db, request))) {
      const walked = await readRows(db, request, walkSql(request, steps));
      if (walked.length > count) return walked;
    }
  }
  return readRows(db, request, gatherSql(await request.gathering(), request));
}

/** The planner's cost of gathering all matches; infinite where it cannot tell how many there are. */
async function gatheringCost(db: Queryable, request: PageRequest): Promise<number> {
  if (!isEstimable(request.resolved)) return Infinity;
  return (await explain(db, gatherSql(await request.gathering(), request))).cost;
}

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
function walkSql(request: PageRequest, steps: number): Sql {
  const { scope, resolved, count, isFiltered } = request;
  const test = conditionSql(resolved, "walk");
  const { rows, order } = orderOf(request);
  const first = sql`select r.segment, r.stamp, r.key, r.last_updated, r.equality
    from search_resource r where ${isFiltered ? scope : test}${rows} order by ${order} limit ${steps}`;
  if (!isFiltered) return first;
  return sql`select r.key, r.last_updated from (${first}) r where ${test} order by ${order} limit ${count + 1}`;
}
