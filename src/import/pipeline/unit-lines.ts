import type { Source } from "../../source/source.ts";
import { LineFramer, MAX_LINE_BYTES, type FramedUnit } from "../../split/line-framer.ts";
import type { LineBlock } from "../../split/line-block.ts";

/** Asked for beyond a unit's end, so that its last line nearly always comes with the same request. */
const TAIL_BYTES = 64 * 1024;
/** Further requests for a longer last line double up to this. */
const MAX_TAIL_BYTES = 8 * 1024 * 1024;

/**
 * The lines of one unit, in order. Reads the unit's range and, for the line that crosses its end, as much more as that
 * line needs. The next chunk is only asked for when the caller wants the next block. `etag` is the planned one
 * (normalised). Throws what the source throws; the signal's reason when aborted.
 */
export async function* readLineBlocks(
  source: Source,
  url: string,
  unit: FramedUnit,
  etag: string | undefined,
  signal?: AbortSignal,
  maxLineBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<LineBlock, void, undefined> {
  const framer = new LineFramer(unit, maxLineBytes);
  let position = unit.start;
  let tail = TAIL_BYTES;
  let end = Math.min(unit.fileLength, unit.end + tail);
  while (!framer.done) {
    const range = etag === undefined ? { start: position, end } : { start: position, end, etag };
    for await (const chunk of source.read(url, range, signal)) {
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
