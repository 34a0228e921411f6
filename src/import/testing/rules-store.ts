import fc from "fast-check";
import { expect } from "vitest";
import { decideResource, type EarlierLine, type LineOutcome } from "../../write/versions/decide-resource.ts";
import {
  Origin,
  type IncomingVersion,
  type RuleContext,
  type RuledVersion,
} from "../../write/versions/version-rules.ts";

const NOW: number = Date.UTC(2026, 0, 1);
/** The number of the import that is looked at. */
export const OWN = 7n;
/** The number of another import. */
export const OTHER = 3n;
/** What stands for writes by the API instead of the number of an import. */
export const API = 0n;

/** A line of an import. */
export interface Line extends Omit<IncomingVersion, "line"> {
  versionId: number | undefined;
  lastUpdated: number | undefined;
}

interface Version extends RuledVersion {
  /** The line it is of. */
  of: Line | undefined;
}

interface Remembered extends EarlierLine {
  of: Line;
}

/** One resource, as the batch writer keeps it, with every line's outcome. */
export class Store {
  versions: Version[] = [];
  current: Version | undefined;
  readonly outcomes: Map<Line, LineOutcome> = new Map();
  #earlier: { importJob: bigint; line: Remembered }[] = [];
  #now = NOW;

  batch(lines: readonly Line[], importJob: bigint = OWN, options: Partial<RuleContext> = {}): void {
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
/** The hash of the content of a line. */
export const anyContent: fc.Arbitrary<bigint> = fc.constantFrom(1n, 2n, 3n);
/** Whether a line is a deletion: one of five. */
export const mostlyLive: fc.Arbitrary<boolean> = fc.integer({ min: 0, max: 4 }).map((n) => n === 0);

/** Lines with a date: those with one date are alike, so that it does not matter who represents it. */
export const consistentLines: fc.Arbitrary<Line[]> = fc
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

/** Any line. */
export const anyLine: fc.Arbitrary<Line> = fc.record({
  lastUpdated: fc.option(anyDate, { nil: undefined, freq: 6 }),
  versionId: anyVersion,
  deleted: mostlyLive,
  contentHash: anyContent,
});

/** Lines that are stored before. */
export const anyBaseline: fc.Arbitrary<Line[]> = fc.array(anyLine, { maxLength: 5 });

/** An order of `count` things, and where a batch ends. */
export const anySplit: fc.Arbitrary<[number, boolean][]> = fc.array(fc.tuple(fc.nat(), fc.boolean()), {
  minLength: 12,
  maxLength: 12,
});

/** The lines in this order and these batches. */
export function batches(lines: readonly Line[], split: readonly (readonly [number, boolean])[]): Line[][] {
  const order = lines.map((line, index) => ({ line, rank: split[index]?.[0] ?? 0, ends: split[index]?.[1] ?? false }));
  order.sort((a, b) => a.rank - b.rank);
  const parts: Line[][] = [[]];
  for (const { line, ends } of order) {
    parts.at(-1)?.push(line);
    if (ends) parts.push([]);
  }
  return parts.filter((part) => part.length > 0);
}

/** The versions of a history without what they hold. */
export function withoutContent(history: readonly string[]): string[] {
  return history.map((version) => version.replace(/=.*/, ""));
}

/** A store with these lines of another import. */
export function storeWith(baseline: readonly Line[], importJob: bigint = OTHER): Store {
  const store = new Store();
  for (const line of baseline) store.batch([line], importJob, { allowNegativeVersions: true });
  store.outcomes.clear();
  for (const version of store.versions) version.of = undefined;
  return store;
}
