/** Consecutive lines of a file, in one piece of memory. Blank lines (D-08) have no frame, but they have a number. */
export interface LineBlock {
  /** Whole lines; may hold blank lines and line ends between the frames. Not used again by the framer. */
  bytes: Buffer;
  /** Byte offset in the file of `bytes[0]`. */
  offset: number;
  /** Number of frames; 0 for a block of blank lines, which only moves the checkpoint. */
  count: number;
  /** Index in `bytes` of each frame's first byte. */
  starts: Int32Array;
  /** Index in `bytes` after each frame's last byte; the line end (LF, CRLF) is not part of it. */
  ends: Int32Array;
  /** Each frame's line number, counted from 1 at the unit's first line, blank lines included. */
  lines: Int32Array;
  /** Number of the first line of the block, blank or not, */
  firstLine: number;
  /** and its byte offset in the file. */
  firstOffset: number;
  /** Checkpoint after the block: byte offset of the next line, */
  nextOffset: number;
  /** and its number. `nextLine - 1` lines of the unit have been seen. */
  nextLine: number;
  /** Lines above the maximum length, by frame index: their bytes were dropped, their frame is empty. */
  tooLong: Map<number, { offset: number; length: number }> | undefined;
}

/** Where a unit goes on when the work up to some point is done. */
export interface Checkpoint {
  /** Byte offset of the first byte of a line that has not been worked on. */
  position: number;
  /** Lines of the unit before `position`, blank ones included. */
  lines: number;
}

/** Byte offset in the file of frame `index`. */
export function frameOffset(block: LineBlock, index: number): number {
  return block.tooLong?.get(index)?.offset ?? block.offset + (block.starts[index] ?? 0);
}

/** Length in bytes of frame `index`, without its line end; the true one also for a line that was dropped. */
export function frameLength(block: LineBlock, index: number): number {
  return block.tooLong?.get(index)?.length ?? (block.ends[index] ?? 0) - (block.starts[index] ?? 0);
}

/** The checkpoint before frame `index`, `index` = count meaning after the block: frames below `index` are done. */
export function checkpointBefore(block: LineBlock, index: number): Checkpoint {
  if (index >= block.count) return { position: block.nextOffset, lines: block.nextLine - 1 };
  // a first frame may stand behind a byte order mark or blank lines: the block begins before them
  if (index === 0) return { position: block.firstOffset, lines: block.firstLine - 1 };
  return { position: frameOffset(block, index), lines: (block.lines[index] ?? 1) - 1 };
}
