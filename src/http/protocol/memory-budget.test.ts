import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryBudget, type Share } from "./memory-budget.ts";

const MB = 1 << 20;

describe("a budget of memory", () => {
  it("refuses what does not fit, and keeps an eighth for small requests", () => {
    const budget = new MemoryBudget(80 * MB);
    const [large, other, small] = [budget.open(), budget.open(), budget.open()] as [Share, Share, Share];
    expect(budget.take(large, 60 * MB)).toBe(true);
    expect(budget.take(other, 11 * MB)).toBe(false);
    expect(budget.take(other, 10 * MB)).toBe(true);
    expect(budget.take(small, 256 * 1024)).toBe(true);
    expect(budget.take(small, 1)).toBe(false);
    budget.close(large);
    expect(budget.held).toBe(10 * MB + 256 * 1024);
  });

  it("counts what large requests held until it is collected, at the latest with an eighth, or when nothing else is held", () => {
    let collections = 0;
    const budget = new MemoryBudget(80 * MB, () => collections++);
    const shares = Array.from({ length: 4 }, () => budget.open());
    for (const share of shares) budget.add(share, 8 * MB);
    const [first, second, third, fourth] = shares as [Share, Share, Share, Share];
    budget.close(first);
    expect([budget.held, collections]).toEqual([32 * MB, 0]);
    budget.close(second);
    expect([budget.held, collections]).toEqual([16 * MB, 1]);
    budget.close(third);
    expect([budget.held, collections]).toEqual([16 * MB, 1]);
    // Of the room for small requests garbage takes nothing.
    budget.add(fourth, 63 * MB);
    expect(budget.take(budget.open(), 1024)).toBe(true);
    budget.add(fourth, -63 * MB);
    budget.close(fourth);
    expect([budget.held, collections]).toEqual([1024, 2]);
  });

  it("lets one request go on that is alone, however much it needs", () => {
    const budget = new MemoryBudget(MB);
    const share = budget.open();
    expect(budget.take(share, 5 * MB)).toBe(true);
    expect(budget.take(share, 5 * MB)).toBe(true);
    expect(budget.take(budget.open(), 1)).toBe(false);
  });

  it("gives room to the oldest that waits, which no younger one passes by", () => {
    const budget = new MemoryBudget(80 * MB);
    const [first, old, young] = [budget.open(), budget.open(), budget.open()] as [Share, Share, Share];
    budget.add(first, 60 * MB);
    const served: string[] = [];
    budget.wait(young, 15 * MB, "working", () => served.push("young"));
    budget.wait(old, 15 * MB, "working", () => served.push("old"));
    const leave = budget.wait(budget.open(), MB, "working", () => served.push("left"));
    expect([budget.isShort, served]).toEqual([true, []]);
    leave();
    expect(budget.take(budget.open(), MB)).toBe(false);
    budget.add(first, -10 * MB);
    expect(served).toEqual(["old"]);
    budget.close(first);
    expect(served).toEqual(["old", "young"]);
    expect([budget.isShort, budget.held]).toEqual([false, 30 * MB]);
  });

  it("keeps half for carrying requests out: bodies that come cannot stop one another", () => {
    const budget = new MemoryBudget(80 * MB);
    const [first, second] = [budget.open(), budget.open()] as [Share, Share];
    expect(budget.take(first, 30 * MB, "receiving")).toBe(true);
    expect(budget.take(second, 11 * MB, "receiving")).toBe(false);
    expect(budget.take(second, 10 * MB, "receiving")).toBe(true);
    expect(budget.take(first, 30 * MB)).toBe(true);
  });

  it("holds the sum of its shares, never grants more than its limit to several, and forgets nothing", () => {
    const step = fc.record({ share: fc.nat(4), bytes: fc.integer({ min: -40, max: 60 }), waits: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const budget = new MemoryBudget(100 * MB);
        const shares = Array.from({ length: 5 }, () => budget.open());
        const sum = (): number => shares.reduce((total, { held }) => total + held, 0);
        for (const { share: index, bytes, waits } of steps) {
          const share = shares[index] as Share;
          const others = sum() - share.held;
          if (bytes < 0) budget.add(share, bytes * MB);
          else if (budget.take(share, bytes * MB)) expect(others === 0 || sum() <= 100 * MB).toBe(true);
          else if (waits) budget.wait(share, bytes * MB, "working", () => undefined);
          expect(budget.held).toBe(sum());
          expect(shares.every(({ held }) => held >= 0)).toBe(true);
        }
        // Waiters take what is given back, so that it takes some rounds.
        for (let round = 0; round <= steps.length; round++) for (const share of shares) budget.close(share);
        expect([budget.held, budget.isShort]).toEqual([0, false]);
      }),
    );
  });
});
