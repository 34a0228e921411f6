import { describe, expect, it } from "vitest";
import { chooseMerge, type PartitionSet } from "./merge-choice.ts";

function sets(...rows: number[]): PartitionSet[] {
  return rows.map((count, index) => ({ merged: undefined, segments: [index + 1], rows: count }));
}

describe("what is merged", () => {
  it.each([
    { name: "nothing in an empty store", rows: [], chosen: undefined },
    { name: "not three", rows: [10, 10, 10], chosen: undefined },
    { name: "four alike", rows: [10, 10, 10, 10], chosen: [10, 10, 10, 10] },
    { name: "empty ones", rows: [0, 0, 0, 0], chosen: [0, 0, 0, 0] },
    {
      name: "the smallest, up to a full partition",
      rows: [400e3, 300e3, 200e3, 190e3, 180e3],
      chosen: [180e3, 190e3, 200e3, 300e3],
    },
    { name: "not full ones", rows: [1e6, 600e3, 900e3, 10, 10, 10, 500e3], chosen: undefined },
    { name: "not a large one for the sake of some small ones", rows: [400e3, 10, 10, 10], chosen: undefined },
    { name: "only the small ones beside a large one", rows: [400e3, 10, 10, 10, 20], chosen: [10, 10, 10, 20] },
    { name: "a large one when as much has come together", rows: [30, 10, 10, 10], chosen: [10, 10, 10, 30] },
  ])("$name", ({ rows, chosen }) => {
    expect(chooseMerge(sets(...rows))?.map((set) => set.rows)).toEqual(chosen);
  });

  it("copies a row some times only, however many imports follow one another, and leaves few partitions", () => {
    let store: PartitionSet[] = [];
    let copied = 0;
    const imports = 2000;
    for (let number = 1; number <= imports; number++) {
      store.push({ merged: undefined, segments: [number], rows: 20_000 });
      for (let chosen = chooseMerge(store); chosen !== undefined; chosen = chooseMerge(store)) {
        const rows = chosen.reduce((sum, set) => sum + set.rows, 0);
        copied += rows;
        store = store.filter((set) => !chosen?.includes(set));
        store.push({ merged: number, segments: chosen.flatMap((set) => set.segments), rows });
      }
    }
    expect(copied / (imports * 20_000)).toBeLessThan(4);
    expect(store.length).toBeLessThan((imports * 20_000) / 500_000 + 10);
    expect(store.flatMap((set) => set.segments)).toHaveLength(imports);
  });
});
