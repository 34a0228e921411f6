import { isObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { skipSpace, stringAt, stringEnd, valueEnd } from "./json-bytes.ts";

/**
 * A resource without what counts as absent (contract C-015): `null`, `""`, and objects and arrays of nothing else. In an array
 * whose sibling (`given`, `_given`) has content the places stay, as `null`; so does an array of values that has nothing but
 * such places (R4 json.html#primitive: both arrays are filled out). What is kept keeps its bytes but for white space;
 * when nothing is left out, `bytes` itself is returned. `value` is what the bytes say, parsed. Expects a resource that
 * passed the check, so that its depth is bounded.
 */
export function withoutEmpty(bytes: Buffer, value: JsonObject): Buffer {
  // An empty text whose place stays becomes longer: `""` is `null` then.
  const to = Buffer.allocUnsafe(2 * bytes.length);
  const writer: Writer = { from: bytes, at: skipSpace(bytes, 0), to, length: 0, cut: false };
  writeObject(writer, value);
  return writer.cut ? Buffer.from(to.subarray(0, writer.length)) : bytes;
}

interface Writer {
  readonly from: Buffer;
  at: number;
  readonly to: Buffer;
  length: number;
  /** Whether something was left out. */
  cut: boolean;
}

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const NULL = Buffer.from("null");

function isEmpty(value: JsonValue | undefined): boolean {
  if (value === null || value === undefined || value === "") return true;
  if (typeof value !== "object") return false;
  if (Array.isArray(value)) return value.every(isEmpty);
  for (const name in value) if (!isEmpty(value[name])) return false;
  return true;
}

/** Whether places count in the array `name`: it has another half (`given`, `_given`), which stays when this one has content. */
function hasPlaces(object: JsonObject, name: string): boolean {
  const isExtension = name.startsWith("_");
  const other = object[isExtension ? name.slice(1) : `_${name}`];
  return Array.isArray(other) && (isExtension ? other.length > 0 : !isEmpty(other));
}

/** Values of nothing but places, beside extensions of them. The other way round, `_given` without content says nothing. */
function isFiller(name: string, member: JsonValue | undefined): boolean {
  return Array.isArray(member) && member.length > 0 && !name.startsWith("_");
}

/** Writes the object that begins at the reader's place, and moves behind it. */
function writeObject(writer: Writer, value: JsonObject): void {
  put(writer, OPEN_BRACE);
  writer.at++;
  let first = true;
  for (next(writer); writer.from[writer.at] === QUOTE; next(writer)) {
    const start = writer.at;
    const nameEnd = stringEnd(writer.from, start);
    writer.at = skipSpace(writer.from, skipSpace(writer.from, nameEnd) + 1);
    const name = stringAt(writer.from, start, nameEnd);
    // Where a member comes twice, the last counts, as for JSON.parse.
    const member = value[name];
    const keepPlaces = hasPlaces(value, name);
    if (isEmpty(member) && !(keepPlaces && isFiller(name, member))) {
      skip(writer);
      continue;
    }
    if (!first) put(writer, COMMA);
    first = false;
    copy(writer, start, nameEnd);
    put(writer, COLON);
    writeValue(writer, member, keepPlaces);
  }
  put(writer, CLOSE_BRACE);
  writer.at++;
}

function writeArray(writer: Writer, value: readonly JsonValue[], keepPlaces: boolean): void {
  put(writer, OPEN_BRACKET);
  writer.at++;
  let first = true;
  let index = 0;
  for (next(writer); writer.from[writer.at] !== CLOSE_BRACKET; next(writer)) {
    const item = value[index++];
    const empty = isEmpty(item);
    if (empty && !keepPlaces) {
      skip(writer);
      continue;
    }
    if (!first) put(writer, COMMA);
    first = false;
    if (!empty) {
      writeValue(writer, item, false);
    } else {
      if (item !== null) writer.cut = true;
      writer.at = valueEnd(writer.from, writer.at);
      NULL.copy(writer.to, writer.length);
      writer.length += NULL.length;
    }
  }
  put(writer, CLOSE_BRACKET);
  writer.at++;
}

function writeValue(writer: Writer, value: JsonValue | undefined, keepPlaces: boolean): void {
  const byte = writer.from[writer.at];
  if (byte === OPEN_BRACE && isObject(value)) return writeObject(writer, value);
  if (byte === OPEN_BRACKET && Array.isArray(value)) return writeArray(writer, value, keepPlaces);
  const end = valueEnd(writer.from, writer.at);
  copy(writer, writer.at, end);
  writer.at = end;
}

/** Moves behind the value without writing it. */
function skip(writer: Writer): void {
  writer.cut = true;
  writer.at = valueEnd(writer.from, writer.at);
}

/** Moves to the next member or item, or to the end of its object or array. */
function next(writer: Writer): void {
  writer.at = skipSpace(writer.from, writer.at);
  if (writer.from[writer.at] === COMMA) writer.at = skipSpace(writer.from, writer.at + 1);
}

function put(writer: Writer, byte: number): void {
  writer.to[writer.length++] = byte;
}

function copy(writer: Writer, start: number, end: number): void {
  writer.length += writer.from.copy(writer.to, writer.length, start, end);
}
