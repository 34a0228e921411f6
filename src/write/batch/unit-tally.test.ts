import { expect, test } from "vitest";
import { addReferences, countsOf, emptyTally, readTally, storedTally, sumOf } from "./unit-tally.ts";

test("a tally is stored by the names of types, and read again", () => {
  const tally = emptyTally();
  countsOf(tally, 0).rejected = 2;
  Object.assign(countsOf(tally, 1), { created: 1, updated: 2, unchanged: 3, deleted: 4, rejected: 5 });
  addReferences(tally, new Map([["urn", 7]]));
  const stored = storedTally(tally);
  expect(stored).toEqual({ types: { "": [0, 0, 0, 0, 2], Account: [1, 2, 3, 4, 5] }, references: { urn: 7 } });
  expect(readTally(stored)).toEqual(tally);
  expect(readTally(null)).toEqual(emptyTally());
});

test("sums leave what is added as it is", () => {
  const tally = readTally({ types: { Account: [1, 0, 0, 0, 0] }, references: { urn: 1 } });
  const before = structuredClone(tally);
  const sum = sumOf(tally, tally, emptyTally());
  expect(storedTally(sum)).toEqual({ types: { Account: [2, 0, 0, 0, 0] }, references: { urn: 2 } });
  expect(tally).toEqual(before);
});
