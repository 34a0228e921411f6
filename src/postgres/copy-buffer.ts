/**
 * Rows in PostgreSQL's binary COPY format, written into one growing buffer that is reused from batch to batch.
 * A row is `int16 field count`, then per field `int32 length, bytes`.
 */

/** What opens a binary COPY: signature, no flags, no header extension. */
export const COPY_HEADER: Buffer = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");

/** What ends it. */
export const COPY_TRAILER: Buffer = Buffer.from([0xff, 0xff]);

/** Capacity that an empty buffer may keep: a batch of 8 MB has 2 to 4 MB of rows in its largest table. */
const KEPT_BYTES = 16 * 1024 * 1024;

/** A growing buffer of COPY rows. `length` is how many bytes are written; `ensure` before every raw write. */
export class CopyBuffer {
  bytes: Buffer;
  view: DataView;
  length = 0;

  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /** Forgets what is written; keeps the memory, unless it has grown far beyond what a batch of ordinary rows needs. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > Math.max(KEPT_BYTES, this.#capacity)) this.#allocate(this.#capacity);
  }

  /** The written bytes; valid until the next write. */
  written(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  /** Makes room for `more` bytes. */
  ensure(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const old = this.bytes;
    this.#allocate(Math.max(needed, old.length * 2));
    old.copy(this.bytes, 0, 0, this.length);
  }

  #allocate(capacity: number): void {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /** Begins a row. */
  row(fields: number): void {
    this.ensure(2);
    this.view.setInt16(this.length, fields);
    this.length += 2;
  }

  int16(value: number): void {
    this.ensure(6);
    this.view.setInt32(this.length, 2);
    this.view.setInt16(this.length + 4, value);
    this.length += 6;
  }

  int32(value: number): void {
    this.ensure(8);
    this.view.setInt32(this.length, 4);
    this.view.setInt32(this.length + 4, value);
    this.length += 8;
  }

  /** An int8 from its two signed 32-bit halves. */
  int64(high: number, low: number): void {
    this.ensure(12);
    this.view.setInt32(this.length, 8);
    this.view.setInt32(this.length + 4, high);
    this.view.setInt32(this.length + 8, low);
    this.length += 12;
  }

  /** An int8 from a number that is a safe integer. */
  integer(value: number): void {
    const high = Math.floor(value / 4294967296);
    this.int64(high, value - high * 4294967296);
  }

  bigint(value: bigint): void {
    this.ensure(12);
    this.view.setInt32(this.length, 8);
    this.view.setBigInt64(this.length + 4, value);
    this.length += 12;
  }

  boolean(value: boolean): void {
    this.ensure(5);
    this.view.setInt32(this.length, 1);
    this.bytes[this.length + 4] = value ? 1 : 0;
    this.length += 5;
  }

  null(): void {
    this.ensure(4);
    this.view.setInt32(this.length, -1);
    this.length += 4;
  }

  /** A text; U+0000, which PostgreSQL cannot store in a text, is left to the caller to keep out. */
  text(value: string): void {
    // UTF-8 needs at most three bytes for a UTF-16 code unit
    this.ensure(4 + value.length * 3);
    const size = this.bytes.write(value, this.length + 4, "utf8");
    this.view.setInt32(this.length, size);
    this.length += 4 + size;
  }

  bytea(value: Buffer): void {
    this.ensure(4 + value.length);
    this.view.setInt32(this.length, value.length);
    value.copy(this.bytes, this.length + 4);
    this.length += 4 + value.length;
  }

  /** A numeric from a decimal text: digits with sign, point and exponent, or `Infinity`, `-Infinity`. */
  numeric(text: string): void {
    const start = this.length;
    this.ensure(4 + 8 + 2 * (text.length + 3));
    this.length += 4;
    writeNumeric(this, text);
    this.view.setInt32(start, this.length - start - 4);
  }
}

const NUMERIC_POSITIVE = 0x0000;
const NUMERIC_NEGATIVE = 0x4000;
const NUMERIC_POSITIVE_INFINITY = 0xd000;
const NUMERIC_NEGATIVE_INFINITY = 0xf000;
/** numeric holds 131,072 digits before the point and 16,383 after it; further out the nearest bound is stored (decision D-15). */
const MAX_EXPONENT = 131_000;
const MAX_SCALE = 16_000;

/** numeric's binary form: digit groups of four, weight of the first group, sign, display scale. */
function writeNumeric(out: CopyBuffer, text: string): void {
  if (text === "Infinity") return writeSpecialNumeric(out, NUMERIC_POSITIVE_INFINITY);
  if (text === "-Infinity") return writeSpecialNumeric(out, NUMERIC_NEGATIVE_INFINITY);
  const negative = text.charCodeAt(0) === 45;
  let exponent = 0;
  let end = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index) | 32;
    if (unit === 101) {
      exponent = Number(text.slice(index + 1));
      end = index;
      break;
    }
  }
  let begin = negative || text.charCodeAt(0) === 43 ? 1 : 0;
  let digits = "";
  const point = text.indexOf(".", begin);
  if (point < 0 || point > end) {
    digits = text.slice(begin, end);
  } else {
    digits = text.slice(begin, point) + text.slice(point + 1, end);
    exponent -= end - point - 1;
  }
  // value = digits × 10^exponent
  begin = 0;
  while (begin < digits.length - 1 && digits.charCodeAt(begin) === 48) begin++;
  if (begin > 0) digits = digits.slice(begin);
  if (digits === "0" || digits === "") {
    writeNumericHeader(out, 0, 0, NUMERIC_POSITIVE, 0);
    return;
  }
  if (exponent + digits.length > MAX_EXPONENT) {
    return writeSpecialNumeric(out, negative ? NUMERIC_NEGATIVE_INFINITY : NUMERIC_POSITIVE_INFINITY);
  }
  if (-exponent > MAX_SCALE) {
    const kept = digits.length + exponent + MAX_SCALE;
    if (kept <= 0) {
      writeNumericHeader(out, 0, 0, NUMERIC_POSITIVE, 0);
      return;
    }
    digits = digits.slice(0, kept);
    exponent = -MAX_SCALE;
  }
  const scale = Math.max(0, -exponent);
  // Align the point to a group border: pad right so that exponent is a multiple of four, then left.
  const padRight = ((exponent % 4) + 4) % 4;
  if (padRight > 0) digits += "000".slice(0, padRight);
  const groupExponent = (exponent - padRight) / 4;
  const padLeft = (4 - (digits.length % 4)) % 4;
  const groups = (digits.length + padLeft) / 4;
  let last = groups;
  out.ensure(8 + groups * 2);
  const header = out.length;
  let position = header + 8;
  let lastNonZero = 0;
  for (let group = 0; group < groups; group++) {
    let value = 0;
    for (let digit = group * 4 - padLeft; digit < group * 4 - padLeft + 4; digit++) {
      value = value * 10 + (digit < 0 ? 0 : digits.charCodeAt(digit) - 48);
    }
    out.view.setInt16(position, value);
    position += 2;
    if (value !== 0) lastNonZero = group + 1;
  }
  last = lastNonZero;
  writeNumericHeader(out, last, groupExponent + groups - 1, negative ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE, scale);
  out.length = header + 8 + last * 2;
}

function writeSpecialNumeric(out: CopyBuffer, sign: number): void {
  writeNumericHeader(out, 0, 0, sign, 0);
}

function writeNumericHeader(out: CopyBuffer, groups: number, weight: number, sign: number, scale: number): void {
  out.view.setInt16(out.length, groups);
  out.view.setInt16(out.length + 2, weight);
  out.view.setUint16(out.length + 4, sign);
  out.view.setInt16(out.length + 6, scale);
  out.length += 8;
}
