import { createReadStream } from "node:fs";
import { open, rename, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StokerError } from "../../base/errors.ts";
import type { ServerTarget } from "../commands/import/client.ts";
import { writeAll } from "../../base/write-all.ts";
import { PATIENCE, refusalOf, request, TIMEOUT_MS } from "./bulk-client.ts";
import { checkFree, PART, type ExportFolder } from "./folder.ts";

/** A file to fetch. */
export interface Download {
  readonly url: string;
  /** Its name in the folder. */
  readonly name: string;
  /** The ETag that what is there of it had, or nothing where it had none; undefined for a file that has not been begun. */
  readonly tag: string | undefined;
}

/** What is told while a file is fetched. */
export interface DownloadEvents {
  /** More has come; counts may be negative when a file begins anew. */
  progress(bytes: number, lines: number): void;
  /** The file has begun with this ETag. */
  begun(tag: string | undefined): Promise<void>;
}

/** What was fetched. */
export interface Fetched {
  readonly bytes: number;
  readonly lines: number;
}

/**
 * Fetches a file: into `NAME.part`, from where it broke off (`Range`, with `If-Range`), and gives it its name when it is
 * whole. A connection that is lost is tried again. Throws StokerError when the server refuses, or the reason of `signal`.
 */
export async function download(
  server: ServerTarget,
  folder: ExportFolder,
  { url, name, tag }: Download,
  events: DownloadEvents,
  signal: AbortSignal,
): Promise<Fetched> {
  const whole = join(folder.path, name);
  const path = `${whole}${PART}`;
  if (tag !== undefined && !(await isThere(path)) && (await isThere(whole))) {
    // It got its name just before this was broken off.
    const found = await contentOf(whole);
    events.progress(found.bytes, found.lines);
    return linesOf(found);
  }
  await checkFree(folder, name);
  const handle = await open(path, "a+", 0o600);
  // Without an ETag nothing tells whether what is there is of the same file.
  if (tag === undefined || tag === "") await handle.truncate(0);
  const part: Part = { handle, tag: tag === "" ? undefined : tag, ...(await contentOf(path)) };
  events.progress(part.bytes, part.lines);
  try {
    let failures = 0;
    for (;;) {
      const before = part.bytes;
      try {
        await fetchRest(server, url, part, events, signal);
        break;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (!mayTryAgain(error)) throw error;
        failures = part.bytes > before ? 1 : failures + 1;
        if (failures > PATIENCE) throw error;
        await sleep(Math.min(30_000, 250 * 2 ** failures), undefined, { signal });
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(path, whole);
  return linesOf(part);
}

/** The last line may have no end. */
function linesOf({ bytes, lines, endsOpen }: Content): Fetched {
  return { bytes, lines: lines + (endsOpen ? 1 : 0) };
}

/** What is there of a file. */
interface Content {
  bytes: number;
  /** Lines that have an end. */
  lines: number;
  /** Whether there is something behind the last end of a line. */
  endsOpen: boolean;
}

/** A file that is being fetched. */
interface Part extends Content {
  readonly handle: FileHandle;
  tag: string | undefined;
}

/** A connection that broke off, a server that is away or busy; not one that says no, and not a full disk. */
function mayTryAgain(error: unknown): boolean {
  if (error instanceof StokerError) return error.code === "database-unavailable" || error.code === "busy";
  const { code = "" } = error as NodeJS.ErrnoException;
  return !/^E(?:NOSPC|ACCES|PERM|IO|DQUOT|ROFS|FBIG|EXIST)$/.test(code);
}

async function fetchRest(
  server: ServerTarget,
  url: string,
  part: Part,
  events: DownloadEvents,
  signal: AbortSignal,
): Promise<void> {
  const isRest = part.bytes > 0 && part.tag !== undefined;
  if (!isRest) await beginAnew(part, events);
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error("no more bytes arrived in time")), TIMEOUT_MS);
  try {
    // Bytes are counted, and ranges are of them: they must come as they are.
    const headers: Record<string, string> = { accept: "application/fhir+ndjson", "accept-encoding": "identity" };
    if (isRest) Object.assign(headers, { range: `bytes=${String(part.bytes)}-`, "if-range": part.tag });
    const answer = await request(server, url, { headers }, AbortSignal.any([signal, silence.signal]));
    if (answer.status === 416 && answer.headers.get("content-range") === `bytes */${String(part.bytes)}`) return;
    if (!answer.ok) throw await refusalOf(answer, url);
    const isContinued =
      answer.status === 206 && answer.headers.get("content-range")?.startsWith(`bytes ${String(part.bytes)}-`);
    if (isRest && isContinued !== true) await beginAnew(part, events);
    if (answer.status === 206 && isContinued !== true) throw new Error("the server did not send the requested part");
    part.tag = strongTag(answer.headers);
    await events.begun(part.tag);
    const expected = lengthOf(answer.headers);
    let received = 0;
    for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      timer.refresh();
      await writeAll(part.handle, chunk);
      const lines = linesIn(chunk);
      part.bytes += chunk.length;
      part.lines += lines;
      part.endsOpen = chunk.at(-1) !== LINE_FEED;
      received += chunk.length;
      events.progress(chunk.length, lines);
    }
    if (expected !== undefined && received < expected) throw new Error("the connection was closed too early");
  } finally {
    clearTimeout(timer);
  }
}

async function beginAnew(part: Part, events: DownloadEvents): Promise<void> {
  await part.handle.truncate(0);
  if (part.bytes > 0) events.progress(-part.bytes, -part.lines);
  part.bytes = 0;
  part.lines = 0;
  part.endsOpen = false;
}

/** Only a strong ETag says that the bytes are the same. */
function strongTag(headers: Headers): string | undefined {
  const tag = headers.get("etag");
  return tag?.startsWith('"') === true ? tag : undefined;
}

/** Bytes that an answer says it has; unknown where they come compressed all the same. */
function lengthOf(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  return length === null || headers.get("content-encoding") !== null ? undefined : Number(length);
}

function linesIn(chunk: Uint8Array): number {
  let lines = 0;
  for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}

async function contentOf(path: string): Promise<Content> {
  const content = { bytes: 0, lines: 0, endsOpen: false };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    content.bytes += chunk.length;
    content.lines += linesIn(chunk);
    content.endsOpen = chunk.at(-1) !== LINE_FEED;
  }
  return content;
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

const LINE_FEED = 10;
