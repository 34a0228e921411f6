import { LeaseLost } from "../../jobs/lease.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientBase } from "pg";
import { collectGarbage } from "../../base/memory.ts";
import type { LineRules } from "../../check/check-line.ts";
import type { Indexer } from "../../index/indexer.ts";
import type { Source } from "../../source/source.ts";
import type { Sources } from "../../source/sources.ts";
import { LONE_BUNDLE, type WrongKind } from "../../split/file-kind.ts";
import { checkpointBefore, type Checkpoint, type LineBlock } from "../../split/line-block.ts";
import { copyRows } from "../../postgres/copy.ts";
import { copyTogether, type CopyStep } from "../../postgres/copy-together.ts";
import { CopyBuffer } from "../../postgres/copy-buffer.ts";
import { isRepeatable } from "../../postgres/database-errors.ts";
import { checkRoom, type DiskRoom } from "../../postgres/disk-room.ts";
import { holdStatement, isOutdated } from "../../store/search/search-parameters.ts";
import { Stamps } from "../../store/search/stamps.ts";
import { InputError } from "../job/jobs.ts";
import { BATCH_LINES, Batch, type RejectedLine } from "../../write/batch/batch.ts";
import type { BatchCounts } from "../../write/batch/batch-decision.ts";
import { BatchWriter, ClockWait, SegmentClosed } from "../../write/batch/batch-writer.ts";
import { type TargetSegment } from "../../store/segments/target-segments.ts";
import { displaceIds, KeysTaken } from "../../write/displacement/displace.ts";
import { updateIndexer } from "../../write/displacement/current-definitions.ts";
import { noTimes, type StageTimes } from "../../write/batch/stage-times.ts";
import { emptyTally, readTally, storedTally, sumOf, type Tally } from "../../write/batch/unit-tally.ts";
import { TargetSegments } from "../../store/segments/target-segments.ts";
import { WorkPlace } from "../../write/batch/work-place.ts";
import { advanceUnit, renewUnit, type ClaimedUnit } from "./unit-lease.ts";
import { NotLines, readKind, readLineBlocks } from "./unit-lines.ts";

/** Milliseconds after which a worker without a commit looks whether the unit is still its own. */
const HEARTBEAT_MS = 10_000;
const MAX_REPEATS = 30;
/** Files whose kind is remembered. */
const MOST_KINDS = 100;
/**
 * Bytes of rows that are sent with the commit in one message. An import of ten thousand files of one line spends its time on
 * round trips; larger batches are streamed.
 */
const TOGETHER_BYTES = 256 * 1024;
const REJECTED_COLUMNS = ["unit", "byte_offset", "line", "length", "code", "message", "expression"];

/** What a worker tells of a committed batch. */
export interface BatchReport {
  job: string;
  bytes: number;
  loaded: number;
  rejected: number;
}

/**
 * Works on units, one at a time, on one connection: reads lines, checks and indexes them, and commits them batch by
 * batch together with the unit's checkpoint. Holds the batch's buffers, which are reused from unit to unit.
 */
export class UnitRunner {
  /** Time spent so far, over all units. */
  readonly times: StageTimes;
  readonly #client: ClientBase;
  readonly #sources: Sources;
  readonly #indexer: Indexer;
  readonly #room: DiskRoom | undefined;
  readonly #batch: Batch;
  readonly #writer: BatchWriter;
  readonly #rejectedRows: CopyBuffer = new CopyBuffer(1 << 16);
  readonly #at: Float64Array;
  readonly #report: (report: BatchReport) => void;
  readonly #segmentFull: (segment: number) => void;
  readonly #segments: TargetSegments = new TargetSegments();
  readonly #stamps: Stamps = new Stamps();
  /** What the files of units are that were worked on last, by job and URL. */
  readonly #kinds: Map<string, WrongKind | undefined> = new Map();
  #lastCommit = 0;
  /** What the unit has counted by type, as far as it is committed. */
  #tally: Tally = emptyTally();

  constructor(options: {
    client: ClientBase;
    sources: Sources;
    indexer: Indexer;
    /** Left free by every batch; undefined where the disk is not ours to look at. */
    room: DiskRoom | undefined;
    /** Counted on from there: the times of a worker outlive its connections. */
    times?: StageTimes;
    /** Is kept up to date with what is worked on (`WorkPlace`). */
    at?: Float64Array;
    /** Called after every commit. */
    report: (report: BatchReport) => void;
    /** Called when a bulk segment is full: it can be indexed. */
    segmentFull: (segment: number) => void;
  }) {
    this.#client = options.client;
    this.#sources = options.sources;
    this.#indexer = options.indexer;
    this.#room = options.room;
    this.times = options.times ?? noTimes();
    this.#at = options.at ?? new Float64Array(WorkPlace.places);
    this.#writer = new BatchWriter(this.times);
    this.#batch = new Batch(options.indexer, this.times, this.#at);
    this.#report = options.report;
    this.#segmentFull = options.segmentFull;
  }

  /**
   * Works on the unit from its checkpoint to its end. Throws {@link LeaseLost}, StokerErrors of the source, PostgreSQL's
   * errors, or the signal's reason; whatever was committed stays, and the unit can be claimed again.
   */
  async run(unit: ClaimedUnit, signal: AbortSignal): Promise<void> {
    const { definition, input } = unit;
    this.#at.set([Number(unit.id), Number(unit.fence), unit.position ?? unit.startOffset, unit.lines]);
    const rules: LineRules = { mode: definition.mode, declaredType: input.type ?? undefined, now: Date.now() };
    this.#lastCommit = Date.now();
    this.#tally = readTally(unit.tally);
    await this.#clearBatch();
    let checkpoint: Checkpoint = { position: unit.position ?? unit.startOffset, lines: unit.lines };
    const range =
      unit.position === undefined
        ? { start: unit.startOffset, end: unit.endOffset, fileLength: input.length }
        : {
            start: unit.position,
            end: unit.endOffset,
            fileLength: input.length,
            resumed: true,
            linesBefore: unit.lines,
          };
    const source = this.#sources.sourceFor(input.url);
    if (unit.startOffset > 0 && (await this.#kindOf(unit, source, signal)) !== undefined) {
      // The first unit of the file says what it is.
      return await this.#commit(unit, checkpoint, true, signal);
    }
    let waiting = performance.now();
    let frames = 0;
    for await (const block of untilKnown(readLineBlocks(source, input.url, range, input.etag, signal), (kind) => {
      this.#rejectFile(unit, kind);
    })) {
      this.times.read += performance.now() - waiting;
      signal.throwIfAborted();
      rules.now = Date.now();
      await this.#takeBlock(unit, block, rules, signal);
      checkpoint = checkpointBefore(block, block.count);
      frames += block.count;
      // Lines are few and slow, or all of them wrong: is anybody still interested?
      if (Date.now() - this.#lastCommit > HEARTBEAT_MS) await this.#beat(unit);
      waiting = performance.now();
    }
    if (frames === 1 && unit.position === undefined && checkpoint.position === input.length) this.#explainBundle(unit);
    await this.#commit(unit, checkpoint, true, signal);
  }

  /** What the file of a later unit is instead of NDJSON; asked once for each file. */
  async #kindOf(unit: ClaimedUnit, source: Source, signal: AbortSignal): Promise<WrongKind | undefined> {
    const { url, etag, length } = unit.input;
    const key = `${unit.job} ${url}`;
    if (!this.#kinds.has(key)) {
      if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
      this.#kinds.set(key, await readKind(source, url, length, etag, signal));
    }
    return this.#kinds.get(key);
  }

  /** A file that is no NDJSON is rejected as a whole, with one entry; one that is no UTF-8 fails the import. */
  #rejectFile(unit: ClaimedUnit, { text, isEncoding }: WrongKind): void {
    if (isEncoding) throw new InputError(unit.input.url, text);
    this.#batch.rejectFile(text);
  }

  /** A file of one line, a Bundle without an id, is one that was meant to be taken apart. */
  #explainBundle({ startOffset }: ClaimedUnit): void {
    const [rejected] = this.#batch.rejected;
    if (startOffset === 0 && rejected?.expression === "Bundle.id") rejected.message = LONE_BUNDLE;
  }

  async #takeBlock(unit: ClaimedUnit, block: LineBlock, rules: LineRules, signal: AbortSignal): Promise<void> {
    let next = 0;
    while (next < block.count) {
      next = this.#batch.addLines(block, next, rules);
      if (this.#batch.isFull) await this.#commit(unit, checkpointBefore(block, next), false, signal);
    }
  }

  async #beat(unit: ClaimedUnit): Promise<void> {
    if (!(await renewUnit(this.#client, unit))) throw new LeaseLost(`unit ${unit.id} is no longer ours`);
    this.#lastCommit = Date.now();
  }

  async #clearBatch(): Promise<void> {
    this.#batch.clear(await this.#stamps.reserve(this.#client, BATCH_LINES));
  }

  /** Writes the batch, again where that helps, and empties it. */
  async #commit(unit: ClaimedUnit, checkpoint: Checkpoint, completed: boolean, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#tryCommit(unit, checkpoint, completed);
        break;
      } catch (error) {
        if (error instanceof ClockWait) {
          // lastUpdated is at most ten seconds ahead (contract 5.3), so this ends
          await sleep(Math.max(1, error.until - Date.now()), undefined, { signal });
          await this.#beat(unit);
        } else if (isRepeatable(error) && attempt < MAX_REPEATS) {
          await sleep(Math.random() * Math.min(1000, 5 * 2 ** attempt), undefined, { signal });
        } else if (isOutdated(error)) {
          await this.#indexAgain();
        } else if (error instanceof KeysTaken) {
          await displaceIds(this.#client, this.#indexer, error.taken);
          await this.#indexAgain();
        } else if (!(error instanceof SegmentClosed)) {
          throw error;
        }
      }
    }
    this.#lastCommit = Date.now();
    const { lines, bytes, rejected } = this.#batch;
    this.#report({ job: unit.job, bytes, loaded: lines.length, rejected: rejected.length });
    const { hasLargeLine } = this.#batch;
    await this.#clearBatch();
    if (hasLargeLine) collectGarbage();
  }

  /** Search parameters were defined, or ids displaced, since the lines were indexed. */
  async #indexAgain(): Promise<void> {
    await updateIndexer(this.#client, this.#indexer);
    this.#batch.indexAgain(await this.#stamps.reserve(this.#client, BATCH_LINES));
  }

  async #tryCommit(unit: ClaimedUnit, checkpoint: Checkpoint, completed: boolean): Promise<void> {
    const client = this.#client;
    const { definition } = unit;
    const written = this.#batch.lines.length;
    if (this.#room !== undefined && !this.#batch.isEmpty) await checkRoom(this.#room);
    const target = await this.#segments.open(client, unit.jobBytes);
    await this.#writer.prepare(client, this.#batch);
    try {
      await client.query(`begin; ${holdStatement(this.#indexer.generation)}`);
      const rejected: RejectedLine[] = [...this.#batch.rejected];
      let counts: BatchCounts = { loaded: 0, created: 0, updated: 0, unchanged: 0, deleted: 0 };
      let copies: CopyStep[] = [];
      let tally = emptyTally();
      if (written > 0) {
        const context = {
          mode: definition.mode,
          allowNegativeVersions: definition.allowNegativeVersions,
          importJob: BigInt(unit.job),
          unit: BigInt(unit.id),
          now: Date.now(),
        };
        ({ counts, copies, tally } = await this.#writer.write(client, this.#batch, target, context, rejected));
      }
      copies.push(this.#rejectedStep(unit, rejected));
      const total = sumOf(this.#tally, this.#batch.tally, tally);
      const progress = { ...checkpoint, ...counts, rejected: rejected.length, tally: storedTally(total) };
      if (!(await advanceUnit(client, unit, progress, completed)))
        throw new LeaseLost(`unit ${unit.id} is no longer ours`);
      await this.#copyAndCommit(copies);
      this.#tally = total;
    } catch (error) {
      // A connection that cannot even roll back is broken, which the next statement will say.
      await client.query("rollback").catch(() => {});
      if (error instanceof SegmentClosed) this.#segments.forget(target);
      throw error;
    }
    this.#stamps.use(written);
    if (written > 0) await this.#count(target, written);
  }

  /** Never throws: the batch is committed, and must not be written again because its count was refused. */
  async #count(target: TargetSegment, written: number): Promise<void> {
    try {
      const isOpen = await this.#segments.count(this.#client, target, written);
      if (!isOpen && !target.live) this.#segmentFull(target.number);
    } catch {
      // It is counted with a later batch; a connection that is broken says so at the next statement.
    }
  }

  async #copyAndCommit(copies: readonly CopyStep[]): Promise<void> {
    const begun = performance.now();
    const bytes = copies.reduce((sum, { buffer }) => sum + buffer.length, 0);
    if (bytes <= TOGETHER_BYTES) {
      await copyTogether(this.#client, [], copies, ["commit"]);
    } else {
      for (const { table, columns, buffer, ranges } of copies) {
        await copyRows(this.#client, table, columns, buffer, ranges);
      }
      await this.#client.query("commit");
    }
    this.times.copy += performance.now() - begun;
  }

  #rejectedStep(unit: ClaimedUnit, rejected: readonly RejectedLine[]): CopyStep {
    const rows = this.#rejectedRows;
    rows.clear();
    for (const line of rejected) {
      rows.row(7);
      rows.bigint(BigInt(unit.id));
      rows.integer(line.byteOffset);
      rows.integer(line.line);
      rows.int32(line.length);
      rows.text(line.code);
      rows.text(line.message.replaceAll("\0", ""));
      if (line.expression === undefined) rows.null();
      else rows.text(line.expression.replaceAll("\0", ""));
    }
    return { table: "import_rejected_line", columns: REJECTED_COLUMNS, buffer: rows };
  }
}

/** The blocks of a file, which end at once when its beginning tells that it is no NDJSON. */
async function* untilKnown(
  blocks: AsyncIterable<LineBlock>,
  tell: (kind: WrongKind) => void,
): AsyncGenerator<LineBlock, void, undefined> {
  try {
    yield* blocks;
  } catch (error) {
    if (!(error instanceof NotLines)) throw error;
    tell(error.kind);
  }
}
