import {
  isOwn,
  Origin,
  ruleVersions,
  type IncomingVersion,
  type RuleContext,
  type Ruling,
  type StoredResource,
  type RuledVersion,
} from "./version-rules.ts";

/** What became of a line, as it is counted. */
export type LineOutcome = "written" | "unchanged" | "duplicate" | "conflict";

/**
 * A line of an earlier batch of the same import that represents its date and was not written, or is not any more: it
 * counts among the lines of its resource.
 */
export interface EarlierLine {
  versionId: number | undefined;
  lastUpdated: number | undefined;
  deleted: boolean;
  contentHash: bigint;
  outcome: Exclude<LineOutcome, "written">;
}

/** What is stored of one resource, with the types of the caller's versions and earlier lines. */
export interface KnownResource<V extends RuledVersion, E extends EarlierLine> {
  current: V | undefined;
  others: readonly V[];
  earlier: readonly E[];
}

/** The version that is current in the end. */
export type DecidedVersion<V, E> =
  | { from: "new"; line: number }
  | { from: "stored"; version: V }
  | { from: "earlier"; line: E };

/** What a batch does to one resource: to its own lines, and to what earlier batches of the same import decided. */
export interface ResourceDecision<V extends RuledVersion, E extends EarlierLine> {
  /** On the new lines alone. */
  ruling: Ruling;
  /** New lines that later batches must know of though they are not written. */
  remembered: EarlierNewLine[];
  /** undefined: nothing that was decided before changes. */
  revision: Revision<V, E> | undefined;
}

/** A new line that becomes an earlier one. */
export interface EarlierNewLine {
  line: number;
  outcome: Exclude<LineOutcome, "written">;
}

/** How the decisions of earlier batches change. */
export interface Revision<V extends RuledVersion, E extends EarlierLine> {
  /** Versions that stay under another number or date. */
  moved: { version: V; versionId: number; lastUpdated: number }[];
  /** Versions that are not stored any more. */
  withdrawn: { version: V; outcome: Exclude<LineOutcome, "written"> }[];
  /** Lines that are written after all. */
  revived: { line: E; versionId: number; lastUpdated: number; origin: Origin }[];
  /** Lines that are not written for another reason than before. */
  relabelled: { line: E; outcome: Exclude<LineOutcome, "written"> }[];
  current: DecidedVersion<V, E> | undefined;
  /** The search values of the version that was current are those of the one that is. */
  keepsSearchValues: boolean;
}

/**
 * Decides on the lines of one resource, in file order, together with this import's earlier lines of it: as if they were
 * all in one batch, whatever came first (contract 5.4; decisions D-02, D-03, D-04).
 *
 * Only what this import did is revised, and only while nobody built on it: if ruling on its earlier lines alone does not
 * give what is stored, the API or another import wrote in between. Then (and where `pinned` says so) versions keep their
 * numbers, and the new lines are compared with them as with any other version. The same holds where a revision would
 * need the search values of a version that has none, or a bare line would become a conflict: both only at the greatest
 * version number there is.
 */
export function decideResource<V extends RuledVersion, E extends EarlierLine>(
  known: KnownResource<V, E>,
  lines: readonly IncomingVersion[],
  context: RuleContext,
  pinned = false,
): ResourceDecision<V, E> {
  if (context.mode === "InitialLoad") return decideAlone(known, lines, context);
  const own = known.others.filter((version) => isOwn(version, context));
  if (known.current !== undefined && isOwn(known.current, context)) own.push(known.current);
  if (own.length === 0 && known.earlier.length === 0) return decideAlone(known, lines, context);
  if (!pinned) {
    const decision = decideTogether(known, own, lines, context);
    if (decision !== undefined) return decision;
  }
  return decidePinned(known, lines, context);
}

function decideAlone<V extends RuledVersion, E extends EarlierLine>(
  stored: StoredResource,
  lines: readonly IncomingVersion[],
  context: RuleContext,
): ResourceDecision<V, E> {
  const ruling = ruleVersions(stored, lines, context);
  return { ruling, remembered: rememberedOf(ruling, context), revision: undefined };
}

/** New lines against everything as it is stored; those whose date an earlier line represents are duplicates. */
function decidePinned<V extends RuledVersion, E extends EarlierLine>(
  known: KnownResource<V, E>,
  lines: readonly IncomingVersion[],
  context: RuleContext,
): ResourceDecision<V, E> {
  const dates = new Set(known.earlier.map((line) => line.lastUpdated));
  const repeated = lines.filter((line) => dates.has(line.lastUpdated)).map((line) => line.line);
  const decision: ResourceDecision<V, E> = decideAlone(
    known,
    lines.filter((line) => !dates.has(line.lastUpdated)),
    context,
  );
  decision.ruling.duplicates.push(...repeated);
  return decision;
}

function decideTogether<V extends RuledVersion, E extends EarlierLine>(
  known: KnownResource<V, E>,
  own: readonly V[],
  lines: readonly IncomingVersion[],
  context: RuleContext,
): ResourceDecision<V, E> | undefined {
  const before = baseline(known, context);
  const places: (V | E)[] = [...own, ...known.earlier];
  const earlier = places.map((place, index): IncomingVersion => {
    const isStored = index < own.length;
    const { versionId, lastUpdated, deleted, contentHash } = isStored ? asLine(own[index]) : place;
    const writtenAt = isStored ? place.lastUpdated : undefined;
    return { line: -1 - index, versionId, lastUpdated, deleted, contentHash, isEarlier: true, writtenAt };
  });
  const asBefore = ruleVersions(before, earlier, context);
  if (!isAsStored(asBefore, own)) return undefined;

  const ruling = ruleVersions(before, [...earlier, ...lines], context);
  const revision: Revision<V, E> = {
    moved: [],
    withdrawn: [],
    revived: [],
    relabelled: [],
    current: undefined,
    keepsSearchValues: false,
  };
  const storedAt = (line: number): V | undefined => own[-1 - line];
  const earlierAt = (line: number): E | undefined => known.earlier[-1 - line - own.length];
  for (const written of ruling.written) {
    const { line, versionId, lastUpdated, origin } = written;
    const version = line < 0 ? storedAt(line) : undefined;
    if (version !== undefined) {
      const moves = version.versionId !== versionId || version.lastUpdated !== lastUpdated;
      if (moves) revision.moved.push({ version, versionId, lastUpdated });
      continue;
    }
    const revived = line < 0 ? earlierAt(line) : undefined;
    if (revived !== undefined) revision.revived.push({ line: revived, versionId, lastUpdated, origin });
  }
  for (const outcome of ["unchanged", "duplicate", "conflict"] as const) {
    for (const line of linesOf(ruling, outcome)) {
      if (line >= 0) continue;
      const version = storedAt(line);
      if (version !== undefined) revision.withdrawn.push({ version, outcome });
      const place = earlierAt(line);
      if (place !== undefined && place.outcome !== outcome) revision.relabelled.push({ line: place, outcome });
      const isBare = version === undefined ? place?.lastUpdated === undefined : version.origin === Origin.bare;
      if (isBare && outcome !== "unchanged") return undefined;
    }
  }
  const ofNewLines = restrictToNew(ruling);
  const decision = { ruling: ofNewLines, remembered: rememberedOf(ofNewLines, context), revision: undefined };
  const { moved, withdrawn, revived, relabelled } = revision;
  if (moved.length + withdrawn.length + revived.length + relabelled.length === 0) return decision;

  const last = ruling.current;
  revision.current = before.current === undefined ? undefined : { from: "stored", version: before.current };
  if (last !== undefined) {
    const version = last.line < 0 ? storedAt(last.line) : undefined;
    const place = last.line < 0 ? earlierAt(last.line) : undefined;
    if (version !== undefined) revision.current = { from: "stored", version };
    else if (place !== undefined) revision.current = { from: "earlier", line: place };
    else revision.current = { from: "new", line: last.line };
  }
  const { current } = revision;
  if (current !== undefined && current.from !== "new") {
    const { deleted, contentHash } = current.from === "stored" ? current.version : current.line;
    const old = known.current;
    revision.keepsSearchValues = !deleted && old !== undefined && !old.deleted && old.contentHash === contentHash;
    if (!deleted && !revision.keepsSearchValues) return undefined;
  }
  return { ...decision, revision };
}

/** What others wrote. */
function baseline<V extends RuledVersion>(
  stored: { current: V | undefined; others: readonly V[] },
  context: RuleContext,
): { current: V | undefined; others: V[] } {
  const others = stored.others.filter((version) => !isOwn(version, context));
  if (stored.current !== undefined && !isOwn(stored.current, context)) return { current: stored.current, others };
  let current: V | undefined;
  for (const version of others) if (version.versionId > (current?.versionId ?? 0)) current = version;
  return { current, others: others.filter((version) => version !== current) };
}

/** What the line of a stored version said. */
function asLine(version: RuledVersion | undefined): Omit<IncomingVersion, "line"> {
  if (version === undefined) throw new RangeError("no version");
  const { versionId, lastUpdated, deleted, contentHash, origin } = version;
  return {
    versionId: origin === Origin.versioned ? versionId : undefined,
    lastUpdated: origin === Origin.bare ? undefined : lastUpdated,
    deleted,
    contentHash,
  };
}

/** The ruling writes exactly this import's stored versions, as they are. */
function isAsStored(ruling: Ruling, own: readonly RuledVersion[]): boolean {
  return (
    ruling.waitUntil === undefined &&
    ruling.written.length === own.length &&
    ruling.written.every(({ line, versionId, lastUpdated }) => {
      const version = own[-1 - line];
      return version?.versionId === versionId && version.lastUpdated === lastUpdated;
    })
  );
}

function linesOf(ruling: Ruling, outcome: Exclude<LineOutcome, "written">): readonly number[] {
  if (outcome === "unchanged") return ruling.unchanged;
  return outcome === "duplicate" ? ruling.duplicates : ruling.conflicts;
}

function isNew(line: number): boolean {
  return line >= 0;
}

function restrictToNew(ruling: Ruling): Ruling {
  return {
    written: ruling.written.filter(({ line }) => isNew(line)),
    current: ruling.current !== undefined && isNew(ruling.current.line) ? ruling.current : undefined,
    unchanged: ruling.unchanged.filter(isNew),
    duplicates: ruling.duplicates.filter(isNew),
    conflicts: ruling.conflicts.filter(isNew),
    settled: ruling.settled.filter(isNew),
    waitUntil: ruling.waitUntil,
  };
}

function rememberedOf(ruling: Ruling, context: RuleContext): EarlierNewLine[] {
  const remembered: EarlierNewLine[] = [];
  if (context.mode === "InitialLoad" || context.importJob === 0n) return remembered;
  const settled = new Set(ruling.settled);
  for (const outcome of ["unchanged", "duplicate", "conflict"] as const) {
    for (const line of linesOf(ruling, outcome)) {
      if (!settled.has(line)) remembered.push({ line, outcome });
    }
  }
  return remembered;
}
