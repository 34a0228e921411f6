import { describe, expect, it } from "vitest";
import { SearchRows, TooManySearchValues } from "./search-rows.ts";

const LIMIT = 1000;
const ZERO = { high: 0, low: 0 };
const RANGE = { lowHigh: 0, lowLow: 0, highHigh: 0, highLow: 1 };

/** What one resource may have too much of. */
const KINDS: readonly [string, (rows: SearchRows, number: number) => void][] = [
  ["equality", (rows, number) => rows.equality(1, number)],
  ["date", (rows) => rows.date(1, RANGE)],
  ["quantity", (rows) => rows.quantity(1, "1", "2", ZERO, ZERO)],
  ["string", (rows, number) => rows.string(1, `text ${number}`, `text ${number}`)],
  ["term", (rows, number) => rows.term(1, 1, number, "text")],
];

function some(rows: SearchRows): void {
  for (const [, each] of KINDS) each(rows, 1);
}

function resource(rows: SearchRows, fill: () => void): void {
  rows.begin(1, 2);
  try {
    fill();
  } catch (error) {
    rows.undo();
    throw error;
  }
  rows.end();
}

function written(rows: SearchRows): Buffer[] {
  return [rows.resources, rows.dates, rows.quantities, rows.strings].map((buffer) => Buffer.from(buffer.written()));
}

describe("SearchRows: the limit of one resource", () => {
  it.each(KINDS)("%s: a resource with too many has no rows, and its neighbours keep theirs", (_, add) => {
    const expected = new SearchRows(1 << 12, LIMIT);
    const rows = new SearchRows(1 << 12, LIMIT);
    for (const each of [expected, rows]) each.clear(100);
    resource(rows, () => some(rows));
    const tooMany = (): void =>
      resource(rows, () => {
        some(rows);
        for (let number = 2; number < 500; number++) add(rows, number);
      });
    expect(tooMany).toThrow(TooManySearchValues);
    resource(rows, () => some(rows));
    for (let count = 0; count < 2; count++) resource(expected, () => some(expected));
    expect(written(rows)).toEqual(written(expected));
    expect(rows.rangesOf([true, true, true])).toEqual(expected.rangesOf([true, true, true]));
  });

  it("a text longer than the limit is not copied", () => {
    const rows = new SearchRows(1 << 12, LIMIT);
    rows.clear(0);
    const long = "x".repeat(2000);
    expect(() => resource(rows, () => rows.string(1, long, long))).toThrow(
      "The resource has too many search values: its first 1 values (texts) take more than the 1000 bytes that one resource may have of one kind.",
    );
    expect(rows.strings.bytes.length).toBeLessThanOrEqual(1 << 12);
    expect(rows.bytes).toBe(0);
  });
});
