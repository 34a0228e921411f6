import { describe, expect, it } from "vitest";
import type { LineRules } from "../../check/check-line.ts";
import { createIndexer } from "../../index/indexer.ts";
import { LineFramer } from "../../split/line-framer.ts";
import type { LineBlock } from "../../split/line-block.ts";
import { Batch } from "./batch.ts";
import { noTimes } from "./stage-times.ts";

const RULES: LineRules = { mode: "InitialLoad", declaredType: undefined, now: Date.now() };

const patient = (id: string, more = ""): string => `{"resourceType":"Patient","id":"${id}"${more}}\n`;
/** Names that differ, of seven bytes each. */
const names = (count: number): string =>
  `,"name":[{"given":[${Array.from({ length: count }, (_, number) => `"${(number + 1_000_000).toString(36)}"`).join()}]}]`;

function blockOf(text: string): LineBlock {
  const bytes = Buffer.from(text);
  const block = new LineFramer({ start: 0, end: bytes.length, fileLength: bytes.length }).push(bytes);
  if (block === undefined) throw new Error("no lines");
  return block;
}

function newBatch(): Batch {
  const batch = new Batch(createIndexer(), noTimes());
  batch.clear(1);
  return batch;
}

describe("Batch: memory", () => {
  it("a line with too many search values is rejected with the limit, its neighbours are taken", () => {
    const batch = newBatch();
    const block = blockOf(patient("a") + patient("many", names(700_000)) + patient("b"));
    expect(batch.addLines(block, 0, RULES)).toBe(3);
    expect(batch.lines.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(batch.rejected).toMatchObject([{ line: 2, code: "too-costly" }]);
    expect(batch.rejected[0]?.message).toMatch(/\(texts\) take more than the 33554432 bytes/);
  });

  it("is full before its lines are, when they have very many search values", () => {
    const batch = newBatch();
    const block = blockOf(Array.from({ length: 6 }, (_, number) => patient(`p${number}`, names(60_000))).join(""));
    const next = batch.addLines(block, 0, RULES);
    expect(batch.isFull).toBe(true);
    expect(next).toBeGreaterThan(0);
    expect(next).toBeLessThan(6);
    expect(batch.rejected).toEqual([]);
  });

  it("is full when small lines keep much of the file, because large ones beside them were rejected", () => {
    const batch = newBatch();
    const block = blockOf(patient("small") + `{"resourceType":"${"x".repeat(8_000_000)}"}\n`);
    let blocks = 0;
    for (; !batch.isFull && blocks < 100; blocks++) batch.addLines(block, 0, RULES);
    expect(blocks).toBeLessThanOrEqual(5);
    batch.clear(1);
    expect(batch.isFull).toBe(false);
  });
});
