import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { BlockCache, readBodies } from "./body.ts";
import type { Queryable } from "../../postgres/pool.ts";

describe("BlockCache", () => {
  it("keeps what was used last, within its capacity", () => {
    const cache = new BlockCache(100);
    for (const id of [1n, 2n, 3n, 4n]) cache.add(id, Buffer.alloc(25));
    cache.get(1n);
    cache.add(5n, Buffer.alloc(20));
    expect([1n, 2n, 3n, 4n, 5n].map((id) => cache.get(id) !== undefined)).toEqual([true, false, true, true, true]);
  });

  it("gives back the memory of what it drops, but never memory that others share", () => {
    const cache = new BlockCache(40_000);
    const own = Buffer.alloc(10_000);
    const [shared, neighbour] = [Buffer.from("a small block"), Buffer.from("beside it")];
    expect(shared.buffer).toBe(neighbour.buffer);
    cache.add(1n, own);
    cache.add(2n, shared);
    for (const id of [3n, 4n, 5n, 6n]) cache.add(id, Buffer.alloc(10_000));
    expect([1n, 2n, 3n, 4n].map((id) => cache.get(id)?.length)).toEqual([undefined, undefined, 10_000, 10_000]);
    expect([shared, neighbour].map(String)).toEqual(["a small block", "beside it"]);
    // Node.js 20 cannot.
    if ("transfer" in ArrayBuffer.prototype) expect(own.length).toBe(0);
  });

  it("keeps small blocks in memory of their own, which are not shared with what comes and goes", async () => {
    const raw = Buffer.from("a small body".repeat(50));
    const rows = Array.from({ length: 10 }, (_, id) => ({
      id: String(id),
      raw_length: raw.length,
      bytes: deflateRawSync(raw),
    }));
    const cache = new BlockCache(1 << 20);
    const places = rows.map(({ id }) => ({ block: BigInt(id), offset: 0, length: raw.length }));
    const database = { query: async () => await Promise.resolve({ rows }) } as unknown as Queryable;
    expect((await readBodies(database, cache, places)).map(String)).toEqual(rows.map(() => raw.toString()));
    for (const { id } of rows) expect(cache.get(BigInt(id))?.buffer.byteLength).toBeLessThanOrEqual(raw.length + 1);
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
