import { StokerError } from "../base/errors.ts";
import type { HistoryPosition } from "../store/read.ts";
import type { SortOrder } from "./control.ts";

/**
 * Where the next page starts: after this resource in the order of the pages. Keys never change, so that a page in key
 * order neither repeats nor skips a resource, whatever is written in between.
 */
export interface Cursor {
  key: bigint;
  /** Milliseconds since 1970, only in pages sorted by `_lastUpdated`. */
  lastUpdated?: bigint;
}

/** The text of a `_cursor` parameter; opaque to clients. */
export function writeCursor(cursor: Cursor): string {
  const bytes = Buffer.alloc(cursor.lastUpdated === undefined ? 9 : 17);
  bytes.writeUInt8(cursor.lastUpdated === undefined ? KEY_ORDER : LAST_UPDATED_ORDER, 0);
  bytes.writeBigInt64BE(cursor.key, 1);
  if (cursor.lastUpdated !== undefined) bytes.writeBigInt64BE(cursor.lastUpdated, 9);
  return bytes.toString("base64url");
}

/** The inverse of {@link writeCursor}. Throws `bad-request` on anything that was not made for pages of this order. */
export function readCursor(text: string, sort: SortOrder): Cursor {
  const byTime = sort !== "key";
  const bytes = decode(text, byTime ? LAST_UPDATED_ORDER : KEY_ORDER, byTime ? 17 : 9);
  const key = bytes.readBigInt64BE(1);
  return byTime ? { key, lastUpdated: bytes.readBigInt64BE(9) } : { key };
}

/** The `_cursor` of a history page. */
export function writeHistoryCursor(position: HistoryPosition): string {
  const bytes = Buffer.alloc(13);
  bytes.writeUInt8(HISTORY_ORDER, 0);
  bytes.writeBigInt64BE(BigInt(position.lastUpdated), 1);
  bytes.writeInt32BE(position.versionId, 9);
  return bytes.toString("base64url");
}

/** The inverse of {@link writeHistoryCursor}. Throws `bad-request`. */
export function readHistoryCursor(text: string): HistoryPosition {
  const bytes = decode(text, HISTORY_ORDER, 13);
  return { lastUpdated: Number(bytes.readBigInt64BE(1)), versionId: bytes.readInt32BE(9) };
}

const KEY_ORDER = 1;
const LAST_UPDATED_ORDER = 2;
const HISTORY_ORDER = 3;

function decode(text: string, order: number, length: number): Buffer {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length !== length || bytes[0] !== order || bytes.toString("base64url") !== text) {
    throw new StokerError(
      "bad-request",
      "_cursor: this is no cursor of these pages; follow the links of the first page.",
      {
        expression: "_cursor",
      },
    );
  }
  return bytes;
}
