import { any, sql } from "../../postgres/sql.ts";
import { NEVER, type Condition, type RowCondition } from "./condition.ts";
import { meetInRows } from "./row-merge.ts";

/** One of the conditions. */
export function oneOf(conditions: readonly Condition[]): Condition {
  const flat = conditions.flatMap((condition) => (condition.kind === "or" ? condition.conditions : [condition]));
  const merged: Condition[] = [];
  const holds = flat.flatMap((condition) => (condition.kind === "holds" ? condition.values : []));
  if (holds.length > 0) merged.push({ kind: "holds", values: [...new Set(holds)] });
  const rows = new Map<string, RowCondition[]>();
  for (const condition of flat) {
    if (condition.kind === "row") {
      const { table, parameters, range } = condition;
      const name = `${table} ${parameters.join()} ${range?.low} ${range?.high}`;
      rows.set(name, [...(rows.get(name) ?? []), condition]);
    } else if (condition.kind !== "holds") {
      merged.push(condition);
    }
  }
  for (const alternatives of rows.values()) merged.push(oneRow(alternatives));
  return merged.length === 1 && merged[0] !== undefined ? merged[0] : { kind: "or", conditions: merged };
}

/** One row for what differs in its test only. */
function oneRow(alternatives: readonly RowCondition[]): Condition {
  const [first, ...others] = alternatives;
  if (first === undefined) return NEVER;
  if (others.length === 0) return first;
  const { guess: _guess, branches: _branches, dates: _dates, element, ...given } = first;
  const row = element !== undefined && others.every((each) => each.element === element) ? { ...given, element } : given;
  const guesses = alternatives.flatMap(({ guess }) => (guess === undefined ? [] : [guess]));
  const test = any(alternatives.map((each) => each.test));
  return guesses.length === alternatives.length ? { ...row, test, guess: any(guesses) } : { ...row, test };
}

/** All of the conditions; those that ask rows of the same parameter are asked in one go. */
export function allOf(conditions: readonly Condition[]): Condition {
  const flat = meetInRows(
    conditions.flatMap((condition) => (condition.kind === "and" ? condition.conditions : [condition])),
  );
  return flat.length === 1 && flat[0] !== undefined ? flat[0] : { kind: "and", conditions: flat };
}

/**
 * The same condition, when the values that it asks for are few: that keys are in a range is tested on what they find. The
 * planner, which takes many rare values for frequent ones, would read all keys of a type to be spared some of these rows.
 */
export function testingRange(condition: Condition): Condition {
  if (condition.kind === "or") return { ...condition, conditions: condition.conditions.map(testingRange) };
  if (condition.kind !== "and") return condition;
  const hasValues = condition.conditions.some(({ kind }) => kind === "holds");
  return allOf(
    condition.conditions.map((each) =>
      hasValues && each.kind === "within"
        ? { kind: "sql", test: sql`(r.key between ${each.low} and ${each.high}) is true` }
        : testingRange(each),
    ),
  );
}
