import { allOf, type Condition } from "./condition.ts";
import { all, sql } from "./sql.ts";

/** A closed range of keys. */
export interface KeyRange {
  low: bigint;
  high: bigint;
}

/** The condition, for resources of a range of keys only. Rows of values, and lists of keys, are narrowed as well. */
export function conditionWithin(condition: Condition, range: KeyRange): Condition {
  return allOf([narrowed(condition, range), { kind: "within", ...range }]);
}

function narrowed(condition: Condition, { low, high }: KeyRange): Condition {
  switch (condition.kind) {
    case "row":
      return { ...condition, test: all([sql`s.key between ${low} and ${high}`, condition.test]) };
    case "keys":
      return { kind: "keys", keys: condition.keys.filter((key) => low <= key && key <= high) };
    case "and":
    case "or":
      return { ...condition, conditions: condition.conditions.map((each) => narrowed(each, { low, high })) };
    default:
      return condition;
  }
}

/**
 * The condition as the planner is asked how many resources it finds: without the range of a type. The planner takes types and
 * values for independent, but most values belong to one type, and it would expect a fraction of what there is.
 */
export function conditionOfAnyType(condition: Condition): Condition {
  if (condition.kind !== "and" || !condition.conditions.some(hasValues)) return condition;
  return allOf(condition.conditions.filter(({ kind }) => kind !== "within"));
}

function hasValues({ kind }: Condition): boolean {
  return kind === "holds" || kind === "row" || kind === "keys";
}

/** The beginning of `range`, `share` of `whole` wide; all of it when it is no wider than that. */
export function windowOf(range: KeyRange, whole: KeyRange, share: number): KeyRange {
  const width = ((whole.high - whole.low) * BigInt(Math.ceil(share * 2 ** 30))) >> 30n;
  const high = range.low + width;
  return { low: range.low, high: high < range.high ? high : range.high };
}
