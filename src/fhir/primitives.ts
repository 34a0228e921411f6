/**
 * The formats of R4's primitive types (http://hl7.org/fhir/R4/datatypes.html), written by hand where a regular
 * expression would be slower or would not know how many days a month has.
 */

/** Tells whether a JSON value of the right JSON type is a legal value of a primitive type. */
export type PrimitiveTest<Json extends string | number> = (value: Json) => boolean;

/** Tests of the primitives whose JSON form is a string. `string`, `markdown` and `xhtml` take any string. */
export const STRING_TESTS: ReadonlyMap<string, PrimitiveTest<string> | undefined> = new Map([
  ["string", undefined],
  ["markdown", undefined],
  ["xhtml", undefined],
  ["uri", isUri],
  ["url", isUri],
  ["canonical", isUri],
  ["oid", (value) => /^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$/.test(value)],
  ["uuid", (value) => /^urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(value)],
  ["id", isId],
  ["code", isCode],
  ["base64Binary", isBase64],
  ["date", isDate],
  ["dateTime", isDateTime],
  ["instant", isInstant],
  ["time", (value) => timeEnd(value, 0) === value.length],
] satisfies [string, PrimitiveTest<string> | undefined][]);

/** Tests of the primitives whose JSON form is a number. Any JSON number is a `decimal`. */
export const NUMBER_TESTS: ReadonlyMap<string, PrimitiveTest<number> | undefined> = new Map([
  ["decimal", undefined],
  ["integer", (value) => Number.isInteger(value) && value >= -2147483648 && value <= 2147483647],
  ["unsignedInt", (value) => Number.isInteger(value) && value >= 0 && !Object.is(value, -0) && value <= 2147483647],
  ["positiveInt", (value) => Number.isInteger(value) && value >= 1 && value <= 2147483647],
] satisfies [string, PrimitiveTest<number> | undefined][]);

/** What a legal value of a primitive looks like, for messages. */
export const PRIMITIVE_FORMATS: ReadonlyMap<string, string> = new Map([
  ["uri", "a URI without spaces"],
  ["url", "a URL without spaces"],
  ["canonical", "a URL without spaces"],
  ["oid", "an OID such as urn:oid:1.2.3"],
  ["uuid", "a UUID such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
  ["id", "1 to 64 characters out of A-Z, a-z, 0-9, '-' and '.'"],
  ["code", "text without leading, trailing or doubled spaces"],
  ["base64Binary", "base64: groups of four characters, the last one filled up with '='"],
  ["date", "YYYY, YYYY-MM or YYYY-MM-DD"],
  ["dateTime", "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with optional fraction and zone"],
  ["instant", "YYYY-MM-DDThh:mm:ss with optional fraction, and a zone such as Z or +01:00"],
  ["time", "hh:mm:ss with optional fraction"],
  ["integer", "a whole number from -2147483648 to 2147483647"],
  ["unsignedInt", "a whole number from 0 to 2147483647"],
  ["positiveInt", "a whole number from 1 to 2147483647"],
]);

/**
 * Milliseconds since 1970 of an `instant` (or a dateTime with a time; without a zone it is UTC, contract 10.3), the
 * fraction cut off after the third digit and not rounded (contract C-041). Undefined when `text` is no such value.
 */
export function instantMilliseconds(text: string): number | undefined {
  if (!hasDay(text) || text.charCodeAt(10) !== UPPER_T) return undefined;
  const end = timeEnd(text, 11);
  if (end < 0 || !isZone(text, end, true)) return undefined;
  let milliseconds = 0;
  for (let at = 20; at < 23; at++) milliseconds = milliseconds * 10 + (at < end ? text.charCodeAt(at) - ZERO : 0);
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(digits(text, 0, 4), digits(text, 5, 2) - 1, digits(text, 8, 2));
  // A leap second is where its own minute ends.
  const isLeap = digits(text, 17, 2) === 60;
  date.setUTCHours(
    digits(text, 11, 2),
    digits(text, 14, 2),
    isLeap ? 59 : digits(text, 17, 2),
    isLeap ? 999 : milliseconds,
  );
  return date.getTime() - zoneMinutes(text, end) * 60_000;
}

/** `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, with days that the month has. */
export function isDate(text: string): boolean {
  switch (text.length) {
    case 4:
      return isYear(text);
    case 7:
      return isYear(text) && hasMonth(text);
    case 10:
      return hasDay(text);
    default:
      return false;
  }
}

/** A date, or a date and time; R4 wants a zone beside a time, contract 10.3 accepts its absence as UTC. */
export function isDateTime(text: string): boolean {
  if (text.length <= 10) return isDate(text);
  if (!hasDay(text) || text.charCodeAt(10) !== UPPER_T) return false;
  const end = timeEnd(text, 11);
  return end >= 0 && isZone(text, end, true);
}

/** A date and time to the second at least, with a zone. */
export function isInstant(text: string): boolean {
  if (!hasDay(text) || text.charCodeAt(10) !== UPPER_T) return false;
  const end = timeEnd(text, 11);
  return end >= 0 && isZone(text, end, false);
}

function isUri(text: string): boolean {
  return !/\s/.test(text);
}

/** R4's `id`: 1 to 64 characters. */
export function isId(text: string): boolean {
  return ID.test(text);
}

const ID = /^[A-Za-z0-9\-.]{1,64}$/;

/**
 * R4: `[^\s]+(\s[^\s]+)*`; a loop, because codes are short, many, and hardly ever hold a space. White space is that of ASCII:
 * codes of HL7's own begin and end with a no-break space. But a code of nothing but other spaces is as empty as one of these.
 */
function isCode(text: string): boolean {
  let afterSpace = true;
  let isBlank = true;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const space = code === 32 || (code >= 9 && code <= 13);
    if (space && afterSpace) return false;
    afterSpace = space;
    if (isBlank && code > 32 && (code < 127 || !isWideSpace(code))) isBlank = false;
  }
  return !afterSpace && !isBlank;
}

/** White space, or characters without width, beyond ASCII. */
function isWideSpace(code: number): boolean {
  return code === 0x85 || code === 0x200b || code === 0x2060 || /\s/.test(String.fromCharCode(code));
}

/**
 * R4: groups of four characters, white space between groups only. Only the last group may be filled up, with one or two `=`:
 * R4's expression alone would take `====`. A loop, because no expression does this without growing its stack on 15 MB.
 */
function isBase64(text: string): boolean {
  let inGroup = 0;
  let fill = 0;
  let isEmpty = true;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const kind = code < 128 ? (BASE64[code] as number) : 0;
    if (kind === DATA) {
      if (fill > 0) return false;
      isEmpty = false;
      inGroup = (inGroup + 1) & 3;
    } else if (kind === FILL) {
      if (inGroup < 2) return false;
      fill++;
      inGroup = (inGroup + 1) & 3;
    } else if (kind !== SPACE || inGroup !== 0) return false;
  }
  return inGroup === 0 && !isEmpty;
}

const DATA = 1;
const FILL = 2;
const SPACE = 3;
/** What each ASCII character is in base64; 0 = nothing. */
const BASE64 = new Uint8Array(128);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  BASE64[char.charCodeAt(0)] = DATA;
for (const char of " \t\n\v\f\r") BASE64[char.charCodeAt(0)] = SPACE;
BASE64["=".charCodeAt(0)] = FILL;

const ZERO = 48;
const NINE = 57;
const DASH = 45;
const COLON = 58;
const DOT = 46;
const PLUS = 43;
const UPPER_T = 84;
const UPPER_Z = 90;

/** The number of `count` digits at `at`, or -1 when one of them is none. */
function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index++) {
    const code = text.charCodeAt(index);
    if (!(code >= ZERO && code <= NINE)) return -1; // also NaN, behind the end
    value = value * 10 + code - ZERO;
  }
  return value;
}

/** Years 0001 to 9999. */
function isYear(text: string): boolean {
  return digits(text, 0, 4) >= 1;
}

function hasMonth(text: string): boolean {
  const month = digits(text, 5, 2);
  return text.charCodeAt(4) === DASH && month >= 1 && month <= 12;
}

/** Whether a text begins with `YYYY-MM-DD`. */
function hasDay(text: string): boolean {
  if (!isYear(text) || !hasMonth(text) || text.charCodeAt(7) !== DASH) return false;
  const day = digits(text, 8, 2);
  return day >= 1 && (day <= 28 || day <= daysOf(digits(text, 0, 4), digits(text, 5, 2)));
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Where `hh:mm:ss` with an optional fraction, beginning at `at`, ends; -1 when there is none. Second 60 is legal. */
function timeEnd(text: string, at: number): number {
  const hour = digits(text, at, 2);
  const minute = digits(text, at + 3, 2);
  const second = digits(text, at + 6, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return -1;
  if (text.charCodeAt(at + 2) !== COLON || text.charCodeAt(at + 5) !== COLON) return -1;
  let end = at + 8;
  if (text.charCodeAt(end) !== DOT) return end;
  const fraction = end + 1;
  for (end = fraction; text.charCodeAt(end) >= ZERO && text.charCodeAt(end) <= NINE; end++);
  return end > fraction ? end : -1;
}

/** Whether the rest of the text is `Z`, or an offset up to 14:00, or (when `optional`) nothing. */
function isZone(text: string, at: number, optional: boolean): boolean {
  if (at === text.length) return optional;
  const sign = text.charCodeAt(at);
  if (sign === UPPER_Z) return text.length === at + 1;
  if ((sign !== PLUS && sign !== DASH) || text.length !== at + 6 || text.charCodeAt(at + 3) !== COLON) return false;
  const hours = digits(text, at + 1, 2);
  const minutes = digits(text, at + 4, 2);
  return hours >= 0 && minutes >= 0 && minutes <= 59 && (hours <= 13 || (hours === 14 && minutes === 0));
}

/** Minutes east of UTC of a zone that {@link isZone} accepts. */
function zoneMinutes(text: string, at: number): number {
  if (text.length !== at + 6) return 0;
  const minutes = digits(text, at + 1, 2) * 60 + digits(text, at + 4, 2);
  return text.charCodeAt(at) === DASH ? -minutes : minutes;
}
