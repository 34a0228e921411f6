import type { Condition, RowCondition, RowsCondition } from "./condition.ts";
import { bothBounds, dateBoundsTest } from "./ordered.ts";
import { all } from "../../postgres/sql.ts";

/**
 * The conditions, all of which must be met, with those on rows of one parameter put together. Where the rows are of one element
 * (`element`), one row passes all tests, and the index is asked for the range that they have in common. Elements that repeat may
 * each pass another test (R4 search, 3.1.1.5.5): two such conditions are joined, all others read the resource's rows once.
 */
export function meetInRows(conditions: readonly Condition[]): readonly Condition[] {
  if (conditions.filter(isOfRows).length < 2) return conditions;
  const together: Condition[] = [];
  const places = new Map<string, number>();
  for (const condition of conditions) {
    const name = condition.kind === "row" && condition.element !== undefined ? elementName(condition) : undefined;
    const place = name === undefined ? undefined : places.get(name);
    const known = place === undefined ? undefined : together[place];
    if (place !== undefined && known?.kind === "row" && condition.kind === "row") {
      together[place] = oneRow(known, condition);
    } else {
      if (name !== undefined) places.set(name, together.length);
      together.push(condition);
    }
  }
  return withFewJoins(together);
}

function isOfRows({ kind }: Condition): boolean {
  return kind === "row" || kind === "rows";
}

function elementName({ table, parameters, element = "" }: RowCondition): string {
  return `${table} ${parameters.join()} ${element}`;
}

function oneRow(a: RowCondition, b: RowCondition): RowCondition {
  const { guess, branches: _branches, dates: _dates, ...row } = a;
  const range = a.range ?? b.range;
  const [parameter] = a.parameters;
  const dates = a.dates === undefined || b.dates === undefined ? undefined : bothBounds(a.dates, b.dates);
  const merged = { ...row, ...(range === undefined ? {} : { range }) };
  if (dates !== undefined && parameter !== undefined) {
    return { ...merged, dates, test: dateBoundsTest(parameter, dates) };
  }
  const test = all([a.test, b.test]);
  return guess === undefined || b.guess === undefined
    ? { ...merged, test }
    : { ...merged, test, guess: all([guess, b.guess]) };
}

/** Rows of one parameter that two conditions may ask, each by itself. */
const MOST_JOINED = 2;

function withFewJoins(conditions: readonly Condition[]): readonly Condition[] {
  const joined = new Map<string, number>();
  const kept: Condition[] = [];
  const read = new Map<string, RowsCondition>();
  for (const condition of conditions) {
    if (condition.kind !== "row" && condition.kind !== "rows") {
      kept.push(condition);
      continue;
    }
    const { table, parameters, range } = condition;
    const name = `${table} ${parameters.join()}`;
    const count = joined.get(name) ?? 0;
    if (condition.kind === "row" && count < MOST_JOINED) {
      joined.set(name, count + 1);
      kept.push(condition);
      continue;
    }
    const tests = condition.kind === "row" ? [condition.test] : condition.tests;
    const known = read.get(name);
    const rows = { kind: "rows", table, parameters, tests: [...(known?.tests ?? []), ...tests] } as const;
    const keys = known?.range ?? range;
    read.set(name, keys === undefined ? rows : { ...rows, range: keys });
  }
  return [...kept, ...read.values()];
}
