/**
 * Finding members and items in the bytes of a JSON text without parsing its values: what is not looked for keeps its
 * bytes (digits of decimals, white space, order).
 *
 * All functions expect bytes that `JSON.parse` has accepted; they do not validate.
 */

/** A half-open range of bytes. */
export interface JsonRange {
  start: number;
  end: number;
}

/** A member of an object: from the quote before its name to the end of its value. */
export interface JsonMember extends JsonRange {
  name: string;
  valueStart: number;
}

/** The first `count` members of the object that begins at `at` (a `{`, or white space before it), in the order of the text. */
export function membersAt(bytes: Buffer, at: number, count: number = Infinity): JsonMember[] {
  const members: JsonMember[] = [];
  let cursor = skipSpace(bytes, at) + 1;
  for (;;) {
    const start = skipSpace(bytes, cursor);
    if (members.length === count) return members;
    if (start >= bytes.length || bytes[start] === CLOSE_BRACE) return members;
    const nameEnd = stringEnd(bytes, start);
    const valueStart = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1); // past the colon
    const end = valueEnd(bytes, valueStart);
    members.push({ name: stringAt(bytes, start, nameEnd), start, valueStart, end });
    cursor = skipSpace(bytes, end);
    if (bytes[cursor] === COMMA) cursor++;
  }
}

/**
 * The member `name` of an object that is the whole of `bytes`, found without a look at its other members where that can
 * be done with certainty: the name stands once in the bytes, and is among the first members, or the last. Null when there
 * is no such member; undefined when only {@link membersAt} can tell. `quoted` is the name with the quote after it.
 */
export function soleMember(bytes: Buffer, name: string, quoted: Buffer): JsonMember | null | undefined {
  // An escaped letter may hide another one of this name.
  if (bytes.indexOf(UNICODE_ESCAPE) >= 0) return undefined;
  const at = bytes.indexOf(quoted);
  if (at < 0) return null;
  if (bytes.indexOf(quoted, at + quoted.length) >= 0) return undefined;
  const start = at - 1;
  if (start < 1 || bytes[start] !== QUOTE || bytes[start - 1] === BACKSLASH) return null;
  const colon = skipSpace(bytes, at + quoted.length);
  if (bytes[colon] !== COLON) return null;
  const valueStart = skipSpace(bytes, colon + 1);
  const member: JsonMember = { name, start, valueStart, end: valueEnd(bytes, valueStart) };
  const brace = skipSpace(bytes, member.end);
  if (bytes[brace] === CLOSE_BRACE && skipSpace(bytes, brace + 1) === bytes.length) return member;
  return membersAt(bytes, 0, FIRST_MEMBERS).some((first) => first.start === start) ? member : undefined;
}

/** The items of the array that begins at `at` (a `[`). */
export function itemsAt(bytes: Buffer, at: number): JsonRange[] {
  const items: JsonRange[] = [];
  let cursor = at + 1;
  for (;;) {
    const start = skipSpace(bytes, cursor);
    if (start >= bytes.length || bytes[start] === CLOSE_BRACKET) return items;
    const end = valueEnd(bytes, start);
    items.push({ start, end });
    cursor = skipSpace(bytes, end);
    if (bytes[cursor] === COMMA) cursor++;
  }
}

/**
 * The bytes to cut so that the members or items of `all` that `dropped` picks disappear together with their commas;
 * what stays is valid JSON. Ranges are in order and do not overlap.
 */
export function cutsFor<Range extends JsonRange>(
  all: readonly Range[],
  dropped: (range: Range) => boolean,
): JsonRange[] {
  const cuts: JsonRange[] = [];
  let lastKept: Range | undefined;
  for (const [index, range] of all.entries()) {
    if (!dropped(range)) {
      lastKept = range;
    } else if (lastKept === undefined) {
      cuts.push({ start: range.start, end: all[index + 1]?.start ?? range.end });
    } else {
      // From the end of the last that stays, comma included; several in a row make one cut.
      const previous = cuts.at(-1);
      if (previous?.start === lastKept.end) previous.end = range.end;
      else cuts.push({ start: lastKept.end, end: range.end });
    }
  }
  return cuts;
}

/** One replacement of bytes: those of the range by `by`. */
export interface Splice extends JsonRange {
  by: Uint8Array;
}

/** The bytes with all splices done; they must be in order and must not overlap. */
export function spliced(bytes: Buffer, splices: readonly Splice[]): Buffer {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const { start, end, by } of splices) {
    pieces.push(bytes.subarray(from, start), by);
    from = end;
  }
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}

/** Whether the value that begins at `at` is an object. */
export function isObjectAt(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPEN_BRACE;
}

/** Whether the value that begins at `at` is an array. */
export function isArrayAt(bytes: Buffer, at: number): boolean {
  return bytes[at] === OPEN_BRACKET;
}

/** Among the first three stands `meta` where a program writes it that keeps to FHIR's order. */
const FIRST_MEMBERS = 3;
const UNICODE_ESCAPE = Buffer.from("\\u");
const COLON = 58;
const QUOTE = 34;
const COMMA = 44;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** The first place from `at` on that is not white space. */
export function skipSpace(bytes: Buffer, at: number): number {
  let cursor = at;
  for (let byte = bytes[cursor]; byte === 32 || byte === 9 || byte === 10 || byte === 13; byte = bytes[cursor])
    cursor++;
  return cursor;
}

/** Where the string that begins at `at` (a quote) ends. */
export function stringEnd(bytes: Buffer, at: number): number {
  let cursor = at + 1;
  for (; cursor < bytes.length && bytes[cursor] !== QUOTE; cursor++) if (bytes[cursor] === BACKSLASH) cursor++;
  return cursor + 1;
}

/** Where the value that begins at `at` ends. */
export function valueEnd(bytes: Buffer, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return stringEnd(bytes, at);
  let cursor = at;
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    for (; cursor < bytes.length; cursor++) {
      const byte = bytes[cursor] as number;
      if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= 32) break;
    }
    return cursor;
  }
  for (let depth = 0; cursor < bytes.length;) {
    const byte = bytes[cursor] as number;
    if (byte === QUOTE) {
      cursor = stringEnd(bytes, cursor);
      continue;
    }
    cursor++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) break;
  }
  return cursor;
}

/** The text of the string from `start` (its first quote) to `end`; names hardly ever need the JSON parser. */
export function stringAt(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === BACKSLASH || byte > 126) return JSON.parse(bytes.toString("utf8", start, end)) as string;
  }
  return bytes.toString("latin1", start + 1, end - 1);
}
