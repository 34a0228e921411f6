/**
 * MurmurHash3 (x86, 32 bit) over the UTF-16LE bytes of a text, run twice with different seeds: 64 bits in two
 * 32-bit lanes, without BigInt. Two UTF-16 code units are exactly one 4-byte block of the published algorithm,
 * so the published test vectors apply to the UTF-16LE encoding of a text.
 */

/** Two signed 32-bit halves of a 64-bit value; reused by callers on hot paths instead of allocating. */
export interface Int64Halves {
  high: number;
  low: number;
}

/** Second lane's seed offset: the golden ratio, as in most published seed schedules. */
const LOW_LANE = 0x9e3779b9 | 0;

/**
 * Hashes `text` into `out` (both halves signed 32-bit). `seed` separates families of values: the same text under
 * another seed is an unrelated hash.
 */
export function hashText(text: string, seed: number, out: Int64Halves): void {
  const length = text.length;
  let high = seed | 0;
  let low = (seed ^ LOW_LANE) | 0;
  let index = 0;
  for (; index + 1 < length; index += 2) {
    const block = scramble(text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16));
    high = mixBlock(high, block);
    low = mixBlock(low, block);
  }
  if (index < length) {
    const tail = scramble(text.charCodeAt(index));
    high ^= tail;
    low ^= tail;
  }
  out.high = finish(high ^ (length * 2));
  out.low = finish(low ^ (length * 2));
}

/** Continues from two 64-bit values to one: hashes the four halves as four blocks. For composite keys. */
export function hashPair(a: Int64Halves, b: Int64Halves, seed: number, out: Int64Halves): void {
  let high = seed | 0;
  let low = (seed ^ LOW_LANE) | 0;
  for (let index = 0; index < 4; index++) {
    const half = index === 0 ? a.high : index === 1 ? a.low : index === 2 ? b.high : b.low;
    const block = scramble(half);
    high = mixBlock(high, block);
    low = mixBlock(low, block);
  }
  out.high = finish(high ^ 16);
  out.low = finish(low ^ 16);
}

/** The signed 64-bit value of two halves; for SQL parameters and tests, not for hot paths. */
export function toBigInt(halves: Int64Halves): bigint {
  return BigInt.asIntN(64, (BigInt(halves.high >>> 0) << 32n) | BigInt(halves.low >>> 0));
}

/** The inverse of {@link toBigInt}. */
export function fromBigInt(value: bigint): Int64Halves {
  return { high: Number(BigInt.asIntN(32, value >> 32n)), low: Number(BigInt.asIntN(32, value)) };
}

function scramble(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function mixBlock(state: number, block: number): number {
  const mixed = state ^ block;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(state: number): number {
  let hash = state;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
