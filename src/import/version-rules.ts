/**
 * The version rules: (what is stored of one resource, the incoming lines of it in one batch) → what becomes of each
 * line and what is to be written. Pure; contract 5.4 to 5.7, decisions D-02, D-03, D-04, D-14, D-27 and the proposals of
 * Appendix B.
 */

/** What a line said of its version. Stored as `origin`. */
export const Origin = { bare: 0, dated: 1, versioned: 2 } as const;

/** One of {@link Origin}. */
export type Origin = (typeof Origin)[keyof typeof Origin];

/** A line as the rules see it. */
export interface IncomingVersion {
  /** Place in the batch: file order. */
  line: number;
  /** From `meta.versionId`, only together with lastUpdated. */
  versionId: number | undefined;
  /** From `meta.lastUpdated`, milliseconds since 1970. */
  lastUpdated: number | undefined;
  deleted: boolean;
  /** Identity of the content without versionId and lastUpdated. */
  contentHash: bigint;
}

/** A stored version as the rules see it. */
export interface StoredVersion {
  versionId: number;
  lastUpdated: number;
  deleted: boolean;
  contentHash: bigint;
  /** The import that wrote it, 0 for the API. */
  importJob: bigint;
  origin: number;
}

/** What is stored of one resource. */
export interface StoredResource {
  current: StoredVersion | undefined;
  /** Versions that are not current, in any order. */
  others: readonly StoredVersion[];
}

/** The import the lines belong to. */
export interface RuleContext {
  mode: "InitialLoad" | "IncrementalLoad";
  allowNegativeVersions: boolean;
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
    waitUntil: undefined,
  };
  if (context.mode === "InitialLoad") return ruleInitialLoad(stored, lines, context, ruling);
  const survivors = dropRepeatedDates(lines, ruling);
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

/** 5.4 (a): of the lines with one lastUpdated (bare lines share one) the greatest versionId survives, first in file on ties. */
function dropRepeatedDates(lines: readonly IncomingVersion[], ruling: Ruling): IncomingVersion[] {
  const survivors = new Map<number | undefined, IncomingVersion>();
  for (const line of lines) {
    const rival = survivors.get(line.lastUpdated);
    if (rival === undefined) {
      survivors.set(line.lastUpdated, line);
    } else if ((line.versionId ?? -Infinity) > (rival.versionId ?? -Infinity)) {
      ruling.duplicates.push(rival.line);
      survivors.set(line.lastUpdated, line);
    } else {
      ruling.duplicates.push(line.line);
    }
  }
  return [...survivors.values()];
}

/** 5.4 (b) with D-02 and D-03: returns the lines whose date is not stored yet. */
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
        ? version.importJob === context.importJob && version.origin === Origin.bare
        : version.lastUpdated === line.lastUpdated,
    );
    if (same === undefined) unseen.push(line);
    else if (same.importJob === context.importJob) ruling.duplicates.push(line.line);
    else if (isSameVersion(line, same)) ruling.unchanged.push(line.line);
    else ruling.conflicts.push(line.line);
  }
  return unseen;
}

function findStored(stored: StoredResource, matches: (version: StoredVersion) => boolean): StoredVersion | undefined {
  if (stored.current !== undefined && matches(stored.current)) return stored.current;
  return stored.others.find(matches);
}

function isSameVersion(line: IncomingVersion, version: StoredVersion): boolean {
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
  // The reference is the last version accepted, not the last one seen (Appendix B on C-072).
  let reference = Infinity;
  const accepted: VersionedVersion[] = [];
  for (const line of [...latestOfVersion.values()].toSorted((a, b) => b.lastUpdated - a.lastUpdated)) {
    const { versionId } = line;
    const isNegative = versionId < 0;
    const taken = findStored(state.stored, (version) => version.versionId === versionId);
    if (versionId === 0 || (isNegative && !context.allowNegativeVersions)) {
      ruling.conflicts.push(line.line);
    } else if (taken !== undefined) {
      (taken.importJob === context.importJob ? ruling.duplicates : ruling.conflicts).push(line.line);
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
function isOutOfStep(line: VersionedVersion, current: StoredVersion): boolean {
  return line.lastUpdated > current.lastUpdated
    ? line.versionId < current.versionId
    : line.versionId > current.versionId;
}

/** 5.4 (d): after (c), so it sees the versions that (c) wrote. */
function ruleDated(state: VersionState, lines: readonly DatedVersion[], context: RuleContext, ruling: Ruling): void {
  const current = state.current;
  const late = current === undefined ? [] : lines.filter((line) => line.lastUpdated < current.lastUpdated);
  const newer = lines.filter((line) => !late.includes(line)).toSorted((a, b) => a.lastUpdated - b.lastUpdated);
  // Latest first; the rank counts within one gap (Appendix B on C-088).
  late.sort((a, b) => b.lastUpdated - a.lastUpdated);
  const known = state.positiveVersions();
  const rankInGap = new Map<number, number>();
  const lowest = state.lowestVersion();
  let negatives = 0;
  for (const line of late) {
    const { lastUpdated } = line;
    let below = 0;
    let above = Infinity;
    let belowDate = -Infinity;
    let aboveDate = Infinity;
    for (const version of known) {
      if (version.lastUpdated < lastUpdated && version.lastUpdated > belowDate) {
        belowDate = version.lastUpdated;
        below = version.versionId;
      } else if (version.lastUpdated > lastUpdated && version.lastUpdated < aboveDate) {
        aboveDate = version.lastUpdated;
        above = version.versionId;
      }
    }
    const rank = (rankInGap.get(above) ?? 0) + 1;
    if (above - below > rank) {
      rankInGap.set(above, rank);
      state.write(ruling, line, above - rank, lastUpdated, Origin.dated);
    } else if (context.allowNegativeVersions) {
      negatives++;
      state.write(ruling, line, Math.min(lowest, 0) - negatives, lastUpdated, Origin.dated);
    } else {
      ruling.conflicts.push(line.line);
    }
  }
  for (const line of newer) {
    const versionId = (state.current?.versionId ?? 0) + 1;
    if (versionId > GREATEST_VERSION) ruling.conflicts.push(line.line);
    else state.write(ruling, line, versionId, line.lastUpdated, Origin.dated);
  }
}

/** 5.4 (e) with D-27: runs last. */
function ruleBare(state: VersionState, line: IncomingVersion, context: RuleContext, ruling: Ruling): void {
  const current = state.current;
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
    if (context.now <= current.lastUpdated) ruling.waitUntil = current.lastUpdated + 1;
  }
  state.write(ruling, line, (current?.versionId ?? 0) + 1, context.now, Origin.bare);
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
