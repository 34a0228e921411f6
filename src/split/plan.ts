/** A unit's share of a file: it owns the lines whose first byte lies in (start, end], the first unit also the one at 0. */
export interface UnitRange {
  /** Byte offset. */
  start: number;
  /** Byte offset; the file's length for the last unit. */
  end: number;
}

/**
 * Cuts a file of `length` bytes into max(1, ceil(length / unitSize)) units (contract 4.2). An iterator, because a large
 * file with a small unit size has more units than fit in memory. Throws RangeError for sizes that are no positive integer.
 */
export function* splitIntoUnits(length: number, unitSize: number): Generator<UnitRange, void, undefined> {
  if (!Number.isSafeInteger(length) || length < 0) throw new RangeError(`not a file length: ${length}`);
  if (!Number.isSafeInteger(unitSize) || unitSize < 1) throw new RangeError(`not a unit size: ${unitSize}`);
  yield { start: 0, end: Math.min(unitSize, length) };
  for (let start = unitSize; start < length; start += unitSize) {
    yield { start, end: Math.min(start + unitSize, length) };
  }
}
