import { randomBytes } from "node:crypto";
import { StokerError } from "./errors.ts";

/**
 * The hash behind resource keys and equality values: SipHash-2-4 (Aumasson and Bernstein) with a secret key that belongs to the
 * store, in 32-bit arithmetic, without BigInt. Nobody who does not know the key can choose two texts that share a hash.
 *
 * The message is the seed (four bytes, the lowest first) and the text: each UTF-16 code unit as UTF-8 encodes it, so that two
 * different texts are two different messages, lone surrogates included, and ASCII is one byte for each character.
 */

/** Two signed 32-bit halves of a 64-bit value; reused by callers on hot paths instead of allocating. */
export interface Int64Halves {
  high: number;
  low: number;
}

/** Bytes of a key. */
export const HASH_KEY_BYTES = 16;

/**
 * Makes this thread hash with the key of its store. The key is kept here and not handed from function to function, because what
 * hashes is called for every value of every line. So a thread works for one store: throws `internal` where it has another key.
 */
export function installHashKey(key: Uint8Array): void {
  if (key.length !== HASH_KEY_BYTES) throw new StokerError("internal", "The key of the store has a wrong length.");
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const words = [0, 4, 8, 12].map((at) => view.getInt32(at, true)) as [number, number, number, number];
  if (isKeyed && words.some((word, index) => word !== [key0Low, key0High, key1Low, key1High][index])) {
    throw new StokerError("internal", "This process has opened another store: one process serves one store.");
  }
  [key0Low, key0High, key1Low, key1High] = words;
  isKeyed = true;
}

/**
 * Runs `work`, which must not wait for anything, with a second key, which each process draws at random and which leaves it as little as
 * the first. Texts that share a hash under one key do not share it under the other.
 */
export function withSecondKey<Result>(work: () => Result): Result {
  const first = [isKeyed, key0Low, key0High, key1Low, key1High] as const;
  second ??= new Int32Array(new Uint8Array(randomBytes(HASH_KEY_BYTES)).buffer);
  [isKeyed, key0Low, key0High, key1Low, key1High] = [
    true,
    second[0] ?? 0,
    second[1] ?? 0,
    second[2] ?? 0,
    second[3] ?? 0,
  ];
  try {
    return work();
  } finally {
    [isKeyed, key0Low, key0High, key1Low, key1High] = first;
  }
}

let second: Int32Array | undefined;
let isKeyed = false;
let key0Low = 0;
let key0High = 0;
let key1Low = 0;
let key1High = 0;

/**
 * Hashes `text` into `out` (both halves signed 32-bit). `seed` separates families of values: the same text under
 * another seed is an unrelated hash. Throws `internal` before {@link installHashKey}.
 */
export function hashText(text: string, seed: number, out: Int64Halves): void {
  const { length } = text;
  const words = length <= SHORT ? scratch : new Int32Array(length + 4);
  words[0] = seed;
  let index = 0;
  let at = 1;
  let all = 0;
  for (const whole = length & ~3; index < whole; index += 4) {
    const first = text.charCodeAt(index);
    const second = text.charCodeAt(index + 1);
    const third = text.charCodeAt(index + 2);
    const fourth = text.charCodeAt(index + 3);
    all |= first | second | third | fourth;
    words[at++] = first | (second << 8) | (third << 16) | (fourth << 24);
  }
  let last = 0;
  for (let shift = 0; index < length; index++, shift += 8) {
    const unit = text.charCodeAt(index);
    all |= unit;
    last |= unit << shift;
  }
  words[at] = last;
  hashWords(words, all < 0x80 ? length + 4 : encode(text, words), out);
}

/** Continues from two 64-bit values to one. For composite keys. */
export function hashPair(a: Int64Halves, b: Int64Halves, seed: number, out: Int64Halves): void {
  scratch[0] = seed;
  scratch[1] = a.high;
  scratch[2] = a.low;
  scratch[3] = b.high;
  scratch[4] = b.low;
  hashWords(scratch, 20, out);
}

/** The signed 64-bit value of two halves; for SQL parameters and tests, not for hot paths. */
export function toBigInt(halves: Int64Halves): bigint {
  return BigInt.asIntN(64, (BigInt(halves.high >>> 0) << 32n) | BigInt(halves.low >>> 0));
}

/** The inverse of {@link toBigInt}. */
export function fromBigInt(value: bigint): Int64Halves {
  return { high: Number(BigInt.asIntN(32, value >> 32n)), low: Number(BigInt.asIntN(32, value)) };
}

/** Code units that {@link scratch} has room for, three bytes each. */
const SHORT = 4096;
/** A message in words of four bytes, the lowest first; the bytes that its last word has beyond it are zero. */
const scratch = new Int32Array(SHORT + 4);

/** Encodes a text that is not ASCII behind the seed; returns the bytes of both. */
function encode(text: string, words: Int32Array): number {
  let bytes = 4;
  const add = (byte: number): void => {
    const at = bytes >> 2;
    const shift = (bytes++ & 3) << 3;
    words[at] = shift === 0 ? byte : (words[at] ?? 0) | (byte << shift);
  };
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) {
      add(unit);
    } else if (unit < 0x800) {
      add(0xc0 | (unit >> 6));
      add(0x80 | (unit & 0x3f));
    } else {
      add(0xe0 | (unit >> 12));
      add(0x80 | ((unit >> 6) & 0x3f));
      add(0x80 | (unit & 0x3f));
    }
  }
  return bytes;
}

/**
 * SipHash-2-4 of the first `bytes` bytes of `words`, which has room for a block more. Each 64-bit word of its state is two halves. A
 * carry is computed and not compared for: it is as good as random, and a processor would guess it wrong every other time.
 */
function hashWords(words: Int32Array, bytes: number, out: Int64Halves): void {
  if (!isKeyed) throw new StokerError("internal", "The store has not been opened: its hash key is not known.");
  let v0High = 0x736f6d65 ^ key0High;
  let v0Low = 0x70736575 ^ key0Low;
  let v1High = 0x646f7261 ^ key1High;
  let v1Low = 0x6e646f6d ^ key1Low;
  let v2High = 0x6c796765 ^ key0High;
  let v2Low = 0x6e657261 ^ key0Low;
  let v3High = 0x74656462 ^ key1High;
  let v3Low = 0x79746573 ^ key1Low;
  let half = 0;
  let sum = 0;
  // The last block ends with the length; a message of whole blocks has nothing else in it.
  const last = (bytes >> 3) * 2;
  const rest = bytes & 7;
  if (rest === 0) words[last] = 0;
  words[last + 1] = (rest > 4 ? (words[last + 1] as number) : 0) | (bytes << 24);
  for (let at = 0; at <= last + 2; at += 2) {
    let low = 0;
    let high = 0;
    let rounds = 2;
    if (at <= last) {
      low = words[at] as number;
      high = words[at + 1] as number;
    } else {
      v2Low ^= 0xff;
      rounds = 4;
    }
    v3Low ^= low;
    v3High ^= high;
    for (let round = 0; round < rounds; round++) {
      sum = (v0Low + v1Low) | 0;
      v0High = (v0High + v1High + (((v0Low & v1Low) | ((v0Low | v1Low) & ~sum)) >>> 31)) | 0;
      v0Low = sum;
      half = v1High;
      v1High = ((half << 13) | (v1Low >>> 19)) ^ v0High;
      v1Low = ((v1Low << 13) | (half >>> 19)) ^ v0Low;
      half = v0High;
      v0High = v0Low;
      v0Low = half;
      sum = (v2Low + v3Low) | 0;
      v2High = (v2High + v3High + (((v2Low & v3Low) | ((v2Low | v3Low) & ~sum)) >>> 31)) | 0;
      v2Low = sum;
      half = v3High;
      v3High = ((half << 16) | (v3Low >>> 16)) ^ v2High;
      v3Low = ((v3Low << 16) | (half >>> 16)) ^ v2Low;
      sum = (v0Low + v3Low) | 0;
      v0High = (v0High + v3High + (((v0Low & v3Low) | ((v0Low | v3Low) & ~sum)) >>> 31)) | 0;
      v0Low = sum;
      half = v3High;
      v3High = ((half << 21) | (v3Low >>> 11)) ^ v0High;
      v3Low = ((v3Low << 21) | (half >>> 11)) ^ v0Low;
      sum = (v2Low + v1Low) | 0;
      v2High = (v2High + v1High + (((v2Low & v1Low) | ((v2Low | v1Low) & ~sum)) >>> 31)) | 0;
      v2Low = sum;
      half = v1High;
      v1High = ((half << 17) | (v1Low >>> 15)) ^ v2High;
      v1Low = ((v1Low << 17) | (half >>> 15)) ^ v2Low;
      half = v2High;
      v2High = v2Low;
      v2Low = half;
    }
    v0Low ^= low;
    v0High ^= high;
  }
  out.high = v0High ^ v1High ^ v2High ^ v3High;
  out.low = v0Low ^ v1Low ^ v2Low ^ v3Low;
}
