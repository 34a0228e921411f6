import type { Walk } from "./walk.ts";

/**
 * Integers of R4 have no fraction and no exponent (datatypes.html#integer), which a parsed number does not tell any more:
 * `1.0` and `1e0` are 1. So the walk looks at the text, too. It meets integers in the order of the text, and one search for
 * the member's name from the last place on finds the next, so that no part of the text is looked at twice.
 */

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const DASH = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const UPPER_E = 69;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const LOWER_E = 101;

/**
 * Looks how the integer `value` of the member at level `depth` is written; `quoted` is the member's name in quotes. Returns
 * the literal when it has a fraction or an exponent, and otherwise undefined. Where the place in the text is not certain (an
 * escaped name, `null` among the items), `isUnsure` is set, and {@link maskedText} has to tell.
 */
export function unusualLiteral(walk: Walk, depth: number, quoted: string, value: number): string | undefined {
  const { text } = walk;
  if (text === undefined || walk.isUnsure) return undefined;
  const start = literalStart(text, walk.textAt, quoted, walk.indexes[depth] ?? -1);
  if (start < 0) return unsure(walk);
  let at = text.charCodeAt(start) === DASH ? start + 1 : start;
  let found = 0;
  for (let code = text.charCodeAt(at); code >= ZERO && code <= NINE; code = text.charCodeAt(++at)) {
    found = found * 10 + code - ZERO;
  }
  const after = text.charCodeAt(at);
  walk.textAt = at;
  if (!isFractionOrExponent(after)) {
    return at > start && Math.abs(value) === found ? undefined : unsure(walk);
  }
  LITERAL.lastIndex = start;
  const literal = LITERAL.exec(text)?.[0] ?? "";
  walk.textAt = start + literal.length;
  return Number(literal) === value ? literal : unsure(walk);
}

function unsure(walk: Walk): undefined {
  walk.isUnsure = true;
}

/** Where the literal of the next member of that name begins, or the next item of its array; -1 when it is not there. */
function literalStart(text: string, from: number, quoted: string, index: number): number {
  if (index > 0) {
    const comma = skipSpace(text, from);
    return text.charCodeAt(comma) === COMMA ? skipSpace(text, comma + 1) : -1;
  }
  const name = text.indexOf(quoted, from);
  if (name < 0) return -1;
  const colon = skipSpace(text, name + quoted.length);
  if (text.charCodeAt(colon) !== COLON) return -1;
  const start = skipSpace(text, colon + 1);
  if (index < 0) return start;
  return text.charCodeAt(start) === OPEN_BRACKET ? skipSpace(text, start + 1) : -1;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); ; code = text.charCodeAt(++at)) {
    if (code !== SPACE && code !== LF && code !== CR && code !== TAB) return at;
  }
}

/**
 * The text of a JSON value with every number that has a fraction or an exponent made a fraction, so that none of them passes
 * for an integer; undefined when there is none. Takes a copy of the text in bytes and no more. Expects what JSON.parse takes.
 */
export function maskedText(text: string): string | undefined {
  const bytes = Buffer.from(text);
  let found = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) at = stringEnd(bytes, at);
    else if (byte === DASH || (byte >= ZERO && byte <= NINE)) {
      const end = literalEnd(bytes, at);
      if (bytes.subarray(at, end).some(isFractionOrExponent)) {
        bytes.fill(SPACE, at, end);
        bytes.write("0.5", at);
        found = true;
      }
      at = end - 1;
    }
  }
  return found ? bytes.toString() : undefined;
}

/** Index of the quote that ends the string which begins at `start`. */
function stringEnd(bytes: Buffer, start: number): number {
  let at = start + 1;
  for (; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
  return at;
}

/** Index after the number that begins at `start`. */
function literalEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isNumberByte(bytes[at] ?? SPACE)) at++;
  return at;
}

function isNumberByte(byte: number): boolean {
  return (byte >= ZERO && byte <= NINE) || isFractionOrExponent(byte) || byte === DASH || byte === PLUS;
}

function isFractionOrExponent(byte: number): boolean {
  return byte === DOT || byte === LOWER_E || byte === UPPER_E;
}

/** Sticky: matched at lastIndex, which is set before every use. */
const LITERAL = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
