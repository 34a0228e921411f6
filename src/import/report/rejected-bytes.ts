import type { Pool } from "pg";
import type { Sources } from "../../source/sources.ts";
import { rejectedLines, type RejectedLineRow } from "./error-log.ts";

/** Lines this close together are read with one request: the bytes between cost less than another round trip. */
const LARGEST_GAP = 256 * 1024;

const LINE_END = Buffer.from("\n");

/** Where the lines of an input are read again. */
export interface RejectedInput {
  readonly url: string;
  /** Etag at the time of the plan: another content throws `source-changed`. */
  readonly sourceEtag: string | null;
}

/**
 * The rejected lines of an input themselves, byte for byte, each followed by one line end (decision D-19): a file to
 * correct and import again. They are read again from the source, of which only the parts that hold them are asked for.
 */
export async function* rejectedBytes(
  database: Pool,
  sources: Sources,
  jobId: string,
  input: number,
  from: RejectedInput,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const page of rejectedLines(database, jobId, input)) {
    // An entry about a whole file has no length.
    for (const span of spansOf(page.filter((line) => line.length > 0))) yield* readSpan(sources, from, span, signal);
  }
}

/** Cuts a page of lines, which are in file order, into runs that are near each other. */
function spansOf(lines: readonly RejectedLineRow[]): readonly (readonly RejectedLineRow[])[] {
  const spans: RejectedLineRow[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const line of lines) {
    const span = spans.at(-1);
    if (span !== undefined && line.byteOffset - end <= LARGEST_GAP) span.push(line);
    else spans.push([line]);
    end = line.byteOffset + line.length;
  }
  return spans;
}

async function* readSpan(
  sources: Sources,
  from: RejectedInput,
  lines: readonly RejectedLineRow[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const first = lines[0];
  const last = lines.at(-1);
  if (first === undefined || last === undefined) return;
  const range = {
    start: first.byteOffset,
    end: last.byteOffset + last.length,
    ...(from.sourceEtag === null ? {} : { etag: from.sourceEtag }),
  };
  let position = range.start;
  let place = 0;
  for await (const chunk of sources.sourceFor(from.url).read(from.url, range, signal)) {
    const chunkEnd = position + chunk.length;
    for (let line = lines[place]; line !== undefined && line.byteOffset < chunkEnd; line = lines[place]) {
      const lineEnd = line.byteOffset + line.length;
      yield chunk.subarray(Math.max(0, line.byteOffset - position), Math.min(chunk.length, lineEnd - position));
      // The rest of the line is in the next chunk.
      if (lineEnd > chunkEnd) break;
      yield LINE_END;
      place += 1;
    }
    position = chunkEnd;
  }
}
