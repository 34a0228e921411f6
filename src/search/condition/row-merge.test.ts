import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PREFIXES, type DateValue } from "../criteria/criteria.ts";
import { sql } from "../../postgres/sql.ts";
import { type Condition, type RowCondition } from "./condition.ts";
import { allOf } from "./combine.ts";
import { bothBounds, dateBounds, type DateBounds, type DateRules } from "./ordered.ts";

function row(parameter: number, more: Partial<RowCondition> = {}): RowCondition {
  return { kind: "row", table: "search_quantity", parameters: [parameter], test: sql`s.low > 1`, ...more };
}

function kinds(condition: Condition): string[] {
  return condition.kind === "and" ? condition.conditions.map(({ kind }) => kind) : [condition.kind];
}

describe("conditions on rows of one parameter", () => {
  it("are one where they are of one element", () => {
    expect(kinds(allOf([row(1, { element: "x" }), row(1, { element: "x" }), row(1, { element: "x" })]))).toEqual([
      "row",
    ]);
  });

  it("stay apart where the elements, the parameters or the tables differ", () => {
    expect(kinds(allOf([row(1, { element: "x" }), row(1, { element: "y" })]))).toEqual(["row", "row"]);
    expect(kinds(allOf([row(1, { element: "x" }), row(2, { element: "x" })]))).toEqual(["row", "row"]);
    expect(kinds(allOf([row(1, { element: "x" }), row(1, { element: "x", table: "search_date" })]))).toHaveLength(2);
  });

  it("are joined twice, and read together beyond that, where elements repeat", () => {
    const found = allOf(Array.from({ length: 50 }, () => row(1)));
    expect(kinds(found)).toEqual(["row", "row", "rows"]);
    const tests =
      found.kind === "and" ? found.conditions.flatMap((each) => (each.kind === "rows" ? each.tests : [])) : [];
    expect(tests).toHaveLength(48);
    expect(kinds(allOf([found, row(1), row(2)]))).toEqual(["row", "row", "row", "rows"]);
  });
});

const ticks = fc.bigInt({ min: -20n, max: 20n });
const ranges = fc.tuple(ticks, ticks).map(([a, b]) => (a < b ? { low: a, high: b } : { low: b, high: a }));
const rules = fc.constantFrom<DateRules>({ dateEquality: "overlap", now: 0 }, { dateEquality: "contain", now: 0 });

function isWithin({ low, high }: { low: bigint; high: bigint }, bounds: DateBounds): boolean {
  const { leastLow = low, greatestLow = low, leastHigh = high, greatestHigh = high } = bounds;
  return leastLow <= low && low <= greatestLow && leastHigh <= high && high <= greatestHigh;
}

describe("bounds of dates", () => {
  const values = fc
    .tuple(fc.constantFrom(...PREFIXES.filter((prefix) => prefix !== "ne" && prefix !== "ap")), ranges)
    .map(([prefix, range]): DateValue => ({ type: "date", prefix, ...range }));

  it("say what the prefixes mean", () => {
    fc.assert(
      fc.property(values, ranges, rules, (value, stored, how) => {
        const bounds = dateBounds(value, how);
        expect(bounds !== undefined && isWithin(stored, bounds)).toBe(meets(stored, value, how));
      }),
    );
  });

  it("of two dates are those that both allow", () => {
    fc.assert(
      fc.property(values, values, ranges, rules, (first, second, stored, how) => {
        const together = bothBounds(dateBounds(first, how) ?? {}, dateBounds(second, how) ?? {});
        expect(isWithin(stored, together)).toBe(meets(stored, first, how) && meets(stored, second, how));
      }),
    );
  });
});

/** R4 search, 3.1.1.4.5 and 3.1.1.4.7, and decision D-20 for `eq`. */
function meets(stored: { low: bigint; high: bigint }, { prefix, low, high }: DateValue, how: DateRules): boolean {
  switch (prefix) {
    case "lt":
      return stored.low < low;
    case "gt":
      return stored.high > high;
    case "le":
      return stored.low <= high;
    case "ge":
      return stored.high >= low;
    case "sa":
      return stored.low > high;
    case "eb":
      return stored.high < low;
    default:
      return how.dateEquality === "overlap"
        ? stored.low <= high && stored.high >= low
        : stored.low >= low && stored.high <= high;
  }
}
