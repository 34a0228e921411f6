import { array, assert, constantFrom, integer, oneof, property, tuple } from "fast-check";
import { describe, expect, it } from "vitest";
import { PairSet } from "./pair-set.ts";

const half = oneof(constantFrom(0, 1, -1, 128, -0x80000000, 0x7fffffff), integer());

describe("PairSet", () => {
  it("holds what was added and nothing else", () => {
    assert(
      property(array(tuple(half, half), { maxLength: 600 }), array(tuple(half, half)), (added, others) => {
        const set = new PairSet(Infinity);
        const expected = new Set<string>();
        for (const [high, low] of added) {
          expect(set.add(high, low)).toBe(!expected.has(`${high} ${low}`));
          expected.add(`${high} ${low}`);
        }
        for (const [high, low] of [...added, ...others])
          expect(set.has(high, low)).toBe(expected.has(`${high} ${low}`));
        const listed: string[] = [];
        set.each((high, low) => void listed.push(`${high} ${low}`));
        expect(listed.toSorted()).toEqual([...expected].toSorted());
      }),
    );
  });

  it("is emptied when it is full", () => {
    const set = new PairSet(3);
    for (const value of [1, 2, 3]) set.add(0, value);
    expect(set.add(0, 3)).toBe(false);
    expect(set.add(0, 4)).toBe(true);
    expect([1, 2, 3, 4].map((value) => set.has(0, value))).toEqual([false, false, false, true]);
  });
});
