import { describe, expect, it } from "vitest";
import { splitIntoUnits } from "./plan.ts";

describe("planUnits (contract 4.2)", () => {
  it.each([
    [0, 10, [[0, 0]]],
    [1, 10, [[0, 1]]],
    [10, 10, [[0, 10]]],
    // prettier-ignore
    [11, 10, [[0, 10], [10, 11]]],
    [3, 1, [[0, 1], [1, 2], [2, 3]]], // prettier-ignore
  ])("cuts %i bytes by %i", (length, unitSize, expected) => {
    expect([...splitIntoUnits(length, unitSize)].map(({ start, end }) => [start, end])).toEqual(expected);
  });

  it("is an iterator: 10 TB in units of one byte take no memory", () => {
    const units = splitIntoUnits(10_000_000_000_000, 1);
    for (let count = 0; count < 1_000; count++) units.next();
    expect(units.next().value).toEqual({ start: 1_000, end: 1_001 });
    units.return();
  });

  it.each([
    [-1, 1],
    [1, 0],
    [1, -5],
    [1, 1.5],
    [Number.NaN, 1],
  ])("refuses length %d, unit size %d", (length, unitSize) => {
    expect(() => splitIntoUnits(length, unitSize).next()).toThrow(RangeError);
  });
});
