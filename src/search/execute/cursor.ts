import { StokerError } from "../../base/errors.ts";
import { parseBoundedJson } from "../../fhir/json-limits.ts";
import type { HistoryPosition } from "../../store/resources/history.ts";
import { timeOrder, type SortKey } from "../parse/sort.ts";

/**
 * Where the next page starts: after this resource in the order of the pages. Keys never change, so that a page in key
 * order neither repeats nor skips a resource, whatever is written in between.
 */
export interface Cursor {
  key: bigint;
  /** Milliseconds since 1970, only in pages sorted by `_lastUpdated`. */
  lastUpdated?: bigint;
}

/** Where a page in an order of the store lies: after a resource, before one, or at the end of all. */
export interface PagePosition {
  /** Undefined: at the beginning, or, backwards, at the end. */
  from: Cursor | undefined;
  /** The page is the one before `from`. */
  backwards: boolean;
}

/** The orders of pages that the store keeps. */
export type StoreOrder = "key" | "_lastUpdated" | "-_lastUpdated";

/** The same in pages of any other order: the resource's values, null where it has none, and its key. */
export interface SortedCursor {
  key: bigint;
  values: readonly (string | null)[];
}

/** Which of the store's own orders this is; undefined when it is none. */
export function storeOrder(keys: readonly SortKey[]): StoreOrder | undefined {
  return keys.length === 0 ? "key" : timeOrder(keys);
}

/** The text of a `_cursor` parameter that leads to the page after a resource; opaque to clients. */
export function writeCursor(cursor: Cursor | SortedCursor): string {
  if ("values" in cursor) {
    return Buffer.concat([
      Buffer.from([SORTED]),
      Buffer.from(JSON.stringify([`${cursor.key}`, ...cursor.values])),
    ]).toString("base64url");
  }
  return writePosition({ from: cursor, backwards: false });
}

/** The text of a `_cursor` parameter that leads to a page in an order of the store. */
export function writePosition({ from, backwards }: PagePosition): string {
  if (from === undefined) return Buffer.from([LAST_PAGE]).toString("base64url");
  const { key, lastUpdated } = from;
  const bytes = Buffer.alloc(lastUpdated === undefined ? 9 : 17);
  const order = lastUpdated === undefined ? KEY_ORDER : LAST_UPDATED_ORDER;
  bytes.writeUInt8(backwards ? order + BACKWARDS : order, 0);
  bytes.writeBigInt64BE(key, 1);
  if (lastUpdated !== undefined) bytes.writeBigInt64BE(lastUpdated, 9);
  return bytes.toString("base64url");
}

/** The inverse of {@link writePosition}. Throws `bad-request` on anything that was not made for pages of this order. */
export function readPosition(text: string, sort: StoreOrder): PagePosition {
  const [first = 0] = Buffer.from(text, "base64url");
  if (first === LAST_PAGE) {
    decode(text, LAST_PAGE, 1);
    return { from: undefined, backwards: true };
  }
  const byTime = sort !== "key";
  const backwards = first > BACKWARDS;
  const order = (byTime ? LAST_UPDATED_ORDER : KEY_ORDER) + (backwards ? BACKWARDS : 0);
  const bytes = decode(text, order, byTime ? 17 : 9);
  const key = bytes.readBigInt64BE(1);
  return { from: byTime ? { key, lastUpdated: bytes.readBigInt64BE(9) } : { key }, backwards };
}

/** The same for pages in the order of these keys. */
export function readSortedCursor(text: string, keys: readonly SortKey[]): SortedCursor {
  const bytes = Buffer.from(text, "base64url");
  if (bytes[0] !== SORTED || bytes.toString("base64url") !== text) throw noCursor();
  let values: unknown;
  try {
    values = parseBoundedJson(bytes.toString("utf8", 1));
  } catch {
    throw noCursor();
  }
  if (!Array.isArray(values) || values.length !== keys.length + 1) throw noCursor();
  const [key, ...rest] = values as unknown[];
  if (typeof key !== "string" || !isBigint(key)) throw noCursor();
  const isRight = rest.every((value, index) => {
    const sortKey = keys[index];
    return value === null || (typeof value === "string" && sortKey !== undefined && isValueOf(sortKey, value));
  });
  if (!isRight) throw noCursor();
  return { key: BigInt(key), values: rest as (string | null)[] };
}

/** Whether PostgreSQL takes the text as a value of the key. */
function isValueOf(key: SortKey, value: string): boolean {
  if (key.by === "_id" || key.by === "text" || (key.by === "value" && key.table === "search_string"))
    return !value.includes("\0");
  if (key.by === "value" && key.table === "search_quantity") {
    return /^(?:-?\d{1,2000}(?:\.\d{1,2000})?|-?Infinity)$/.test(value);
  }
  return isBigint(value);
}

function isBigint(text: string): boolean {
  return /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

/** A place in the history of a type or of the system. */
export interface WideHistoryPosition extends HistoryPosition {
  key: bigint;
}

/** The `_cursor` of a page of a resource's history, or, where the position has a key, of a wider one. */
export function writeHistoryCursor(position: HistoryPosition | WideHistoryPosition): string {
  const isWide = "key" in position;
  const bytes = Buffer.alloc(isWide ? 21 : 13);
  bytes.writeUInt8(isWide ? WIDE_HISTORY_ORDER : HISTORY_ORDER, 0);
  bytes.writeBigInt64BE(BigInt(position.lastUpdated), 1);
  bytes.writeInt32BE(position.versionId, 9);
  if (isWide) bytes.writeBigInt64BE(position.key, 13);
  return bytes.toString("base64url");
}

/** The inverse of {@link writeHistoryCursor} for a resource's history. Throws `bad-request`. */
export function readHistoryCursor(text: string): HistoryPosition {
  return positionIn(decode(text, HISTORY_ORDER, 13));
}

/** The inverse of {@link writeHistoryCursor} for wider histories. Throws `bad-request`. */
export function readWideHistoryCursor(text: string): WideHistoryPosition {
  const bytes = decode(text, WIDE_HISTORY_ORDER, 21);
  return { ...positionIn(bytes), key: bytes.readBigInt64BE(13) };
}

function positionIn(bytes: Buffer): HistoryPosition {
  return { lastUpdated: Number(bytes.readBigInt64BE(1)), versionId: bytes.readInt32BE(9) };
}

const KEY_ORDER = 1;
const LAST_UPDATED_ORDER = 2;
const HISTORY_ORDER = 3;
const SORTED = 4;
const WIDE_HISTORY_ORDER = 5;
const LAST_PAGE = 6;
/** Added to the orders of pages that are read backwards. */
const BACKWARDS = 16;

function decode(text: string, order: number, length: number): Buffer {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length !== length || bytes[0] !== order || bytes.toString("base64url") !== text) {
    throw noCursor();
  }
  return bytes;
}

function noCursor(): StokerError {
  const text = "Invalid _cursor for this search. Start again from the first page and follow its links.";
  return new StokerError("bad-request", text, { expression: "_cursor" });
}
