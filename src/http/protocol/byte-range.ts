/** A part of something of a known length: both ends are in it. */
export interface AnsweredRange {
  readonly start: number;
  readonly end: number;
}

/** What a client asks for: all of it, a part, or nothing that there is (416). */
export type RequestedRange = "all" | AnsweredRange | "none";

/** The headers that ask for a part. */
export interface RangeHeaders {
  readonly range?: string | undefined;
  readonly "if-range"?: string | undefined;
}

/**
 * The part of `bytes` bytes that a `Range` header asks for (RFC 9110, 14.2). What is no range of bytes, or several of them, is ignored,
 * as the RFC allows, and so is a range of another version: with an `If-Range` that is not the strong `etag`.
 */
export function requestedRange(headers: RangeHeaders, bytes: number, etag: string): RequestedRange {
  const condition = headers["if-range"];
  if (condition !== undefined && condition.trim() !== etag) return "all";
  const match = /^bytes ?= ?(\d{0,16}) ?- ?(\d{0,16})$/i.exec((headers.range ?? "").trim());
  if (match === null) return "all";
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return "all";
    const length = Math.min(Number(last), bytes);
    return length === 0 ? "none" : { start: bytes - length, end: bytes - 1 };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return "all";
  if (start >= bytes) return "none";
  return { start, end: last === "" ? bytes - 1 : Math.min(Number(last), bytes - 1) };
}
