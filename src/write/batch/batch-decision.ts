import { typeIdOfKey } from "../../fhir/resource-key.ts";
import type { HeadRow, VersionRow } from "../../store/resources/heads.ts";
import type { TakenKey } from "../displacement/displace.ts";
import type { BatchLine, RejectedLine } from "./batch.ts";
import { decideResource, type EarlierNewLine, type Revision } from "../versions/decide-resource.ts";
import type { EarlierRow } from "./earlier-lines.ts";
import { countsOf, emptyTally, type Tally, type TypeCounts } from "./unit-tally.ts";
import { REJECTIONS } from "./outcome-changes.ts";
import type { IncomingVersion, RuleContext, Ruling } from "../versions/version-rules.ts";

/** What became of a batch's lines. */
export interface BatchCounts {
  loaded: number;
  /** Resources that were not there before. */
  created: number;
  /** Further versions, current or history. */
  updated: number;
  unchanged: number;
  /** Written versions that are deletions (also counted as created or updated). */
  deleted: number;
}

/** The lines of one resource: indexes into the batch, in file order. */
export interface ResourceLines {
  key: bigint;
  lines: number[];
}

/** A resource that is there, with all that the decision on its lines depends on. */
export interface StoredHead {
  head: HeadRow;
  others: VersionRow[];
  earlier: EarlierRow[];
}

/** What is to be done to one resource. */
export interface DecidedResource {
  key: bigint;
  id: string;
  existing: HeadRow | undefined;
  currentLine: number | undefined;
  historyLines: number[];
  /** Lines that are not written, for the batches to come. */
  remembered: EarlierNewLine[];
  revision: Revision<VersionRow, EarlierRow> | undefined;
}

/** What is to be done with a batch. */
export interface Decision {
  /** By line. */
  written: (Ruling["written"][number] | undefined)[];
  /** By line: its search rows are kept. */
  searchable: boolean[];
  /** In key order; those that something is done to. */
  resources: DecidedResource[];
  rejected: RejectedLine[];
  counts: BatchCounts;
  /** The same by type, with the rejected lines. */
  tally: Tally;
  /** Server time must pass this instant before the decision can be written, 0 if at once. */
  waitUntil: number;
}

/** In key order, so that concurrent batches lock and insert heads in one order. */
export function groupByKey(lines: readonly BatchLine[]): ResourceLines[] {
  const order = lines.map((_line, index) => index);
  order.sort((a, b) => {
    const first = lines[a]?.key ?? 0n;
    const second = lines[b]?.key ?? 0n;
    return first < second ? -1 : first > second ? 1 : a - b;
  });
  const groups: ResourceLines[] = [];
  for (const index of order) {
    const key = lines[index]?.key ?? 0n;
    const last = groups.at(-1);
    if (last !== undefined && last.key === key) last.lines.push(index);
    else groups.push({ key, lines: [index] });
  }
  return groups;
}

/** The ids of lines whose key another id has: that of the head, or of an earlier line. */
export function takenIn(
  lines: readonly BatchLine[],
  groups: readonly ResourceLines[],
  stored: ReadonlyMap<bigint, StoredHead>,
): TakenKey[] {
  const taken: TakenKey[] = [];
  for (const group of groups) {
    const { key } = group;
    const owner = stored.get(key)?.head.id ?? lineAt(lines, group.lines[0] ?? 0).id;
    let others: Set<string> | undefined;
    for (const index of group.lines) {
      const { id } = lineAt(lines, index);
      if (id !== owner) (others ??= new Set()).add(id);
    }
    for (const id of others ?? []) taken.push({ key, id });
  }
  return taken;
}

/**
 * Decides on a batch's lines by the version rules. The lines of a group, and the head with its key, have one id. Versions of the resources in `pinned` are not revised. Pure: the same
 * again for the same arguments.
 */
export function decideBatch(
  lines: readonly BatchLine[],
  groups: readonly ResourceLines[],
  stored: ReadonlyMap<bigint, StoredHead>,
  context: RuleContext,
  pinned: ReadonlySet<bigint>,
): Decision {
  const decision: Decision = {
    written: Array.from({ length: lines.length }),
    searchable: Array.from({ length: lines.length }, () => false),
    resources: [],
    rejected: [],
    counts: { loaded: 0, created: 0, updated: 0, unchanged: 0, deleted: 0 },
    tally: emptyTally(),
    waitUntil: 0,
  };
  const reject = (index: number, code: string, message: string): void => {
    const { byteOffset, length, line, id } = lineAt(lines, index);
    const text = message.replace("{id}", id);
    decision.rejected.push({ byteOffset, length, line, code, message: text, expression: undefined });
  };
  for (const group of groups) {
    const existing = stored.get(group.key);
    const id = existing?.head.id ?? lines[group.lines[0] ?? 0]?.id ?? "";
    const { ruling, remembered, revision } = decideResource(
      { current: existing?.head.current, others: existing?.others ?? [], earlier: existing?.earlier ?? [] },
      group.lines.map((index) => incoming(lines, index)),
      context,
      pinned.has(group.key),
    );
    if (ruling.waitUntil !== undefined) decision.waitUntil = Math.max(decision.waitUntil, ruling.waitUntil);
    for (const index of ruling.duplicates) reject(index, REJECTIONS.duplicate.code, REJECTIONS.duplicate.message);
    for (const index of ruling.conflicts) reject(index, REJECTIONS.conflict.code, REJECTIONS.conflict.message);
    decision.counts.unchanged += ruling.unchanged.length;
    const ofType = countsOf(decision.tally, typeIdOfKey(group.key));
    ofType.unchanged += ruling.unchanged.length;
    ofType.rejected += ruling.duplicates.length + ruling.conflicts.length;
    const resource: DecidedResource = {
      key: group.key,
      id,
      existing: existing?.head,
      currentLine: ruling.current?.line,
      historyLines: [],
      remembered,
      revision,
    };
    recordWritten(decision, lines, resource, ruling, ofType);
    if (ruling.written.length > 0 || remembered.length > 0 || revision !== undefined) {
      decision.resources.push(resource);
    }
  }
  const { counts } = decision;
  counts.loaded = counts.unchanged + counts.created + counts.updated;
  return decision;
}

function lineAt(lines: readonly BatchLine[], index: number): BatchLine {
  const line = lines[index];
  if (line === undefined) throw new RangeError(`no line ${index}`);
  return line;
}

function incoming(lines: readonly BatchLine[], index: number): IncomingVersion {
  const { versionId, lastUpdated, deleted, contentHash } = lineAt(lines, index);
  return { line: index, versionId, lastUpdated, deleted, contentHash };
}

function recordWritten(
  decision: Decision,
  lines: readonly BatchLine[],
  resource: DecidedResource,
  ruling: Ruling,
  ofType: TypeCounts,
): void {
  for (const [place, written] of ruling.written.entries()) {
    const isDeleted = lines[written.line]?.deleted === true;
    decision.written[written.line] = written;
    if (written === ruling.current) decision.searchable[written.line] = !isDeleted;
    else resource.historyLines.push(written.line);
    const isNew = resource.existing === undefined && place === 0;
    for (const counts of [decision.counts, ofType]) {
      if (isDeleted) counts.deleted++;
      if (isNew) counts.created++;
      else counts.updated++;
    }
  }
}
