import type { Int64Halves } from "../../base/hash.ts";
import { dateRowParameter, type SearchValueSink, type TickRange } from "../../fhir/search-value.ts";
import { CopyBuffer } from "../../postgres/copy-buffer.ts";
import { Terms } from "./terms.ts";

/** Columns of the search tables in the order in which rows are written; a partition knows its segment. */
export const SEARCH_COLUMNS: {
  readonly [table in "search_resource" | "search_date" | "search_quantity" | "search_string"]: readonly string[];
} = {
  search_resource: ["stamp", "key", "last_updated", "equality"],
  search_date: ["stamp", "key", "low", "high", "qualifier", "parameter"],
  search_quantity: ["stamp", "key", "system", "code", "qualifier", "parameter", "low", "high"],
  search_string: ["stamp", "key", "qualifier", "parameter", "value", "folded"],
};

/** Byte ranges of one resource's rows in the four search tables' buffers: four [start, end) pairs. */
const BOUNDS_PER_RESOURCE = 8;
/** Offset of last_updated's eight bytes in a search_resource row: field count, stamp, key, length word. */
const LAST_UPDATED_OFFSET = 2 + 8 + 12 + 4;
/** Bytes of an array before its elements. */
const EQUALITY_HEADER = 24;
/** PostgreSQL's type oid of int8, the element type of `equality`. */
const INT8_OID = 20;

/**
 * Bytes of rows that one resource may have in each of the four tables, and of terms. A name of four bytes makes two rows of 60, so
 * that a line of 10 MB would make 300 MB of them. 2.7 million references or codes fit, or half a million names.
 */
const MAX_RESOURCE_BYTES = 32 * 1024 * 1024;
/** What a term takes beside its text, until it is stored. */
const TERM_BYTES = 128;

/** A resource has more search values than one resource may have. */
export class TooManySearchValues extends Error {
  override readonly name = "TooManySearchValues";

  /** `kind` in the plural; `count`: of this kind, when the limit was passed; `limit` in bytes. */
  constructor(kind: string, count: number, limit: number) {
    super(
      `The resource has too many search values: its first ${count} values (${kind}) take more than the ${limit} bytes ` +
        "that one resource may have of one kind.",
    );
  }
}

/** Counts batches of all {@link SearchRows} of the thread. */
let rounds = 0;

/**
 * The search rows of a batch, encoded while its lines are indexed. What is known only when the version rules have
 * spoken (which lines become current, and since when) is settled afterwards: rows of other lines are dropped,
 * `last_updated` is filled in.
 */
export class SearchRows implements SearchValueSink {
  readonly resources: CopyBuffer;
  readonly dates: CopyBuffer;
  readonly quantities: CopyBuffer;
  readonly strings: CopyBuffer;
  /** To be stored before any of the rows is. */
  readonly terms: Terms = new Terms();
  #bounds: Int32Array = new Int32Array(BOUNDS_PER_RESOURCE * 8192);
  #count = 0;
  /** Of the batch: its terms are kept until {@link clear}. */
  termRound: number = ++rounds;
  #firstStamp = 0;
  #stamp = 0;
  #keyHigh = 0;
  #keyLow = 0;
  #qualifierHigh = 0;
  #qualifierLow = 0;
  #equalityStart = 0;
  #equalityCount = 0;
  readonly #limit: number;
  /** Where the rows of the resource at hand begin, in each buffer. */
  readonly #starts = { resources: 0, dates: 0, quantities: 0, strings: 0 };
  /** Bytes of terms, of the resource at hand and of the batch. */
  #termBytes = 0;
  #batchTermBytes = 0;
  /** Rows and terms of the resource at hand, for {@link TooManySearchValues}. */
  #rowCount = 0;

  /**
   * `capacity`: bytes the largest buffer has from the beginning; all of them grow as needed. `limit`: bytes of one resource in
   * each table; what indexes a resource with more gets {@link TooManySearchValues}.
   */
  constructor(capacity: number = 4 << 20, limit: number = MAX_RESOURCE_BYTES) {
    this.#limit = limit;
    this.resources = new CopyBuffer(capacity);
    this.dates = new CopyBuffer(capacity / 4);
    this.quantities = new CopyBuffer(capacity / 4);
    this.strings = new CopyBuffer(capacity / 16);
  }

  /** Forgets all rows. The resources that follow carry the stamps from `firstStamp` on. */
  clear(firstStamp: number): void {
    for (const buffer of [this.resources, this.dates, this.quantities, this.strings]) buffer.clear();
    this.terms.clear();
    this.#batchTermBytes = 0;
    this.termRound = ++rounds;
    this.#count = 0;
    this.#firstStamp = firstStamp;
  }

  /** Bytes that the rows and the terms take. */
  get bytes(): number {
    const { resources, dates, quantities, strings } = this;
    return resources.length + dates.length + quantities.length + strings.length + this.#batchTermBytes;
  }

  /** Begins the rows of the next resource. */
  begin(keyHigh: number, keyLow: number): void {
    this.#stamp = this.stampOf(this.#count);
    this.#keyHigh = keyHigh;
    this.#keyLow = keyLow;
    this.#qualifierHigh = 0;
    this.#qualifierLow = 0;
    this.#mark(0);
    const { resources } = this;
    const starts = this.#starts;
    starts.resources = resources.length;
    starts.dates = this.dates.length;
    starts.quantities = this.quantities.length;
    starts.strings = this.strings.length;
    this.#termBytes = 0;
    this.#rowCount = 0;
    resources.row(4);
    resources.int32(this.#stamp);
    resources.int64(keyHigh, keyLow);
    resources.int64(0, 0);
    // Array: dimensions, null flag, element type, size, lower bound; length and size are filled in by `end`.
    this.#equalityStart = resources.length;
    resources.ensure(EQUALITY_HEADER);
    resources.view.setInt32(resources.length + 4, 1);
    resources.view.setInt32(resources.length + 8, 0);
    resources.view.setInt32(resources.length + 12, INT8_OID);
    resources.view.setInt32(resources.length + 20, 1);
    resources.length += EQUALITY_HEADER;
    this.#equalityCount = 0;
  }

  /** Ends them. */
  end(): void {
    const { resources } = this;
    const start = this.#equalityStart;
    if (this.#equalityCount === 0) {
      // An empty array has no dimensions.
      resources.length = start + 16;
      resources.view.setInt32(start + 4, 0);
    } else {
      resources.view.setInt32(start + 16, this.#equalityCount);
    }
    resources.view.setInt32(start, resources.length - start - 4);
    this.#mark(1);
    this.#count++;
  }

  /** Ends them as if they had not begun: for a resource that threw {@link TooManySearchValues}. */
  undo(): void {
    const { resources, dates, quantities, strings } = this.#starts;
    this.resources.length = resources;
    this.dates.length = dates;
    this.quantities.length = quantities;
    this.strings.length = strings;
  }

  /** Stands for a resource without search rows (a deleted one), so that rows and lines keep the same numbers. */
  skip(): void {
    this.#mark(0);
    this.#mark(1);
    this.#count++;
  }

  equality(high: number, low: number): void {
    this.resources.int64(high, low);
    this.#equalityCount++;
    if (this.resources.length - this.#starts.resources > this.#limit) {
      throw new TooManySearchValues("codes, references and texts", this.#equalityCount, this.#limit);
    }
  }

  qualify(high: number, low: number): void {
    this.#qualifierHigh = high;
    this.#qualifierLow = low;
  }

  date(parameter: number, range: TickRange): void {
    const { dates } = this;
    this.#beginRow(dates, 6);
    dates.int64(range.lowHigh, range.lowLow);
    dates.int64(range.highHigh, range.highLow);
    this.#endRow(dates, dateRowParameter(parameter, range));
    this.#check(dates.length - this.#starts.dates, "dates");
  }

  quantity(parameter: number, low: string, high: string, system: Int64Halves, code: Int64Halves): void {
    const { quantities } = this;
    this.#beginRow(quantities, 8);
    quantities.int64(system.high, system.low);
    quantities.int64(code.high, code.low);
    this.#endRow(quantities, parameter);
    quantities.numeric(low);
    quantities.numeric(high);
    this.#check(quantities.length - this.#starts.quantities, "numbers");
  }

  string(parameter: number, value: string, folded: string): void {
    const { strings } = this;
    // Before it is copied: a text may be the whole of a line.
    this.#check(strings.length - this.#starts.strings + value.length + folded.length, "texts");
    this.#beginRow(strings, 6);
    this.#endRow(strings, parameter);
    strings.text(value);
    strings.text(folded);
  }

  term(parameter: number, high: number, low: number, folded: string): void {
    const bytes = TERM_BYTES + folded.length;
    this.#termBytes += bytes;
    this.#check(this.#termBytes, "texts of codes");
    this.#batchTermBytes += bytes;
    this.terms.add(parameter, high, low, folded);
  }

  /** The stamp of the resource with this number. */
  stampOf(resource: number): number {
    return this.#firstStamp + resource;
  }

  /** Sets `last_updated` (milliseconds) of the resource with this number. */
  setLastUpdated(resource: number, milliseconds: number): void {
    const { view } = this.resources;
    const at = (this.#bounds[resource * BOUNDS_PER_RESOURCE] ?? 0) + LAST_UPDATED_OFFSET;
    const high = Math.floor(milliseconds / 4294967296);
    view.setInt32(at, high);
    view.setInt32(at + 4, milliseconds - high * 4294967296);
  }

  /**
   * The byte ranges of the rows of the resources with a true flag, per table: [start, end) pairs, neighbours joined.
   * Nothing is dropped, so that a batch can be decided again.
   */
  rangesOf(flags: readonly boolean[]): {
    resources: number[];
    dates: number[];
    quantities: number[];
    strings: number[];
  } {
    return {
      resources: this.#ranges(flags, 0),
      dates: this.#ranges(flags, 1),
      quantities: this.#ranges(flags, 2),
      strings: this.#ranges(flags, 3),
    };
  }

  #ranges(flags: readonly boolean[], table: number): number[] {
    const ranges: number[] = [];
    for (let resource = 0; resource < this.#count; resource++) {
      if (flags[resource] !== true) continue;
      const at = resource * BOUNDS_PER_RESOURCE + table * 2;
      const start = this.#bounds[at] ?? 0;
      const end = this.#bounds[at + 1] ?? 0;
      if (start === end) continue;
      if (ranges.at(-1) === start) ranges[ranges.length - 1] = end;
      else ranges.push(start, end);
    }
    return ranges;
  }

  /** `bytes`: what the rows of one kind of the resource at hand take. */
  #check(bytes: number, kind: string): void {
    this.#rowCount++;
    if (bytes > this.#limit) throw new TooManySearchValues(kind, this.#rowCount, this.#limit);
  }

  #beginRow(buffer: CopyBuffer, fields: number): void {
    buffer.row(fields);
    buffer.int32(this.#stamp);
    buffer.int64(this.#keyHigh, this.#keyLow);
  }

  #endRow(buffer: CopyBuffer, parameter: number): void {
    buffer.int64(this.#qualifierHigh, this.#qualifierLow);
    buffer.int32(parameter);
  }

  #mark(side: 0 | 1): void {
    const at = this.#count * BOUNDS_PER_RESOURCE + side;
    if (at + BOUNDS_PER_RESOURCE > this.#bounds.length) {
      const grown = new Int32Array(this.#bounds.length * 2);
      grown.set(this.#bounds);
      this.#bounds = grown;
    }
    this.#bounds[at] = this.resources.length;
    this.#bounds[at + 2] = this.dates.length;
    this.#bounds[at + 4] = this.quantities.length;
    this.#bounds[at + 6] = this.strings.length;
  }
}
