import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideResource, type EarlierLine, type LineOutcome } from "./decide-resource.ts";
import { Origin, type IncomingVersion, type RuleContext, type StoredVersion } from "./version-rules.ts";

const NOW = Date.UTC(2026, 0, 1);
const OWN = 7n;
const OTHER = 3n;
const API = 0n;

interface Line extends Omit<IncomingVersion, "line"> {
  versionId: number | undefined;
  lastUpdated: number | undefined;
}

interface Version extends StoredVersion {
  /** The line it is of. */
  of: Line | undefined;
}

interface Remembered extends EarlierLine {
  of: Line;
}

/** One resource, as the batch writer keeps it, with every line's outcome. */
class Store {
  versions: Version[] = [];
  current: Version | undefined;
  readonly outcomes: Map<Line, LineOutcome> = new Map();
  #earlier: { importJob: bigint; line: Remembered }[] = [];
  #now = NOW;

  batch(lines: readonly Line[], importJob = OWN, options: Partial<RuleContext> = {}): void {
    this.#now += 5;
    const earlier = this.#earlier.filter((one) => one.importJob === importJob).map(({ line }) => line);
    const incoming = lines.map((line, index): IncomingVersion => ({ ...line, line: index }));
    const known = {
      current: this.current,
      others: this.versions.filter((version) => version !== this.current),
      earlier,
    };
    const decide = (now: number): ReturnType<typeof decideResource<Version, Remembered>> =>
      decideResource(known, incoming, {
        mode: "IncrementalLoad",
        allowNegativeVersions: false,
        importJob,
        now,
        ...options,
      });
    let decision = decide(this.#now);
    if (decision.ruling.waitUntil !== undefined) {
      this.#now = decision.ruling.waitUntil;
      decision = decide(this.#now);
    }
    const { ruling, remembered, revision } = decision;
    expect(ruling.waitUntil).toBeUndefined();
    const lineOf = (index: number): Line => {
      const line = lines[index];
      if (line === undefined) throw new RangeError(`no line ${index}`);
      return line;
    };
    const count = (line: Line | undefined, outcome: LineOutcome, isFirst: boolean): void => {
      if (line === undefined) throw new Error("a version of nobody's line was revised");
      expect(this.outcomes.has(line)).toBe(!isFirst);
      this.outcomes.set(line, outcome);
    };
    const remember = (line: Line, outcome: LineOutcome): void => {
      if (outcome === "written") throw new Error("written lines are versions");
      this.#earlier.push({ importJob, line: { ...line, outcome, of: line } });
    };
    const forget = (line: Remembered): void => {
      this.#earlier = this.#earlier.filter((one) => one.line !== line);
    };
    for (const index of ruling.unchanged) count(lineOf(index), "unchanged", true);
    for (const index of ruling.duplicates) count(lineOf(index), "duplicate", true);
    for (const index of ruling.conflicts) count(lineOf(index), "conflict", true);
    for (const { line, outcome } of remembered) remember(lineOf(line), outcome);
    const before = this.current;
    for (const { version, outcome } of revision?.withdrawn ?? []) {
      this.versions = this.versions.filter((one) => one !== version);
      count(version.of, outcome, false);
      if (version.of !== undefined) remember(version.of, outcome);
    }
    for (const { version, versionId, lastUpdated } of revision?.moved ?? []) {
      version.versionId = versionId;
      version.lastUpdated = lastUpdated;
    }
    for (const { line, outcome } of revision?.relabelled ?? []) {
      line.outcome = outcome;
      count(line.of, outcome, false);
    }
    const writtenBy = new Map<unknown, Version>();
    const write = (
      line: Line,
      place: unknown,
      written: Pick<Version, "versionId" | "lastUpdated" | "origin">,
    ): void => {
      const { deleted, contentHash } = line;
      const { versionId, lastUpdated, origin } = written;
      const version: Version = { versionId, lastUpdated, origin, deleted, contentHash, importJob, of: line };
      this.versions.push(version);
      writtenBy.set(place, version);
    };
    for (const revived of revision?.revived ?? []) {
      forget(revived.line);
      count(revived.line.of, "written", false);
      write(revived.line.of, revived.line, revived);
    }
    for (const written of ruling.written) {
      count(lineOf(written.line), "written", true);
      write(lineOf(written.line), written.line, written);
    }
    if (revision === undefined) {
      if (ruling.current !== undefined) this.current = writtenBy.get(ruling.current.line);
    } else {
      const { current } = revision;
      if (current === undefined) this.current = undefined;
      else if (current.from === "stored") this.current = current.version;
      else this.current = writtenBy.get(current.line);
      const hasRows = current?.from === "new" || revision.keepsSearchValues || this.current?.deleted === true;
      expect(hasRows).toBe(this.current !== undefined);
      if (revision.keepsSearchValues) expect(this.current?.contentHash).toBe(before?.contentHash);
    }
    this.check();
  }

  check(): void {
    const ids = this.versions.map((version) => version.versionId);
    expect(new Set(ids).size).toBe(ids.length);
    const greatest = Math.max(0, ...ids);
    expect(this.current?.versionId ?? 0).toBe(greatest);
    if (this.current !== undefined) expect(this.versions).toContain(this.current);
    for (const version of this.versions) {
      if (version.of !== undefined) expect(this.outcomes.get(version.of)).toBe("written");
    }
    const written = [...this.outcomes.values()].filter((outcome) => outcome === "written");
    expect(this.versions.filter((version) => version.of !== undefined)).toHaveLength(written.length);
  }

  counts(lines: readonly Line[]): Record<string, number> {
    const counts = { loaded: 0, duplicate: 0, conflict: 0 };
    for (const line of lines) {
      const outcome = this.outcomes.get(line);
      if (outcome === undefined) throw new Error("a line is not accounted for");
      counts[outcome === "written" || outcome === "unchanged" ? "loaded" : outcome]++;
    }
    expect(counts.loaded + counts.duplicate + counts.conflict).toBe(lines.length);
    return counts;
  }

  /** Greatest version first; the date of a bare line's version is its server's. */
  history(): string[] {
    return this.versions
      .toSorted((a, b) => b.versionId - a.versionId)
      .map(({ versionId, lastUpdated, deleted, contentHash, origin }) => {
        const date = origin === Origin.bare ? "now" : new Date(lastUpdated).toISOString();
        return `v${versionId}@${date}=${contentHash}${deleted ? "!" : ""}`;
      });
  }

  /** What of each line, for lines that can be told apart only by what they say. */
  accounts(lines: readonly Line[]): string[] {
    return lines
      .map((line) => {
        const { versionId, lastUpdated, deleted, contentHash } = line;
        return `${versionId}@${lastUpdated}=${contentHash}${deleted} ${this.outcomes.get(line)}`;
      })
      .toSorted();
  }
}

const anyDate = fc.constantFrom(
  ...[2001, 2002, 2003, 2004, 2005, 2006].map((year) => Date.UTC(year, 0, 1)),
  NOW + 8000,
);
const anyVersion = fc.option(fc.integer({ min: -2, max: 7 }), { nil: undefined, freq: 2 });
const anyContent = fc.constantFrom(1n, 2n, 3n);
const mostlyLive = fc.integer({ min: 0, max: 4 }).map((n) => n === 0);

/** Lines with a date: those with one date are alike, so that it does not matter who represents it. */
const consistentLines: fc.Arbitrary<Line[]> = fc
  .tuple(
    fc.uniqueArray(
      fc.record({
        lastUpdated: fc.option(anyDate, { nil: undefined, freq: 6 }),
        versionId: anyVersion,
        deleted: mostlyLive,
        contentHash: anyContent,
      }),
      { selector: (line) => line.lastUpdated, minLength: 1, maxLength: 8 },
    ),
    fc.array(fc.nat(7), { maxLength: 3 }),
  )
  .map(([lines, repeats]) => [...lines, ...repeats.flatMap((n) => (lines[n] === undefined ? [] : [{ ...lines[n] }]))]);

const anyLine: fc.Arbitrary<Line> = fc.record({
  lastUpdated: fc.option(anyDate, { nil: undefined, freq: 6 }),
  versionId: anyVersion,
  deleted: mostlyLive,
  contentHash: anyContent,
});

const anyBaseline: fc.Arbitrary<Line[]> = fc.array(anyLine, { maxLength: 5 });

/** An order of `count` things, and where a batch ends. */
const anySplit = fc.array(fc.tuple(fc.nat(), fc.boolean()), { minLength: 12, maxLength: 12 });

function batches(lines: readonly Line[], split: readonly (readonly [number, boolean])[]): Line[][] {
  const order = lines.map((line, index) => ({ line, rank: split[index]?.[0] ?? 0, ends: split[index]?.[1] ?? false }));
  order.sort((a, b) => a.rank - b.rank);
  const parts: Line[][] = [[]];
  for (const { line, ends } of order) {
    parts.at(-1)?.push(line);
    if (ends) parts.push([]);
  }
  return parts.filter((part) => part.length > 0);
}

function withoutContent(history: readonly string[]): string[] {
  return history.map((version) => version.replace(/=.*/, ""));
}

function storeWith(baseline: readonly Line[], importJob = OTHER): Store {
  const store = new Store();
  for (const line of baseline) store.batch([line], importJob, { allowNegativeVersions: true });
  store.outcomes.clear();
  for (const version of store.versions) version.of = undefined;
  return store;
}

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
