import type { TargetSegment } from "../../store/segments/target-segments.ts";
import type { ClientBase } from "pg";
import { BodyBlocks, type BodyPlace } from "../../store/resources/body-blocks.ts";
import { CopyBuffer } from "../../postgres/copy-buffer.ts";
import type { CopyStep } from "../../postgres/copy-together.ts";
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
} from "../../store/resources/heads.ts";
import { searchCopies } from "../../store/segments/search-copies.ts";
import { holdSegments, SegmentState } from "../../store/segments/segments.ts";
import { KeysTaken } from "../displacement/displace.ts";
import type { Batch, RejectedLine } from "./batch.ts";
import {
  decideBatch,
  groupByKey,
  takenIn,
  type BatchCounts,
  type DecidedResource,
  type Decision,
  type ResourceLines,
  type StoredHead,
} from "./batch-decision.ts";
import type { LineOutcome } from "../versions/decide-resource.ts";
import {
  EARLIER_COLUMNS,
  readEarlierLines,
  removeEarlierLines,
  writeEarlierRow,
  type EarlierRow,
} from "./earlier-lines.ts";
import { findPlaces, packPlaces, writePlaces, type LinePlace, type PlacedLine } from "./line-places.ts";
import { applyOutcomeChanges, tallyChanges, type OutcomeChange } from "./outcome-changes.ts";
import type { StageTimes } from "./stage-times.ts";
import type { Tally } from "./unit-tally.ts";
import { redateSearchRows, removeVersions, revisedRows, type RevisedRows } from "./version-revision.ts";
import { Origin, type RuleContext } from "../versions/version-rules.ts";

/** The import and the unit a batch belongs to. */
export interface BatchContext extends RuleContext {
  unit: bigint;
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

/** A batch that was decided on: all is done in the transaction but its rows. */
export interface WrittenBatch {
  counts: BatchCounts;
  /** The same by type, with what changes of earlier lines. */
  tally: Tally;
  /** What is still to be copied, in this order, in the same transaction. */
  copies: CopyStep[];
}

/** Writes batches in the caller's transaction. Holds buffers that are reused, so one writer serves one connection. */
export class BatchWriter {
  readonly #blocks: BodyBlocks = new BodyBlocks();
  readonly #heads: CopyBuffer = new CopyBuffer(1 << 20);
  readonly #versions: CopyBuffer = new CopyBuffer(1 << 16);
  readonly #earlier: CopyBuffer = new CopyBuffer(1 << 16);
  /** Segments seen indexed, which they stay. */
  readonly #indexed: Set<number> = new Set();
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
   * Decides on the batch's lines by the version rules and does what they say in the client's open transaction, but for
   * the rows, which are left to the caller to copy. Lines that lose are added to `rejected`. Lines of earlier batches of
   * the same import may be decided otherwise by it: then their versions, their units' counters and their rejected lines
   * change with it.
   *
   * Throws {@link ClockWait}, {@link SegmentClosed}, KeysTaken, or PostgreSQL's error; a unique violation means that another
   * connection wrote one of the resources meanwhile: roll back and call again.
   */
  async write(
    client: ClientBase,
    batch: Batch,
    target: TargetSegment,
    context: BatchContext,
    rejected: RejectedLine[],
  ): Promise<WrittenBatch> {
    const begun = performance.now();
    const groups = groupByKey(batch.lines);
    const grouped = performance.now();
    const stored = await readStored(client, groups, context);
    const taken = takenIn(batch.lines, groups, stored);
    if (taken.length > 0) throw new KeysTaken(taken);
    const pinned = new Set<bigint>();
    let decision: Decision;
    let places: WithdrawnPlaces;
    for (;;) {
      decision = decideBatch(batch.lines, groups, stored, context, pinned);
      if (decision.waitUntil > 0) throw new ClockWait(decision.waitUntil);
      places = await placesOfWithdrawn(client, context, decision.resources);
      if (places.unknown.length === 0) break;
      // Written by a program that did not keep places: such lines stay what they are.
      for (const key of places.unknown) pinned.add(key);
    }
    const encoding = performance.now();
    const rows = this.#encode(batch, target.number, decision, context, places);
    const encoded = performance.now();
    await this.#change(client, target, rows, context);
    rejected.push(...decision.rejected);
    tallyChanges(decision.tally, rows.outcomes);
    this.#times.encode += grouped - begun + encoded - encoding;
    this.#times.copy += encoding - grouped + performance.now() - encoded;
    return { counts: decision.counts, tally: decision.tally, copies: this.#copies(batch, target, decision) };
  }

  #encode(
    batch: Batch,
    segment: number,
    decision: Decision,
    context: BatchContext,
    places: WithdrawnPlaces,
  ): ChangedRows {
    this.#heads.clear();
    this.#versions.clear();
    this.#earlier.clear();
    const rows: ChangedRows = { replaced: [], revised: [], forgotten: [], outcomes: [], placed: [] };
    const { versions, bodies } = this.#encodeBodies(batch, decision, context, rows.placed);
    for (const resource of decision.resources) {
      const { key, id, currentLine, existing, historyLines, revision } = resource;
      let current = currentLine === undefined ? undefined : versions.get(currentLine);
      const isSearchable = current !== undefined && currentLine !== undefined && !current.deleted;
      const searchRows = isSearchable ? { segment, stamp: batch.searchRows.stampOf(currentLine) } : undefined;
      if (existing === undefined) {
        writeHeadRow(this.#heads, { key, id, current, searchRows });
      } else if (revision !== undefined) {
        const newCurrent = current === undefined ? undefined : { version: current, searchRows };
        const revised = revisedRows(existing, revision, context.importJob, newCurrent);
        rows.revised.push(revised);
        current = revised.head.current;
        for (const version of revised.added) writeVersionRow(this.#versions, version);
        this.#encodeRevision(resource, places, context.importJob, rows);
      } else if (current !== undefined) {
        rows.replaced.push({ old: existing, head: { key, id, current, searchRows } });
      }
      for (const line of historyLines) {
        const version = versions.get(line);
        if (version !== undefined) writeVersionRow(this.#versions, { key, ...version });
      }
      this.#encodeRemembered(batch, resource, bodies, current ?? existing?.current, context);
    }
    return rows;
  }

  /** Bodies in file order: neighbours compress well and are read together. */
  #encodeBodies(
    batch: Batch,
    decision: Decision,
    context: BatchContext,
    placed: PlacedLine[],
  ): { versions: Map<number, VersionRow>; bodies: Map<number, BodyPlace> } {
    this.#blocks.clear();
    const versions = new Map<number, VersionRow>();
    const bodies = new Map<number, BodyPlace>();
    const kept = new Set<number>();
    for (const { remembered } of decision.resources) {
      for (const { line, outcome } of remembered) if (isBodyKept(batch, line, outcome)) kept.add(line);
    }
    for (const [index, line] of batch.lines.entries()) {
      const written = decision.written[index];
      if (written === undefined) {
        if (kept.has(index)) bodies.set(index, this.#blocks.add(line.body));
        continue;
      }
      const body = this.#blocks.add(line.body);
      versions.set(index, {
        versionId: written.versionId,
        lastUpdated: written.lastUpdated,
        deleted: line.deleted,
        block: body.block,
        offset: body.offset,
        length: body.length,
        contentHash: line.contentHash,
        importJob: context.importJob,
        origin: written.origin,
      });
      if (written.origin !== Origin.bare) {
        placed.push({ byteOffset: line.byteOffset, line: line.line, length: line.length, body });
      }
      if (decision.searchable[index] === true) batch.searchRows.setLastUpdated(index, written.lastUpdated);
    }
    this.#blocks.finish();
    return { versions, bodies };
  }

  #encodeRemembered(
    batch: Batch,
    { key, remembered }: DecidedResource,
    bodies: ReadonlyMap<number, BodyPlace>,
    current: VersionRow | undefined,
    context: BatchContext,
  ): void {
    for (const { line: index, outcome } of remembered) {
      const line = batch.lines[index];
      if (line === undefined) throw new RangeError(`no line ${index}`);
      const { versionId, lastUpdated, deleted, contentHash, byteOffset, length } = line;
      const place: LinePlace = { unit: context.unit, byteOffset, line: line.line, length };
      // An unchanged bare line has the current version's content, and so its body.
      const isBareNoOp = lastUpdated === undefined && outcome === "unchanged";
      const body = bodies.get(index) ?? (isBareNoOp ? current : undefined);
      const said = { versionId: lastUpdated === undefined ? undefined : versionId, lastUpdated };
      writeEarlierRow(this.#earlier, context.importJob, { key, ...said, deleted, contentHash, outcome, place, body });
    }
  }

  #encodeRevision(
    { key, id, revision }: DecidedResource,
    places: WithdrawnPlaces,
    importJob: bigint,
    rows: ChangedRows,
  ): void {
    if (revision === undefined) return;
    for (const { version, outcome } of revision.withdrawn) {
      const { versionId, lastUpdated, deleted, contentHash, origin } = version;
      const place = places.of.get(version);
      rows.outcomes.push({ key, id, place, deleted, from: "written", to: outcome });
      const said = {
        versionId: origin === Origin.versioned ? versionId : undefined,
        lastUpdated: origin === Origin.bare ? undefined : lastUpdated,
      };
      const row: EarlierRow = { key, ...said, deleted, contentHash, outcome, place, body: version };
      writeEarlierRow(this.#earlier, importJob, row);
    }
    for (const { line } of revision.revived) {
      rows.outcomes.push({ key, id, place: line.place, deleted: line.deleted, from: line.outcome, to: "written" });
      rows.forgotten.push(line);
    }
    for (const { line, outcome } of revision.relabelled) {
      rows.outcomes.push({ key, id, place: line.place, deleted: line.deleted, from: line.outcome, to: outcome });
      rows.forgotten.push(line);
      writeEarlierRow(this.#earlier, importJob, { ...line, outcome });
    }
  }

  /** Everything but the new rows. */
  async #change(client: ClientBase, target: TargetSegment, rows: ChangedRows, context: BatchContext): Promise<void> {
    const { replaced, revised } = rows;
    const leaving = [...replaced, ...revised.filter((one) => !one.keepsSearchRows)].map(({ old }) => old);
    const oldSegments = [...replaced, ...revised].flatMap(({ old }) => old.searchRows?.segment ?? []);
    const states = await this.#holdSegments(client, [target.number, ...oldSegments]);
    const wanted = target.live ? SegmentState.indexed : SegmentState.loading;
    if (states.get(target.number) !== wanted) throw new SegmentClosed();

    await removeVersions(client, revised);
    await retireCurrentVersions(
      client,
      replaced.map(({ old }) => old.key),
    );
    await updateHeads(
      client,
      [...replaced, ...revised].map(({ head }) => head),
    );
    await removeSearchRows(client, leaving, states);
    await redateSearchRows(client, revised);
    await removeEarlierLines(client, context.importJob, rows.forgotten);
    await writePlaces(client, context.importJob, context.unit, packPlaces(rows.placed));
    await applyOutcomeChanges(client, context.unit, rows.outcomes);
  }

  /** The segments' states, which stay as they are until the transaction ends. */
  async #holdSegments(client: ClientBase, segments: readonly number[]): Promise<Map<number, number>> {
    const unsure = segments.filter((number) => !this.#indexed.has(number));
    const states = await holdSegments(client, unsure);
    for (const [number, state] of states) if (state === SegmentState.indexed) this.#indexed.add(number);
    for (const number of segments) if (this.#indexed.has(number)) states.set(number, SegmentState.indexed);
    return states;
  }

  #copies(batch: Batch, target: TargetSegment, decision: Decision): CopyStep[] {
    return [
      { table: "body_block", columns: ["id", "raw_length", "bytes"], buffer: this.#blocks.rows },
      { table: "resource_current", columns: HEAD_COLUMNS, buffer: this.#heads },
      { table: "resource_history", columns: VERSION_ROW_COLUMNS, buffer: this.#versions },
      ...searchCopies(batch.searchRows, target.number, decision.searchable),
      { table: "import_pending_line", columns: EARLIER_COLUMNS, buffer: this.#earlier },
    ];
  }
}

/** What is to be written beside the rows in the buffers. */
interface ChangedRows {
  /** Heads whose current version becomes history. */
  replaced: { old: HeadRow; head: NewHead }[];
  revised: RevisedRows[];
  forgotten: EarlierRow[];
  outcomes: OutcomeChange[];
  /** Written lines that may lose against a later one, in file order. */
  placed: PlacedLine[];
}

/** Only dated lines, and bare ones, can be written after all; an unchanged bare one shares the current version's body. */
function isBodyKept(batch: Batch, index: number, outcome: LineOutcome): boolean {
  const line = batch.lines[index];
  if (line === undefined) return false;
  if (line.lastUpdated === undefined) return outcome !== "unchanged" || line.deleted;
  return line.versionId === undefined && outcome === "conflict";
}

/** Where the lines of withdrawn versions are. */
interface WithdrawnPlaces {
  of: Map<VersionRow, LinePlace>;
  /** Resources with a withdrawn version whose place nobody knows. */
  unknown: bigint[];
}

async function placesOfWithdrawn(
  client: ClientBase,
  context: BatchContext,
  resources: readonly DecidedResource[],
): Promise<WithdrawnPlaces> {
  const places: WithdrawnPlaces = { of: new Map(), unknown: [] };
  const withdrawn: { key: bigint; version: VersionRow }[] = [];
  for (const { key, revision } of resources) {
    // Bare lines are never rejected: nobody asks where they were.
    for (const { version } of revision?.withdrawn ?? []) {
      if (version.origin !== Origin.bare) withdrawn.push({ key, version });
    }
  }
  const found = await findPlaces(
    client,
    context.importJob,
    withdrawn.map(({ version }) => version),
  );
  for (const [index, { key, version }] of withdrawn.entries()) {
    const place = found[index];
    if (place === undefined) places.unknown.push(key);
    else places.of.set(version, place);
  }
  return places;
}

/** The heads of the batch's resources, locked, with their other versions and what the import remembers of their lines. */
async function readStored(
  client: ClientBase,
  groups: readonly ResourceLines[],
  context: RuleContext,
): Promise<Map<bigint, StoredHead>> {
  const heads = await lockHeads(
    client,
    groups.map(({ key }) => key),
  );
  const keys = heads.map(({ key }) => key);
  const others = await readOtherVersions(client, keys);
  const remembers = context.mode === "IncrementalLoad";
  const earlier = remembers ? await readEarlierLines(client, context.importJob, keys) : new Map<bigint, EarlierRow[]>();
  return new Map(
    heads.map((head) => [head.key, { head, others: others.get(head.key) ?? [], earlier: earlier.get(head.key) ?? [] }]),
  );
}
