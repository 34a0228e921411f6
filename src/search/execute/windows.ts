import type { Queryable } from "../../postgres/pool.ts";
import { ALWAYS, type Condition, type KeyRange } from "../condition/condition.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { testingRange } from "../condition/combine.ts";
import { allOf } from "../condition/combine.ts";
import { gatherSql, readRows, type InOrder, type PageRow } from "./page-rows.ts";
import { orderedBranches, readAlongRows } from "./ordered-rows.ts";
import { expectedMatches } from "../cost/planner.ts";
import { all, sql } from "../../postgres/sql.ts";

/** What is read in windows: what meets the condition in a range of keys, which all matches are in. */
export interface WindowsRequest extends InOrder {
  resolved: Condition;
  range: KeyRange;
}

/**
 * The first matches in the order of keys, one more than asked for if there are so many. The range of keys is read in one part
 * after another until there are enough: keys are hashes, so a part of their range has the same part of the matches, and the
 * index of keys tells which of the many rows that have a value are in it. What there are few of is read at once.
 */
export async function readWindows(db: Queryable, request: WindowsRequest): Promise<PageRow[]> {
  const { resolved, count, backwards, range: whole } = request;
  const branches = orderedBranches(resolved);
  if (branches !== undefined) return readAlongRows(db, { ...request, branches });
  const found: PageRow[] = [];
  const worth = hasRows(resolved) ? WORTH_A_WINDOW / 5 : WORTH_A_WINDOW;
  let expected = await expectedMatches(db, resolved);
  let seen = 0;
  for (let { from } = request; ;) {
    const needed = count + 1 - found.length;
    const share = expected < worth ? 1 : (SPARE * needed) / expected;
    const window = share < LARGEST_SHARE ? windowBeside({ from, backwards }, whole, share) : undefined;
    // The rest is what is greater than a key, and not a range: the planner would read all keys of the type.
    const all = seen === 0 && expected < worth ? testingRange(resolved) : resolved;
    const condition = conditionSql(window === undefined ? all : conditionWithin(resolved, window));
    const rest = { ...request, from: window === undefined ? from : undefined };
    found.push(...(await readRows(db, request, gatherSql(condition, rest))));
    if (window === undefined || found.length > count) return found.slice(0, count + 1);
    from = { key: backwards ? window.low : window.high };
    seen += share;
    // Nothing where 30 were expected: a twentieth of them is still much.
    expected = found.length === 0 ? expected / 20 : found.length / seen;
  }
}

/**
 * Matches, by the planner's guess, from which on it is worth while not to read all of them: 2 ms. Rows of values take five times
 * as long, as each has to be joined to its resource.
 */
const WORTH_A_WINDOW = 1000;
/** A window is to have so many times as many matches as are needed. */
const SPARE = 3;
/** A larger part of the range is no longer worth while: the rest is read. */
const LARGEST_SHARE = 0.3;

function hasRows(condition: Condition): boolean {
  return condition.kind === "row" || (condition.kind === "and" && condition.conditions.some(hasRows));
}

/** The condition, for resources of a range of keys only, which is part of every other one. */
function conditionWithin(condition: Condition, range: KeyRange): Condition {
  return allOf([narrowed(condition, range), { kind: "within", ...range }]);
}

function narrowed(condition: Condition, range: KeyRange): Condition {
  const { low, high } = range;
  switch (condition.kind) {
    case "row": {
      const { range: _all, element: _element, dates: _dates, ...row } = condition;
      return { ...row, test: all([sql`s.key between ${low} and ${high}`, row.test]) };
    }
    case "rows": {
      const { range: _all, ...rows } = condition;
      return { ...rows, range };
    }
    case "keys":
      return { kind: "keys", keys: condition.keys.filter((key) => low <= key && key <= high) };
    case "within":
      return ALWAYS;
    case "and":
      return allOf(condition.conditions.map((each) => narrowed(each, range)));
    case "or":
      return { ...condition, conditions: condition.conditions.map((each) => narrowed(each, range)) };
    default:
      return condition;
  }
}

/** The keys behind a position, or, backwards, before it, `share` of `whole`; undefined when these are all there are. */
export function windowBeside(
  { from, backwards }: { from: { key: bigint } | undefined; backwards: boolean },
  whole: KeyRange,
  share: number,
): KeyRange | undefined {
  const size = ((whole.high - whole.low) * BigInt(Math.ceil(share * 2 ** 30))) >> 30n;
  if (backwards) {
    const high = from === undefined ? whole.high : from.key - 1n;
    const low = high - size;
    return low > whole.low ? { low, high } : undefined;
  }
  const low = from === undefined ? whole.low : from.key + 1n;
  const high = low + size;
  return high < whole.high ? { low, high } : undefined;
}
