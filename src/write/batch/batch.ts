import { isAscii, isUtf8 } from "node:buffer";
import { toBigInt, type Int64Halves } from "../../base/hash.ts";
import type { JsonObject } from "../../base/json.ts";
import { checkLine, type LineRules } from "../../check/check-line.ts";
import { contentHash, storedBody } from "../../fhir/meta-bytes.ts";
import { resourceKey, typeIdOfKey } from "../../fhir/resource-key.ts";
import { withoutEmpty } from "../../fhir/without-empty.ts";
import type { Indexer } from "../../index/indexer.ts";
import { literalsOf } from "../../index/number-literals.ts";
import { frameLength, frameOffset, type LineBlock } from "../../split/line-block.ts";
import { SearchRows, TooManySearchValues } from "../../store/search/search-rows.ts";
import { addReferences, countsOf, emptyTally, type Tally } from "./unit-tally.ts";
import type { StageTimes } from "./stage-times.ts";
import { WorkPlace } from "./work-place.ts";

/** A batch is full at so many bytes of lines … */
const BATCH_BYTES = 8 << 20;
/** … or so many lines. */
export const BATCH_LINES = 8192;

/** … or its search rows so many bytes: some resources have ten times as many as others, … */
const BATCH_ROW_BYTES = 32 << 20;
/** … or when it keeps so many bytes of the file: a small line keeps the chunk it was read with, rejected lines and all. */
const BATCH_CHUNK_BYTES = 32 << 20;

/** A line that was accepted so far: what the version rules and the writer need. */
export interface BatchLine {
  key: bigint;
  id: string;
  versionId: number | undefined;
  lastUpdated: number | undefined;
  deleted: boolean;
  contentHash: bigint;
  /** The bytes that are stored; they belong to the chunk that was read. */
  body: Buffer;
  /** Place of the line in its file, for error log entries. */
  byteOffset: number;
  length: number;
  /** Ordinal within the unit, from 1, blank lines counted. */
  line: number;
}

type PlaceOfLine = Pick<BatchLine, "byteOffset" | "length" | "line">;

/** A line that was not loaded, and why. */
export interface RejectedLine {
  byteOffset: number;
  length: number;
  line: number;
  /** FHIR issue code. */
  code: string;
  /** `{line}` stands for the line's number in the file, which is known only when the units before it are done. */
  message: string;
  expression: string | undefined;
}

/** Bytes of a line after which garbage is to be collected: what it was parsed into is many times the usual. */
const LARGE_LINE = 2 << 20;

/** Times of the stages are taken of one line in so many, and multiplied: always on, and too cheap to matter. */
const SAMPLE_EVERY = 64;
/** … of no more characters: parsing a line twice also takes twice the memory. */
const SAMPLE_LENGTH = 1 << 20;

/** Milliseconds that parsing alone takes; `checkLine` parses again. 0 for what is not JSON. */
function timeToParse(text: string): number {
  const started = performance.now();
  try {
    JSON.parse(text);
  } catch {
    return 0;
  }
  return performance.now() - started;
}

const LINE_TOO_LONG = "The line is longer than the server accepts for one resource.";

/** The lines of one transaction: checked and indexed as they arrive, decided and written together. Reused. */
export class Batch {
  readonly searchRows: SearchRows = new SearchRows();
  readonly lines: BatchLine[] = [];
  readonly rejected: RejectedLine[] = [];
  /** Lines that the check rejected, by type, and references that lead nowhere. */
  tally: Tally = emptyTally();
  /** Bytes of bodies in `lines`. */
  bytes = 0;
  /** Whether it has had a line of more than {@link LARGE_LINE}, loaded or not. */
  hasLargeLine = false;
  /** Bytes of the blocks that lines were taken from. */
  #chunkBytes = 0;
  readonly #times: StageTimes;
  readonly #at: Float64Array;
  #untilSample = 0;
  readonly #indexer: Indexer;
  readonly #key: Int64Halves = { high: 0, low: 0 };

  /** The time spent on parse, check and index is added to `times`, from a sample of the lines; `at` tells the line at hand. */
  constructor(indexer: Indexer, times: StageTimes, at: Float64Array = new Float64Array(WorkPlace.places)) {
    this.#indexer = indexer;
    this.#times = times;
    this.#at = at;
  }

  /** Empties the batch; its search rows carry the {@link BATCH_LINES} stamps from `firstStamp` on. */
  clear(firstStamp: number): void {
    this.searchRows.clear(firstStamp);
    this.lines.length = 0;
    this.rejected.length = 0;
    this.tally = emptyTally();
    this.bytes = 0;
    this.hasLargeLine = false;
    this.#chunkBytes = 0;
  }

  /**
   * Takes keys and search values anew, after the indexer has learned of other search parameters, or this thread of displaced ids;
   * `firstStamp` as in {@link clear}.
   */
  indexAgain(firstStamp: number): void {
    this.searchRows.clear(firstStamp);
    const lines = this.lines.splice(0);
    for (const line of lines) {
      const { id, deleted, body } = line;
      const typeId = typeIdOfKey(line.key);
      resourceKey(typeId, id, this.#key);
      line.key = toBigInt(this.#key);
      if (deleted) {
        this.searchRows.skip();
      } else {
        const text = body.toString("utf8");
        if (!this.#index(this.#key, text, JSON.parse(text) as JsonObject, typeId, line)) {
          this.bytes -= body.length;
          continue;
        }
      }
      this.lines.push(line);
    }
  }

  get isFull(): boolean {
    return (
      this.bytes >= BATCH_BYTES ||
      this.lines.length + this.rejected.length >= BATCH_LINES ||
      this.searchRows.bytes >= BATCH_ROW_BYTES ||
      this.#chunkBytes >= BATCH_CHUNK_BYTES
    );
  }

  get isEmpty(): boolean {
    return this.lines.length === 0 && this.rejected.length === 0;
  }

  /** Checks and indexes lines of a block, from the one with index `from`, until the batch is full; returns the index of the first line not taken. */
  addLines(block: LineBlock, from: number, rules: LineRules): number {
    const { bytes } = block;
    // latin1 is a plain copy into a one-byte string; only pure ASCII may take that way
    const ascii = isAscii(bytes);
    const valid = ascii || isUtf8(bytes);
    let index = from;
    const { length: held } = this.lines;
    for (; index < block.count && !this.isFull; index++) {
      const start = block.starts[index] ?? 0;
      const end = block.ends[index] ?? 0;
      const place = {
        byteOffset: frameOffset(block, index),
        length: frameLength(block, index),
        line: block.lines[index] ?? 0,
      };
      this.#at[WorkPlace.byteOffset] = place.byteOffset;
      this.#at[WorkPlace.line] = place.line;
      if (block.tooLong?.has(index) === true) {
        this.#reject(place, "too-long", LINE_TOO_LONG, undefined);
        continue;
      }
      if (!valid && !isUtf8(bytes.subarray(start, end))) {
        this.#reject(place, "invalid", "Invalid Json encountered. Details: the line is not valid UTF-8.", undefined);
        continue;
      }
      if (end - start > LARGE_LINE) this.hasLargeLine = true;
      const text = bytes.toString(ascii ? "latin1" : "utf8", start, end);
      this.#addLine(text, bytes.subarray(start, end), place, rules);
    }
    if (this.lines.length > held) this.#chunkBytes += bytes.length;
    return index;
  }

  #addLine(text: string, raw: Buffer, place: PlaceOfLine, rules: LineRules): void {
    const isSample = --this.#untilSample < 0 && text.length <= SAMPLE_LENGTH;
    if (isSample) this.#untilSample = SAMPLE_EVERY - 1;
    const parsing = isSample ? timeToParse(text) : 0;
    const started = isSample ? performance.now() : 0;
    const checked = checkLine(text, rules);
    const afterCheck = isSample ? performance.now() : 0;
    if (isSample) {
      this.#times.parse += SAMPLE_EVERY * parsing;
      this.#times.check += SAMPLE_EVERY * Math.max(0, afterCheck - started - parsing);
    }
    if (checked.kind === "issue") {
      this.#reject(place, checked.code, checked.text, checked.expression, checked.typeId);
      return;
    }
    const content = checked.hasEmpty ? withoutEmpty(raw, checked.resource) : raw;
    const key = this.#key;
    resourceKey(checked.typeId, checked.id, key);
    if (checked.deleted) {
      this.searchRows.skip();
    } else {
      const isWhole = content === raw;
      const stored = isWhole ? text : content.toString("utf8");
      const resource = isWhole ? checked.resource : (JSON.parse(stored) as JsonObject);
      if (!this.#index(key, stored, resource, checked.typeId, place)) return;
    }
    if (checked.leftReferences !== undefined) addReferences(this.tally, checked.leftReferences);
    if (isSample) this.#times.index += SAMPLE_EVERY * (performance.now() - afterCheck);
    const body = checked.deleted ? storedBody(content) : content;
    this.lines.push({
      key: (BigInt(key.high) << 32n) | BigInt(key.low >>> 0),
      id: checked.id,
      versionId: checked.versionId,
      lastUpdated: checked.lastUpdated,
      deleted: checked.deleted,
      contentHash: contentHash(body, checked.hasMetaVersion),
      body,
      byteOffset: place.byteOffset,
      length: place.length,
      line: place.line,
    });
    this.bytes += body.length;
  }

  /** Makes the resource's search rows. When there are too many, there are none, the line is rejected, and this is false. */
  #index(key: Int64Halves, text: string, resource: JsonObject, typeId: number, place: PlaceOfLine): boolean {
    this.searchRows.begin(key.high, key.low);
    try {
      this.#indexer.index(typeId, resource, this.searchRows, literalsOf(text));
    } catch (error) {
      this.searchRows.undo();
      if (!(error instanceof TooManySearchValues)) throw error;
      this.#reject(place, "too-costly", error.message, undefined, typeId);
      return false;
    }
    this.searchRows.end();
    return true;
  }

  /** Rejects a whole file instead of its lines: an entry at its first line, which has no bytes to be sent again. */
  rejectFile(message: string): void {
    this.#reject({ byteOffset: 0, length: 0, line: 1 }, "not-supported", message, undefined);
  }

  #reject(place: PlaceOfLine, code: string, message: string, expression: string | undefined, typeId = 0): void {
    countsOf(this.tally, typeId).rejected++;
    const { byteOffset, length, line } = place;
    this.rejected.push({ byteOffset, length, line, code, message, expression });
  }
}
