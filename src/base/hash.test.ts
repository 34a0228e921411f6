import { describe, expect, it } from "vitest";
import { fromBigInt, hashPair, hashText, toBigInt, type Int64Halves } from "./hash.ts";

function high(text: string, seed: number): number {
  const out: Int64Halves = { high: 0, low: 0 };
  hashText(text, seed, out);
  return out.high >>> 0;
}

describe("hashText", () => {
  // Published MurmurHash3_x86_32 vectors whose bytes are valid UTF-16LE pairs: bytes 21 43 65 87 are U+4321 U+8765.
  it.each([
    ["", 0, 0x00000000],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    ["\u4321\u8765", 0, 0xf55b516b],
    ["\u4321\u8765", 0x5082edee, 0x2362f9de],
    ["\u4321", 0, 0xa0f7b07a],
    ["\u0000\u0000", 0, 0x2362f9de],
    ["\u0000", 0, 0x30f4c306],
  ])("gives the published value of %j with seed %i", (text, seed, expected) => {
    expect(high(text, seed)).toBe(expected);
  });

  it("gives an unrelated low half", () => {
    const out: Int64Halves = { high: 0, low: 0 };
    hashText("Patient/1", 7, out);
    expect(out.low).not.toBe(out.high);
  });
});

describe("halves and BigInt", () => {
  it.each([0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 0x1234_5678_9abc_def0n])("round trips %s", (value) => {
    expect(toBigInt(fromBigInt(value))).toBe(value);
  });

  it("hashes a pair in order", () => {
    const out: Int64Halves = { high: 0, low: 0 };
    hashPair({ high: 1, low: 2 }, { high: 3, low: 4 }, 0, out);
    const forward = toBigInt(out);
    hashPair({ high: 3, low: 4 }, { high: 1, low: 2 }, 0, out);
    expect(toBigInt(out)).not.toBe(forward);
  });
});
