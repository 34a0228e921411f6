import { StokerError } from "../base/errors.ts";

/** What a source knows of an input before it is read. */
export interface SourceStat {
  /** Bytes. */
  length: number;
  /** Normalised by {@link normaliseEtag}: no `W/`, no quotes. Changes whenever the content does. */
  etag: string;
}

/** Which bytes to read: from `start` on, up to `end` (exclusive; the input's end when absent). */
export interface ByteRange {
  start: number;
  end?: number;
  /** The input as it was planned (normalised): any other content throws `source-changed`. */
  etag?: string;
}

/** One place inputs come from. Urls are those that `Sources.checkUrl` returned. */
export interface Source {
  /**
   * Length and etag of an input, for the plan (contract 4.1). Throws StokerError `source-missing` (404),
   * `source-forbidden` (401, 403), `source-unreachable` (400, D-11) or `source-failed`, with the texts of contract 7.1.
   */
  stat(url: string, signal?: AbortSignal): Promise<SourceStat>;
  /**
   * The bytes of a range, in order, complete: an input that ends early, changes or goes away throws instead
   * (contract 7.1, the rows of a unit, all 400). Every chunk is a buffer of its own. Leaving the loop early ends
   * the transfer and gives its handle back. Throws the signal's reason when aborted.
   */
  read(url: string, range: ByteRange, signal?: AbortSignal): AsyncIterable<Buffer>;
  /**
   * Makes the container for error logs, which is there after an import without errors, too (contract 6.1, L-003). Sources
   * without containers (files) do not have it.
   */
  makeErrorContainer?(container: string): Promise<void>;
  /**
   * Writes an error log beside the inputs, block by block, into `container` (made when missing), never over a blob
   * that is there (D-22); writing the same bytes again is no error. Returns its public URL. Sources without it (files)
   * have their logs served by the server itself.
   */
  writeErrorLog?(container: string, name: string, chunks: AsyncIterable<Buffer>): Promise<string>;
}

/** An etag without `W/` and quotes, so that the forms clients and stores use compare equal (contract 1.7). */
export function normaliseEtag(etag: string): string {
  const bare = etag.trim().replace(/^W\//, "");
  return bare.length >= 2 && bare.startsWith('"') && bare.endsWith('"') ? bare.slice(1, -1) : bare;
}

/** The input is not the one that was registered or planned (contract 7.1, `Input file Etag not match.`). */
export function sourceChanged(url: string, cause?: unknown): StokerError {
  return new StokerError("source-changed", `Input file Etag not match. ${url}`, { cause });
}

/** The input went away after the plan (contract 7.1, unit rows). */
export function sourceVanished(cause?: unknown): StokerError {
  const message = "Input file deleted, renamed, or moved during job. Import processing operation failed.";
  return new StokerError("source-missing", message, { status: 400, cause });
}

/** The input may no longer be read after the plan (contract 7.1, unit rows). */
export function sourceUnauthorized(cause?: unknown): StokerError {
  const message = "Due to unauthorized request, import processing operation failed.";
  return new StokerError("source-forbidden", message, { status: 400, cause });
}
