import type { ClientBase } from "pg";
import { BodyBlocks } from "../store/body-blocks.ts";
import { CopyBuffer } from "../store/copy-buffer.ts";
import { copyRows } from "../store/copy.ts";
import {
  HEAD_COLUMNS,
  VERSION_ROW_COLUMNS,
  lockHeads,
  readOtherVersions,
  removeSearchRows,
  retireCurrentVersions,
  updateHeads,
  writeHeadRow,
  writeVersionRow,
  type HeadRow,
  type NewHead,
  type VersionRow,
} from "../store/heads.ts";
import { SEARCH_COLUMNS } from "../store/search-rows.ts";
import { holdSegments, partitionName, SegmentState } from "../store/segments.ts";
import type { Batch, BatchLine, RejectedLine } from "./batch.ts";
import type { StageTimes } from "./stage-times.ts";
import { ruleVersions, type RuleContext, type Ruling } from "./version-rules.ts";

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

/** The decision on a batch was not written: server time must pass this instant first (C-097). */
export class ClockWait extends Error {
  readonly until: number;
  constructor(until: number) {
    super("server time has not passed the stored version's lastUpdated yet");
    this.until = until;
  }
}

/** The segment takes no more rows: open another, and write again. */
export class SegmentClosed extends Error {}

/** Where a batch's search rows go. */
export interface TargetSegment {
  number: number;
  /** A live segment is written to while it is indexed, a bulk one while it is loading. */
  live: boolean;
}

/** Writes batches in the caller's transaction. Holds buffers that are reused, so one writer serves one connection. */
export class BatchWriter {
  readonly #blocks: BodyBlocks = new BodyBlocks();
  readonly #heads: CopyBuffer = new CopyBuffer(1 << 20);
  readonly #versions: CopyBuffer = new CopyBuffer(1 << 16);
  readonly #times: StageTimes;

  /** The time spent on encode and copy is added to `times`. */
  constructor(times: StageTimes) {
    this.#times = times;
  }

  /** What is to be done outside the transaction before {@link write}: ids for the bodies' blocks, and new terms. */
  async prepare(client: ClientBase, batch: Batch): Promise<void> {
    await batch.searchRows.terms.store(client);
    await this.#blocks.reserve(client, batch.bytes, batch.lines.length);
  }

  /**
   * Decides on the batch's lines by the version rules and writes what they say, in the client's open transaction. Lines
   * that lose are added to `rejected`. Throws {@link ClockWait}, {@link SegmentClosed}, or PostgreSQL's error; a unique
   * violation means that another connection wrote one of the resources meanwhile: roll back and call again.
   */
  async write(
    client: ClientBase,
    batch: Batch,
    target: TargetSegment,
    context: RuleContext,
    rejected: RejectedLine[],
  ): Promise<BatchCounts> {
    const begun = performance.now();
    const groups = groupByKey(batch.lines);
    const grouped = performance.now();
    const stored = await readStored(client, groups);
    const read = performance.now();
    const decision = decide(batch.lines, groups, stored, context, rejected);
    this.#encode(batch, target.number, decision, context);
    const encoded = performance.now();
    await this.#send(client, batch, target, decision);
    this.#times.encode += grouped - begun + encoded - read;
    this.#times.copy += read - grouped + performance.now() - encoded;
    return decision.counts;
  }

  #encode(batch: Batch, segment: number, decision: Decision, context: RuleContext): void {
    this.#blocks.clear();
    this.#heads.clear();
    this.#versions.clear();
    // Bodies in file order: neighbours compress well and are read together.
    const versions = new Map<number, VersionRow>();
    for (const [index, line] of batch.lines.entries()) {
      const written = decision.written[index];
      if (written === undefined) continue;
      const place = this.#blocks.add(line.body);
      versions.set(index, {
        versionId: written.versionId,
        lastUpdated: written.lastUpdated,
        deleted: line.deleted,
        block: place.block,
        offset: place.offset,
        length: place.length,
        contentHash: line.contentHash,
        importJob: context.importJob,
        origin: written.origin,
      });
      if (decision.searchable[index] === true) batch.searchRows.setLastUpdated(index, written.lastUpdated);
    }
    this.#blocks.finish();
    for (const { key, id, currentLine, existing, historyLines } of decision.resources) {
      const current = currentLine === undefined ? undefined : versions.get(currentLine);
      const isSearchable = current !== undefined && currentLine !== undefined && !current.deleted;
      const searchRows = isSearchable ? { segment, stamp: batch.searchRows.stampOf(currentLine) } : undefined;
      const head: NewHead = { key, id, current, searchRows };
      if (existing === undefined) writeHeadRow(this.#heads, head);
      else if (current !== undefined) decision.replaced.push({ old: existing, head });
      for (const line of historyLines) {
        const version = versions.get(line);
        if (version !== undefined) writeVersionRow(this.#versions, { key, ...version });
      }
    }
  }

  async #send(client: ClientBase, batch: Batch, target: TargetSegment, decision: Decision): Promise<void> {
    const { replaced } = decision;
    const oldSegments = replaced.flatMap(({ old }) => (old.searchRows === undefined ? [] : [old.searchRows.segment]));
    const states = await holdSegments(client, [target.number, ...oldSegments]);
    const wanted = target.live ? SegmentState.indexed : SegmentState.loading;
    if (states.get(target.number) !== wanted) throw new SegmentClosed();

    await copyRows(client, "block", ["id", "raw_length", "bytes"], this.#blocks.rows);
    await copyRows(client, "head", HEAD_COLUMNS, this.#heads);
    if (replaced.length > 0) {
      const old = replaced.map((change) => change.old);
      const keys = old.map((head) => head.key);
      const heads = replaced.map((change) => change.head);
      await retireCurrentVersions(client, keys);
      await updateHeads(client, heads);
      await removeSearchRows(client, old, states);
    }
    await copyRows(client, "version", VERSION_ROW_COLUMNS, this.#versions);
    const { searchRows } = batch;
    const ranges = searchRows.rangesOf(decision.searchable);
    const tables = [
      ["search_resource", searchRows.resources, ranges.resources],
      ["search_date", searchRows.dates, ranges.dates],
      ["search_quantity", searchRows.quantities, ranges.quantities],
      ["search_string", searchRows.strings, ranges.strings],
    ] as const;
    for (const [table, rows, kept] of tables) {
      await copyRows(client, partitionName(table, target.number), SEARCH_COLUMNS[table], rows, kept);
    }
  }
}

/** The lines of one resource: indexes into the batch, in file order. */
interface ResourceLines {
  key: bigint;
  lines: number[];
}

interface DecidedResource {
  key: bigint;
  id: string;
  existing: HeadRow | undefined;
  currentLine: number | undefined;
  historyLines: number[];
}

interface Decision {
  /** By line. */
  written: (Ruling["written"][number] | undefined)[];
  /** By line: its search rows are kept. */
  searchable: boolean[];
  /** In key order. */
  resources: DecidedResource[];
  replaced: { old: HeadRow; head: NewHead }[];
  counts: BatchCounts;
}

/** In key order, so that concurrent batches lock and insert heads in one order. */
function groupByKey(lines: readonly BatchLine[]): ResourceLines[] {
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

interface StoredHead {
  head: HeadRow;
  others: VersionRow[];
}

async function readStored(client: ClientBase, groups: readonly ResourceLines[]): Promise<Map<bigint, StoredHead>> {
  const heads = await lockHeads(
    client,
    groups.map(({ key }) => key),
  );
  const others = await readOtherVersions(
    client,
    heads.map(({ key }) => key),
  );
  return new Map(heads.map((head) => [head.key, { head, others: others.get(head.key) ?? [] }]));
}

function decide(
  lines: readonly BatchLine[],
  groups: readonly ResourceLines[],
  stored: ReadonlyMap<bigint, StoredHead>,
  context: RuleContext,
  rejected: RejectedLine[],
): Decision {
  const decision: Decision = {
    written: Array.from({ length: lines.length }),
    searchable: Array.from({ length: lines.length }, () => false),
    resources: [],
    replaced: [],
    counts: { loaded: 0, created: 0, updated: 0, unchanged: 0, deleted: 0 },
  };
  const reject = (index: number, code: string, message: string): void => {
    const line = lines[index];
    if (line === undefined) return;
    const { byteOffset, length, line: ordinal, id } = line;
    rejected.push({
      byteOffset,
      length,
      line: ordinal,
      code,
      message: message.replace("{id}", id),
      expression: undefined,
    });
  };
  let waitUntil = 0;
  for (const group of groups) {
    const existing = stored.get(group.key);
    const id = existing?.head.id ?? lines[group.lines[0] ?? 0]?.id ?? "";
    const own = group.lines.filter((index) => lines[index]?.id === id);
    for (const index of group.lines) {
      if (lines[index]?.id !== id) reject(index, "exception", KEY_TAKEN.replace("{other}", id));
    }
    if (own.length === 0) continue;
    const ruling = ruleVersions(
      { current: existing?.head.current, others: existing?.others ?? [] },
      own.map((index) => incoming(lines, index)),
      context,
    );
    if (ruling.waitUntil !== undefined) waitUntil = Math.max(waitUntil, ruling.waitUntil);
    for (const index of ruling.duplicates) reject(index, "duplicate", DUPLICATE);
    for (const index of ruling.conflicts) reject(index, "conflict", CONFLICT);
    decision.counts.unchanged += ruling.unchanged.length;
    record(decision, lines, group.key, id, existing?.head, ruling);
  }
  if (waitUntil > 0) throw new ClockWait(waitUntil);
  decision.counts.loaded = decision.counts.unchanged + decision.counts.created + decision.counts.updated;
  return decision;
}

const DUPLICATE = "Failed to import duplicate resource, resource id: {id}, line: {line}";
const CONFLICT = "Failed to import resource with version conflict, resource id: {id}, line: {line}";
/** One in 10^17 pairs of ids of a type. */
const KEY_TAKEN =
  "The resource cannot be stored: its id {id} has the same 56-bit hash as the id {other}. Change the id.";

function incoming(lines: readonly BatchLine[], index: number): Parameters<typeof ruleVersions>[1][number] {
  const line = lines[index];
  if (line === undefined) throw new RangeError(`no line ${index}`);
  const { versionId, lastUpdated, deleted, contentHash } = line;
  return { line: index, versionId, lastUpdated, deleted, contentHash };
}

function record(
  decision: Decision,
  lines: readonly BatchLine[],
  key: bigint,
  id: string,
  existing: HeadRow | undefined,
  ruling: Ruling,
): void {
  if (ruling.written.length === 0) return;
  const resource: DecidedResource = { key, id, existing, currentLine: ruling.current?.line, historyLines: [] };
  for (const [place, written] of ruling.written.entries()) {
    const isDeleted = lines[written.line]?.deleted === true;
    decision.written[written.line] = written;
    if (written === ruling.current) decision.searchable[written.line] = !isDeleted;
    else resource.historyLines.push(written.line);
    if (isDeleted) decision.counts.deleted++;
    if (existing === undefined && place === 0) decision.counts.created++;
    else decision.counts.updated++;
  }
  decision.resources.push(resource);
}
