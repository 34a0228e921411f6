import { describe, expect, it } from "vitest";
import { isOutOfMemory, threadHeapMegabytes, usableMemory } from "./memory.ts";

const GIGABYTE = 1024 ** 3;

describe("threadHeapMegabytes", () => {
  it.each([
    [24 * GIGABYTE, 2, 2048],
    [24 * GIGABYTE, 8, 768],
    [8 * GIGABYTE, 4, 512],
    [4 * GIGABYTE, 2, 512],
    [2 * GIGABYTE, 2, 256],
    [1 * GIGABYTE, 2, 192],
    [GIGABYTE / 2, 1, 192],
    [64 * GIGABYTE, 0, 2048],
  ])("%d bytes of memory, %d threads: %d MB each", (memory, threads, expected) => {
    expect(threadHeapMegabytes(memory, threads)).toBe(expected);
  });
});

describe("usableMemory", () => {
  it("is no more than the machine has", () => {
    expect(usableMemory()).toBeGreaterThan(GIGABYTE / 4);
    expect(Number.isSafeInteger(usableMemory())).toBe(true);
  });
});

describe("isOutOfMemory", () => {
  it.each([
    [Object.assign(new Error("x"), { code: "ERR_WORKER_OUT_OF_MEMORY" }), true],
    [new Error("x"), false],
    [null, false],
    [undefined, false],
  ])("%s: %s", (error, expected) => {
    expect(isOutOfMemory(error)).toBe(expected);
  });
});
