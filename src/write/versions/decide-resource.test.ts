import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  OWN,
  OTHER,
  API,
  type Line,
  Store,
  anyContent,
  mostlyLive,
  consistentLines,
  anyLine,
  anyBaseline,
  anySplit,
  batches,
  withoutContent,
  storeWith,
} from "../../import/testing/rules-store.ts";

describe("any order and any split into batches", () => {
  const runs = { numRuns: 1000 };

  it("of lines that are alike where they share a date: the same counts, account of each line, current version and history", () => {
    fc.assert(
      fc.property(consistentLines, anyBaseline, anySplit, fc.boolean(), (lines, before, split, negative) => {
        const options = { allowNegativeVersions: negative };
        const atOnce = storeWith(before);
        atOnce.batch(lines, OWN, options);
        const other = storeWith(before);
        for (const part of batches(lines, split)) other.batch(part, OWN, options);
        expect(other.history()).toEqual(atOnce.history());
        expect(other.current?.versionId).toBe(atOnce.current?.versionId);
        expect(other.counts(lines)).toEqual(atOnce.counts(lines));
        expect(other.accounts(lines)).toEqual(atOnce.accounts(lines));
      }),
      runs,
    );
  });

  it("D-02, D-03 of lines of one date and version with other content, where the date was not stored: the same counts, numbers and dates", () => {
    const lines = fc
      .tuple(consistentLines, fc.array(anyContent, { minLength: 12, maxLength: 12 }))
      .map(([all, contents]) =>
        all
          .map((line, index) => ({ ...line, contentHash: contents[index] ?? 1n }))
          .filter((line) => line.lastUpdated !== undefined),
      );
    fc.assert(
      fc.property(lines, anySplit, fc.boolean(), (own, split, negative) => {
        const options = { allowNegativeVersions: negative };
        const atOnce = storeWith([]);
        if (own.length > 0) atOnce.batch(own, OWN, options);
        const other = storeWith([]);
        for (const part of batches(own, split)) other.batch(part, OWN, options);
        expect(withoutContent(other.history())).toEqual(withoutContent(atOnce.history()));
        expect(other.counts(own)).toEqual(atOnce.counts(own));
      }),
      runs,
    );
  });

  it("D-02 of bare lines with other content: one is loaded, the others are duplicates", () => {
    fc.assert(
      fc.property(
        fc.array(anyContent, { minLength: 1, maxLength: 6 }),
        anyBaseline,
        anySplit,
        (contents, before, split) => {
          const lines = contents.map((contentHash) => ({
            versionId: undefined,
            lastUpdated: undefined,
            deleted: false,
            contentHash,
          }));
          const store = storeWith(before);
          for (const part of batches(lines, split)) store.batch(part);
          expect(store.counts(lines)).toEqual({ loaded: 1, duplicate: lines.length - 1, conflict: 0 });
        },
      ),
      runs,
    );
  });

  it("of any lines: each is counted once, and what is stored is what was counted as written", () => {
    fc.assert(
      fc.property(fc.array(anyLine, { minLength: 1, maxLength: 10 }), anyBaseline, anySplit, (lines, before, split) => {
        const store = storeWith(before);
        for (const part of batches(lines, split)) store.batch(part);
        store.counts(lines);
      }),
      runs,
    );
  });
});

/** Steps of one line each, in the order of the weaving. */
function weave(
  lines: readonly Line[],
  weaving: readonly (readonly [readonly bigint[], number, number, boolean])[],
): { importJob: bigint; line: Line; apiAfter: boolean }[] {
  const steps = lines.flatMap((line, index) => {
    const [jobs = [], first = 0, second = 0, apiAfter = false] = weaving[index] ?? [];
    return jobs.map((importJob, copy) => ({
      importJob,
      line: { ...line },
      apiAfter,
      rank: copy === 0 ? first : second,
    }));
  });
  return steps.toSorted((a, b) => a.rank - b.rank);
}

describe("two imports and writes by the API, interleaved anyhow", () => {
  it("each line is counted once, numbers are unique, the greatest is current, and nobody's versions change but the import's own", () => {
    const step = fc.record({
      importJob: fc.constantFrom(OWN, OTHER, API),
      lines: fc.array(anyLine, { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const store = new Store();
        const all: Line[] = [];
        for (const { importJob, lines } of steps) {
          const own =
            importJob === API ? lines.slice(0, 1).map((line) => ({ ...line, lastUpdated: undefined })) : lines;
          const others = store.versions.filter((version) => version.importJob !== importJob || importJob === API);
          const copies = others.map((version) => ({ ...version }));
          store.batch(own, importJob, { allowNegativeVersions: true });
          expect(others).toEqual(copies);
          for (const version of others) expect(store.versions).toContain(version);
          all.push(...own);
        }
        store.counts(all);
      }),
      { numRuns: 1000 },
    );
  });

  /*
   * Where the contract lets whoever comes first win (a date, a version or a number that two of them want), the order
   * matters by its own rule, 5.4 (b). Everywhere else it must not.
   */
  const anyInStep = fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 99 }), anyContent, mostlyLive), {
      selector: ([versionId]) => versionId,
      minLength: 1,
      maxLength: 8,
    })
    .map((versions) =>
      versions.map(([versionId, contentHash, deleted]): Line => ({
        versionId,
        lastUpdated: Date.UTC(1900 + versionId, 0, 1),
        deleted,
        contentHash,
      })),
    );
  /** Of which import a line is, or of both; its place in the order; whether the API writes after it. */
  const anyWeaving = fc.array(
    fc.tuple(fc.constantFrom([OWN], [OTHER], [OWN, OTHER], [OTHER, OWN], [OWN, OWN]), fc.nat(), fc.nat(), fc.boolean()),
    { minLength: 8, maxLength: 8 },
  );

  it("of versions in step with their dates: the same counts of each import, current version and history", () => {
    fc.assert(
      fc.property(anyInStep, anyWeaving, (lines, weaving) => {
        const store = new Store();
        const steps = weave(lines, weaving);
        for (const { importJob, line } of steps) store.batch([line], importJob);
        const inOrder = new Store();
        for (const line of lines) inOrder.batch([{ ...line }]);
        expect(store.history()).toEqual(inOrder.history());
        for (const job of [OWN, OTHER]) {
          const own = steps.filter(({ importJob }) => importJob === job).map(({ line }) => line);
          const different = new Set(own.map(({ versionId }) => versionId)).size;
          expect(store.counts(own)).toEqual({ loaded: different, duplicate: own.length - different, conflict: 0 });
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("of older versions below writes by the API: none is lost, numbers have no gap, and the order does not matter", () => {
    fc.assert(
      fc.property(anyInStep, anyWeaving, (lines, weaving) => {
        const first: Line = { versionId: 100, lastUpdated: Date.UTC(2020, 0, 1), deleted: false, contentHash: 9n };
        const store = storeWith([first]);
        const steps = weave(lines, weaving);
        let written = 0;
        for (const { importJob, line, apiAfter } of steps) {
          store.batch([line], importJob);
          if (!apiAfter) continue;
          // Content that is new every time: the same again would be no new version of an import's bare line
          const write: Line = {
            versionId: undefined,
            lastUpdated: undefined,
            deleted: false,
            contentHash: 10n + BigInt(written),
          };
          store.batch([write], API);
          written++;
          expect(store.current?.versionId).toBe(100 + written);
        }
        const before = storeWith([first]);
        for (const line of lines) before.batch([{ ...line }]);
        expect(store.history().slice(written)).toEqual(before.history());
        expect(store.counts(steps.map(({ line }) => line))["conflict"]).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });
});
