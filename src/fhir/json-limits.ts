import { StokerError } from "../base/errors.ts";
import type { JsonValue } from "../base/json.ts";

/**
 * What one JSON text may make of its bytes. Everything here is found in the text itself, before JSON.parse builds anything: a
 * level of arrays takes up to 60 bytes of memory for one byte of text, an empty object 40 for three, and ten million of them
 * would end the process.
 */

/** Levels of objects and arrays. FHIR's own examples need fewer than 20. */
export const MAX_LEVELS = 128;
/** Values and names of members that any text may have, */
const FREE_VALUES = 2_000_000;
/** and those that it may have beyond: one for so many characters. Synthea's resources have one for 14. */
const CHARACTERS_PER_VALUE = 12;
/** Characters of one number. */
const MAX_NUMBER_LENGTH = 65_536;
/** A text of no more characters keeps all limits but {@link MAX_LEVELS}. */
export const SHORT_TEXT = 65_536;

/** What a text has too much of. */
export interface JsonExcess {
  readonly limit: number;
  readonly found: number;
  readonly of: "levels of objects and arrays" | "values and names of members" | "characters in a number";
  /** Index of the first character that is too much. */
  readonly at: number;
}

/**
 * What a text of JSON has too much of, undefined when it may be parsed. Valid JSON or not makes no difference. Reads the text
 * once; some 4 ns a character.
 */
export function jsonExcess(text: string): JsonExcess | undefined {
  const maxValues = FREE_VALUES + Math.floor(text.length / CHARACTERS_PER_VALUE);
  let levels = 0;
  let deepest = 0;
  let tooDeepAt = 0;
  let values = 0;
  let tooManyAt = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code === COMMA || code === COLON) {
      if (++values > maxValues && tooManyAt === 0) tooManyAt = at;
    } else if (code === OPEN_BRACKET || code === OPEN_BRACE) {
      if (++values > maxValues && tooManyAt === 0) tooManyAt = at;
      if (++levels > deepest) deepest = levels;
      if (levels > MAX_LEVELS && tooDeepAt === 0) tooDeepAt = at;
    } else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) {
      levels--;
    } else if ((code >= ZERO && code <= NINE) || code === MINUS) {
      const end = endOfNumber(text, at);
      if (end - at > MAX_NUMBER_LENGTH) {
        return { limit: MAX_NUMBER_LENGTH, found: end - at, of: "characters in a number", at };
      }
      at = end - 1;
    }
  }
  if (deepest > MAX_LEVELS) {
    return { limit: MAX_LEVELS, found: deepest, of: "levels of objects and arrays", at: tooDeepAt };
  }
  if (values > maxValues) return { limit: maxValues, found: values, of: "values and names of members", at: tooManyAt };
  return undefined;
}

/** The end of a sentence that begins with what has the text: `has more than 128 levels of objects and arrays: …`. */
export function describeExcess({ limit, found, of, at }: JsonExcess): string {
  return `has more than ${limit} ${of}: found ${found}, the limit is exceeded at character ${at + 1}`;
}

/**
 * Parses the JSON of a request's body. Throws `bad-request` (too-long) for a text that {@link jsonExcess} refuses, and a
 * SyntaxError for what is not JSON.
 */
export function parseBoundedJson(text: string): JsonValue {
  const excess = jsonExcess(text);
  if (excess !== undefined) {
    throw new StokerError("bad-request", `The body ${describeExcess(excess)}.`, { issue: "too-long" });
  }
  return JSON.parse(text) as JsonValue;
}

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Index of the quote that ends the string which begins at `start`; the text's length when none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((end - 1 - before) % 2 === 0) return end;
  }
  return text.length;
}

/** Index after the number that begins at `start`: digits, points, signs and exponents in any order. */
function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    const isDigit = code >= ZERO && code <= NINE;
    if (!isDigit && code !== 46 && code !== 43 && code !== MINUS && code !== 69 && code !== 101) break;
  }
  return end;
}
