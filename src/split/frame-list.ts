import type { LineBlock } from "./line-block.ts";

const CR = 13;
const SPACE = 32;
const TAB = 9;

/** A line's byte offset in its file and its number in its unit. */
export interface LinePosition {
  offset: number;
  line: number;
}

/** Collects the frames of a block in arrays that grow once and are used again for the next block. */
export class FrameList {
  readonly #maxLineBytes: number;
  #starts: Int32Array = new Int32Array(256);
  #ends: Int32Array = new Int32Array(256);
  #lines: Int32Array = new Int32Array(256);
  #count = 0;
  #tooLong: LineBlock["tooLong"];

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Adds the line `bytes[start..end)` (without its LF) unless it is blank; `offset` is the file offset of `bytes[0]`. */
  add(bytes: Buffer, offset: number, start: number, end: number, line: number): void {
    const first = start + this.markLength(bytes, offset, start);
    const after = end > first && bytes[end - 1] === CR ? end - 1 : end;
    if (after <= first) return;
    // nearly every line begins with a brace: one comparison tells that it is not blank
    if ((bytes[first] ?? 0) <= SPACE && this.isBlank(bytes, first, after)) return;
    if (after - first > this.#maxLineBytes) this.addTooLong(offset + start, after - first, line);
    else this.#push(first, after, line);
  }

  /** Adds an empty frame for a line of `length` bytes at file offset `offset` whose bytes are not handed out. */
  addTooLong(offset: number, length: number, line: number): void {
    this.#tooLong ??= new Map();
    this.#tooLong.set(this.#count, { offset, length });
    this.#push(0, 0, line);
  }

  /** 3 for a UTF-8 byte order mark at the beginning of the file (C-006), otherwise 0. */
  markLength(bytes: Buffer, offset: number, start: number): number {
    if (offset + start !== 0) return 0;
    return bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf ? 3 : 0;
  }

  /** Whether there is nothing but spaces, tabs and CR (D-08). */
  isBlank(bytes: Buffer, start: number, end: number): boolean {
    for (let index = start; index < end; index++) {
      const byte = bytes[index];
      if (byte !== SPACE && byte !== TAB && byte !== CR) return false;
    }
    return true;
  }

  /** Hands the collected frames out as a block and begins anew. */
  take(
    bytes: Buffer,
    offset: number,
    first: LinePosition,
    nextOffset: number,
    nextLine: number,
  ): LineBlock | undefined {
    if (nextLine === first.line) return undefined;
    const count = this.#count;
    const block: LineBlock = {
      bytes,
      offset,
      count,
      starts: this.#starts.slice(0, count),
      ends: this.#ends.slice(0, count),
      lines: this.#lines.slice(0, count),
      firstLine: first.line,
      firstOffset: first.offset,
      nextOffset,
      nextLine,
      tooLong: this.#tooLong,
    };
    this.#count = 0;
    this.#tooLong = undefined;
    return block;
  }

  #push(start: number, end: number, line: number): void {
    if (this.#count === this.#starts.length) {
      this.#starts = grown(this.#starts);
      this.#ends = grown(this.#ends);
      this.#lines = grown(this.#lines);
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#lines[this.#count] = line;
    this.#count++;
  }
}

function grown(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
