/**
 * The version rules: (what is stored of one resource, the lines of it) → what becomes of each line and what is to be
 * written. Pure; contract 5.4 to 5.7, decisions D-01 to D-04, D-14, D-27.
 *
 * What is decided is a function of two *sets*: the baseline, which is every version that others wrote (the API, other
 * imports), and the lines of this import. Batches do not matter: `decide-resource.ts` rules on the lines of earlier
 * batches together with the new ones, and turns the difference into writes. For that to hold, nothing below may depend
 * on the order of the lines, except who represents a date:
 *
 * - Lines of one lastUpdated, and all bare lines, have one representative; the others are duplicates for good. Within a
 *   batch it is the greatest versionId, first in file on ties; over batches the first committed (D-02, D-03).
 * - An impossible version (0, or a negative one that is not allowed) is a conflict, whatever else there is.
 * - A representative whose date is in the baseline is unchanged or a conflict.
 * - A versioned line is a duplicate when the same version has a later date; otherwise it is accepted if the baseline
 *   allows it and its version is below that of every later line that the baseline allows. (The contract's walk from the
 *   latest date on says the same, as the reference is the last version accepted.) So more lines never make a rejected
 *   versioned line an accepted one.
 * - A dated line's number follows from the baseline, the accepted versioned lines and the other dated lines. More lines
 *   can move it, push it out of its gap, and also let it back in.
 * - The bare line is last, whenever it came: above all others, or unchanged when the current version has its content. It
 *   keeps the server time it was written at unless a version below it is later.
 */

/** What a line said of its version. Stored as `origin`. */
export const Origin = { bare: 0, dated: 1, versioned: 2 } as const;

/** One of {@link Origin}. */
export type Origin = (typeof Origin)[keyof typeof Origin];

/** A line as the rules see it. */
export interface IncomingVersion {
  /** Place in the batch: file order. Negative for lines of earlier batches of the same import. */
  line: number;
  /** From `meta.versionId`, only together with lastUpdated. */
  versionId: number | undefined;
  /** From `meta.lastUpdated`, milliseconds since 1970. */
  lastUpdated: number | undefined;
  deleted: boolean;
  /** Identity of the content without versionId and lastUpdated. */
  contentHash: bigint;
  /** It came in an earlier batch of the same import, and represents its date. */
  isEarlier?: boolean | undefined;
  /** Of a bare line that an earlier batch wrote: the server time it was written at. */
  writtenAt?: number | undefined;
}

/** A stored version as the rules see it. */
export interface RuledVersion {
  versionId: number;
  lastUpdated: number;
  deleted: boolean;
  contentHash: bigint;
  /** The import that wrote it, 0 for the API. */
  importJob: bigint;
  /** One of {@link Origin}. */
  origin: number;
}

/** What is stored of one resource. */
export interface StoredResource {
  current: RuledVersion | undefined;
  /** Versions that are not current, in any order. */
  others: readonly RuledVersion[];
}

/** The import the lines belong to. */
export interface RuleContext {
  mode: "InitialLoad" | "IncrementalLoad";
  allowNegativeVersions: boolean;
  /** 0 for the API: each of its writes is an import of its own. */
  importJob: bigint;
  /** Server time, milliseconds since 1970. */
  now: number;
}

/** A version to be written. */
export interface WrittenVersion {
  line: number;
  versionId: number;
  lastUpdated: number;
  origin: Origin;
}

/** What becomes of the lines of one resource. Every line is in exactly one of the four lists. */
export interface Ruling {
  written: WrittenVersion[];
  /** The one of `written` that becomes the current version; the others are history. */
  current: WrittenVersion | undefined;
  /** Lines whose content is already there: counted as loaded, nothing is written. */
  unchanged: number[];
  duplicates: number[];
  conflicts: number[];
  /** Those of `duplicates` and `conflicts` that no other line can change any more, and that change no other line. */
  settled: number[];
  /** Server time must pass this instant before the bare lines can be written (C-097): rule again then. */
  waitUntil: number | undefined;
}

const GREATEST_VERSION = 2147483647;

/** Rules on the lines of one resource. `lines` is in file order and not empty. */
export function ruleVersions(stored: StoredResource, lines: readonly IncomingVersion[], context: RuleContext): Ruling {
  const ruling: Ruling = {
    written: [],
    current: undefined,
    unchanged: [],
    duplicates: [],
    conflicts: [],
    settled: [],
    waitUntil: undefined,
  };
  if (context.mode === "InitialLoad") return ruleInitialLoad(stored, lines, context, ruling);
  const survivors = dropRepeatedDates(dropImpossibleVersions(lines, context, ruling), ruling);
  const unseen = compareWithStoredDates(stored, survivors, context, ruling);
  const state = new VersionState(stored);
  ruleVersioned(state, unseen.filter(isVersioned), context, ruling);
  ruleDated(state, unseen.filter(isDated), context, ruling);
  const bare = unseen.find((line) => line.lastUpdated === undefined);
  if (bare !== undefined) ruleBare(state, bare, context, ruling);
  ruling.current = state.newCurrent;
  return ruling;
}

/** 5.7: the first line of an id that is not there is created as version 1; everything else is a duplicate. */
function ruleInitialLoad(
  stored: StoredResource,
  lines: readonly IncomingVersion[],
  context: RuleContext,
  ruling: Ruling,
): Ruling {
  const isNew = stored.current === undefined && stored.others.length === 0;
  for (const [index, { line }] of lines.entries()) {
    if (isNew && index === 0) {
      ruling.current = { line, versionId: 1, lastUpdated: context.now, origin: Origin.bare };
      ruling.written.push(ruling.current);
    } else {
      ruling.duplicates.push(line);
    }
  }
  return ruling;
}

/** 5.4 (c) 2, before (a): what can never be stored takes no other line's place. Without a date it is no version. */
function dropImpossibleVersions(
  lines: readonly IncomingVersion[],
  context: RuleContext,
  ruling: Ruling,
): readonly IncomingVersion[] {
  const isImpossible = ({ versionId, lastUpdated }: IncomingVersion): boolean =>
    lastUpdated !== undefined &&
    versionId !== undefined &&
    (versionId === 0 || (versionId < 0 && !context.allowNegativeVersions));
  if (!lines.some(isImpossible)) return lines;
  for (const line of lines) {
    if (!isImpossible(line)) continue;
    ruling.conflicts.push(line.line);
    ruling.settled.push(line.line);
  }
  return lines.filter((line) => !isImpossible(line));
}

/**
 * 5.4 (a): of the lines with one lastUpdated (bare lines share one) the greatest versionId survives, first in file on
 * ties; but a line of an earlier batch stays (D-02, D-03).
 */
function dropRepeatedDates(lines: readonly IncomingVersion[], ruling: Ruling): readonly IncomingVersion[] {
  if (lines.length === 1) return lines;
  const survivors = new Map<number | undefined, IncomingVersion>();
  const drop = (line: number): void => {
    ruling.duplicates.push(line);
    ruling.settled.push(line);
  };
  for (const line of lines) {
    const rival = survivors.get(line.lastUpdated);
    if (rival === undefined) {
      survivors.set(line.lastUpdated, line);
    } else if (rival.isEarlier !== true && (line.versionId ?? -Infinity) > (rival.versionId ?? -Infinity)) {
      drop(rival.line);
      survivors.set(line.lastUpdated, line);
    } else {
      drop(line.line);
    }
  }
  return [...survivors.values()];
}

/**
 * 5.4 (b) with D-02 and D-03: returns the lines whose date is not stored yet. Versions of this import are only there
 * when its earlier lines are not ruled on again.
 */
function compareWithStoredDates(
  stored: StoredResource,
  lines: readonly IncomingVersion[],
  context: RuleContext,
  ruling: Ruling,
): IncomingVersion[] {
  const unseen: IncomingVersion[] = [];
  for (const line of lines) {
    const same = findStored(stored, (version) =>
      line.lastUpdated === undefined
        ? isOwn(version, context) && version.origin === Origin.bare
        : version.lastUpdated === line.lastUpdated,
    );
    if (same === undefined) {
      unseen.push(line);
    } else if (isOwn(same, context)) {
      ruling.duplicates.push(line.line);
      ruling.settled.push(line.line);
    } else if (isSameVersion(line, same)) {
      ruling.unchanged.push(line.line);
    } else {
      ruling.conflicts.push(line.line);
    }
  }
  return unseen;
}

/** This import wrote the version. */
export function isOwn(version: RuledVersion, context: RuleContext): boolean {
  return context.importJob !== 0n && version.importJob === context.importJob;
}

function findStored(stored: StoredResource, matches: (version: RuledVersion) => boolean): RuledVersion | undefined {
  if (stored.current !== undefined && matches(stored.current)) return stored.current;
  return stored.others.find(matches);
}

function isSameVersion(line: IncomingVersion, version: RuledVersion): boolean {
  return (
    line.contentHash === version.contentHash &&
    line.deleted === version.deleted &&
    (line.versionId === undefined || line.versionId === version.versionId)
  );
}

type DatedVersion = IncomingVersion & { lastUpdated: number };
type VersionedVersion = DatedVersion & { versionId: number };

function isVersioned(line: IncomingVersion): line is VersionedVersion {
  return line.lastUpdated !== undefined && line.versionId !== undefined;
}

function isDated(line: IncomingVersion): line is DatedVersion {
  return line.lastUpdated !== undefined && line.versionId === undefined;
}

/** 5.4 (c). */
function ruleVersioned(
  state: VersionState,
  lines: readonly VersionedVersion[],
  context: RuleContext,
  ruling: Ruling,
): void {
  const latestOfVersion = new Map<number, VersionedVersion>();
  for (const line of lines) {
    const rival = latestOfVersion.get(line.versionId);
    if (rival === undefined) {
      latestOfVersion.set(line.versionId, line);
    } else if (line.lastUpdated > rival.lastUpdated) {
      ruling.duplicates.push(rival.line);
      latestOfVersion.set(line.versionId, line);
    } else {
      ruling.duplicates.push(line.line);
    }
  }
  const current = state.stored.current;
  // The reference is the last version accepted, not the last one seen (C-072).
  let reference = Infinity;
  const accepted: VersionedVersion[] = [];
  for (const line of [...latestOfVersion.values()].toSorted((a, b) => b.lastUpdated - a.lastUpdated)) {
    const { versionId } = line;
    const isNegative = versionId < 0;
    const taken = findStored(state.stored, (version) => version.versionId === versionId);
    if (taken !== undefined) {
      (isOwn(taken, context) ? ruling.duplicates : ruling.conflicts).push(line.line);
    } else if (isNegative) {
      accepted.push(line);
    } else if (versionId >= reference || (current !== undefined && isOutOfStep(line, current))) {
      ruling.conflicts.push(line.line);
    } else {
      reference = versionId;
      accepted.push(line);
    }
  }
  for (const line of accepted) state.write(ruling, line, line.versionId, line.lastUpdated, Origin.versioned);
}

/** A later date with a lower version, or an earlier date with a higher one. */
function isOutOfStep(line: VersionedVersion, current: RuledVersion): boolean {
  return line.lastUpdated > current.lastUpdated
    ? line.versionId < current.versionId
    : line.versionId > current.versionId;
}

/** 5.4 (d): after (c), so it sees the versions that (c) wrote. */
function ruleDated(state: VersionState, lines: readonly DatedVersion[], context: RuleContext, ruling: Ruling): void {
  if (lines.length === 0) return;
  const latest = state.current?.lastUpdated ?? -Infinity;
  const late = lines.filter((line) => line.lastUpdated < latest);
  if (late.length > 0) ruleLate(state, late, context, ruling);
  const newer = lines.filter((line) => line.lastUpdated >= latest);
  newer.sort((a, b) => a.lastUpdated - b.lastUpdated);
  for (const line of newer) {
    const versionId = (state.current?.versionId ?? 0) + 1;
    if (versionId > GREATEST_VERSION) ruling.conflicts.push(line.line);
    else state.write(ruling, line, versionId, line.lastUpdated, Origin.dated);
  }
}

/**
 * Lines older than the current version: each takes the next number below its upper neighbour by date, latest line first.
 * The rank counts within one gap (C-088), and passes over numbers that are taken by versions whose date
 * is elsewhere (C-070 makes such histories).
 */
function ruleLate(state: VersionState, late: readonly DatedVersion[], context: RuleContext, ruling: Ruling): void {
  const known = state.positiveVersions().toSorted((a, b) => b.lastUpdated - a.lastUpdated || b.versionId - a.versionId);
  const taken = new Set(known.map((version) => version.versionId));
  const lowest = state.lowestVersion();
  let negatives = 0;
  let next = 0;
  let candidate = 0;
  for (const line of late.toSorted((a, b) => b.lastUpdated - a.lastUpdated)) {
    // To the first version that is older than the line: the one before it bounds the gap from above
    for (; next < known.length && (known[next]?.lastUpdated ?? 0) > line.lastUpdated; next++) {
      candidate = (known[next]?.versionId ?? 0) - 1;
    }
    const below = known[next]?.versionId ?? 0;
    while (candidate > below && taken.has(candidate)) candidate--;
    if (candidate > below) {
      taken.add(candidate);
      state.write(ruling, line, candidate, line.lastUpdated, Origin.dated);
      candidate--;
    } else if (context.allowNegativeVersions) {
      negatives++;
      state.write(ruling, line, Math.min(lowest, 0) - negatives, line.lastUpdated, Origin.dated);
    } else {
      ruling.conflicts.push(line.line);
    }
  }
}

/** 5.4 (e) with D-27: runs last. */
function ruleBare(state: VersionState, line: IncomingVersion, context: RuleContext, ruling: Ruling): void {
  const current = state.current;
  let time = line.writtenAt ?? context.now;
  if (current !== undefined) {
    const isNoOp = line.deleted ? current.deleted : !current.deleted && current.contentHash === line.contentHash;
    if (isNoOp) {
      ruling.unchanged.push(line.line);
      return;
    }
    if (current.versionId >= GREATEST_VERSION) {
      ruling.conflicts.push(line.line);
      return;
    }
    if (time <= current.lastUpdated) time = context.now;
    if (time <= current.lastUpdated) ruling.waitUntil = current.lastUpdated + 1;
  }
  state.write(ruling, line, (current?.versionId ?? 0) + 1, time, Origin.bare);
}

interface KnownVersion {
  versionId: number;
  lastUpdated: number;
  deleted: boolean;
  contentHash: bigint;
}

/** What is stored together with what this ruling has written so far. */
class VersionState {
  readonly stored: StoredResource;
  current: KnownVersion | undefined;
  newCurrent: WrittenVersion | undefined;
  readonly #versions: KnownVersion[];

  constructor(stored: StoredResource) {
    this.stored = stored;
    this.current = stored.current;
    this.#versions = stored.current === undefined ? [...stored.others] : [stored.current, ...stored.others];
  }

  /** A greater version than the current one becomes current; negative versions never do. */
  write(ruling: Ruling, line: IncomingVersion, versionId: number, lastUpdated: number, origin: Origin): void {
    const written: WrittenVersion = { line: line.line, versionId, lastUpdated, origin };
    const known: KnownVersion = { versionId, lastUpdated, deleted: line.deleted, contentHash: line.contentHash };
    ruling.written.push(written);
    this.#versions.push(known);
    if (versionId > (this.current?.versionId ?? 0)) {
      this.current = known;
      this.newCurrent = written;
    }
  }

  positiveVersions(): KnownVersion[] {
    return this.#versions.filter((version) => version.versionId > 0);
  }

  lowestVersion(): number {
    return this.#versions.reduce((lowest, version) => Math.min(lowest, version.versionId), 0);
  }
}
