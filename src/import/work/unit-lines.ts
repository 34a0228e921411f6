import type { Source } from "../../source/source.ts";
import { HEAD_BYTES, wrongKind, type WrongKind } from "../../split/file-kind.ts";
import { LineFramer, MAX_LINE_BYTES, type FramedUnit } from "../../split/line-framer.ts";
import type { LineBlock } from "../../split/line-block.ts";

/** Asked for beyond a unit's end, so that its last line nearly always comes with the same request. */
const TAIL_BYTES = 64 * 1024;
/** Further requests for a longer last line double up to this. */
const MAX_TAIL_BYTES = 8 * 1024 * 1024;

/**
 * The lines of one unit, in order. Reads the unit's range and, for the line that crosses its end, as much more as that
 * line needs. The next chunk is only asked for when the caller wants the next block. `etag` is the planned one
 * (normalised). Throws what the source throws; the signal's reason when aborted; {@link NotLines} from the beginning of a file
 * that is no NDJSON.
 */
export async function* readLineBlocks(
  source: Source,
  url: string,
  unit: FramedUnit,
  etag: string | undefined,
  signal?: AbortSignal,
  maxLineBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<LineBlock, void, undefined> {
  const isBeginning = unit.start === 0 && unit.resumed !== true;
  const framer = new LineFramer(unit, maxLineBytes);
  let position = unit.start;
  let tail = TAIL_BYTES;
  let end = Math.min(unit.fileLength, unit.end + tail);
  while (!framer.done) {
    const range = etag === undefined ? { start: position, end } : { start: position, end, etag };
    const chunks = source.read(url, range, signal);
    for await (const chunk of isBeginning && position === 0 ? checkedHead(chunks, unit.fileLength) : chunks) {
      position += chunk.length;
      const block = framer.push(chunk);
      if (block !== undefined) yield block;
      if (framer.done) return;
    }
    if (end === unit.fileLength) {
      const block = framer.finish();
      if (block !== undefined) yield block;
      return;
    }
    tail = Math.min(tail * 2, MAX_TAIL_BYTES);
    end = Math.min(unit.fileLength, end + tail);
  }
}

/** The file is something else than lines of JSON. */
export class NotLines extends Error {
  readonly kind: WrongKind;

  constructor(kind: WrongKind) {
    super(kind.text);
    this.kind = kind;
  }
}

/** The chunks of a file from its beginning, once its head is there and does not tell that it is no NDJSON. */
async function* checkedHead(
  chunks: AsyncIterable<Buffer>,
  fileLength: number,
): AsyncGenerator<Buffer, void, undefined> {
  const wanted = Math.min(HEAD_BYTES, fileLength);
  let held: Buffer[] | undefined = [];
  let length = 0;
  for await (const chunk of chunks) {
    if (held === undefined) {
      yield chunk;
      continue;
    }
    held.push(chunk);
    length += chunk.length;
    if (length < wanted) continue;
    const head = held.length === 1 ? chunk : Buffer.concat(held);
    const kind = wrongKind(head.subarray(0, HEAD_BYTES), length >= fileLength && fileLength <= HEAD_BYTES);
    if (kind !== undefined) throw new NotLines(kind);
    yield* held;
    held = undefined;
  }
  // A source that ends early says so itself, or the framer does.
  if (held !== undefined) yield* held;
}

/** What a file is instead of NDJSON, by its first bytes; undefined when it may be NDJSON. Throws what the source throws. */
export async function readKind(
  source: Source,
  url: string,
  fileLength: number,
  etag: string | undefined,
  signal?: AbortSignal,
): Promise<WrongKind | undefined> {
  const range = { start: 0, end: Math.min(HEAD_BYTES, fileLength), ...(etag === undefined ? {} : { etag }) };
  const chunks: Buffer[] = [];
  for await (const chunk of source.read(url, range, signal)) chunks.push(chunk);
  return wrongKind(Buffer.concat(chunks), fileLength <= HEAD_BYTES);
}
