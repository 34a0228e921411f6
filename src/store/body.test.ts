import { describe, expect, it } from "vitest";
import { BlockCache } from "./body.ts";

describe("BlockCache", () => {
  it("keeps what was used last, within its capacity", () => {
    const cache = new BlockCache(100);
    for (const id of [1n, 2n, 3n, 4n]) cache.add(id, Buffer.alloc(25));
    cache.get(1n);
    cache.add(5n, Buffer.alloc(20));
    expect([1n, 2n, 3n, 4n, 5n].map((id) => cache.get(id) !== undefined)).toEqual([true, false, true, true, true]);
  });

  it("does not give all its room to one block, and keeps nothing with no capacity", () => {
    const cache = new BlockCache(100);
    cache.add(1n, Buffer.alloc(26));
    expect(cache.get(1n)).toBeUndefined();
    const none = new BlockCache(0);
    none.add(1n, Buffer.alloc(1));
    expect(none.get(1n)).toBeUndefined();
  });
});
