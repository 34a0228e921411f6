import { createHash } from "node:crypto";

/**
 * A stream of pseudo-random numbers (sfc32): integer arithmetic only, so that the same seed gives the same numbers on
 * every machine and Node.js version.
 */
export interface Random {
  a: number;
  b: number;
  c: number;
  counter: number;
}

/** Opens the stream `name` of `seed`; streams of different names are unrelated. */
export function createRandom(seed: number, name: string): Random {
  const digest = createHash("sha256").update(`${seed} ${name}`).digest();
  const random: Random = { a: digest.readInt32LE(0), b: digest.readInt32LE(4), c: seed | 0, counter: 1 };
  for (let round = 0; round < 12; round++) next(random);
  return random;
}

/** The next 32 bits, unsigned. */
function next(random: Random): number {
  const sum = (random.a + random.b + random.counter) | 0;
  random.counter = (random.counter + 1) | 0;
  random.a = random.b ^ (random.b >>> 9);
  random.b = (random.c + (random.c << 3)) | 0;
  random.c = (((random.c << 21) | (random.c >>> 11)) + sum) | 0;
  return sum >>> 0;
}

/** A number from 0 (included) to 1 (excluded). */
export function unit(random: Random): number {
  return next(random) / 4_294_967_296;
}

/** A whole number from `low` to `high`, both included. */
export function whole(random: Random, low: number, high: number): number {
  return low + Math.floor(unit(random) * (high - low + 1));
}

/** True with probability `share`. */
export function chance(random: Random, share: number): boolean {
  return unit(random) < share;
}

/** One element of a list that is not empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(unit(random) * list.length)] as T;
}

/** One element, with a probability in proportion to its `weight`. */
export function pickWeighted<T extends { readonly weight: number }>(random: Random, list: readonly T[]): T {
  let total = 0;
  for (const item of list) total += item.weight;
  let left = unit(random) * total;
  for (const item of list) {
    left -= item.weight;
    if (left < 0) return item;
  }
  return list.at(-1) as T;
}

/** A bell-shaped number (sum of four uniform ones): mean, standard deviation, and never more than 3.46 of them away. */
export function bell(random: Random, mean: number, deviation: number): number {
  const sum = unit(random) + unit(random) + unit(random) + unit(random) - 2;
  return mean + sum * deviation * 1.732_050_807_568_877;
}

const HEX: readonly string[] = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, "0"));

/** A version 4 UUID. */
export function uuid(random: Random): string {
  const a = next(random);
  const b = next(random);
  const c = next(random);
  const d = next(random);
  const version = HEX[(b & 0x0fff) | 0x4000];
  const variant = HEX[((c >>> 16) & 0x3fff) | 0x8000];
  return `${HEX[a >>> 16]}${HEX[a & 0xffff]}-${HEX[b >>> 16]}-${version}-${variant}-${HEX[c & 0xffff]}${HEX[d >>> 16]}${HEX[d & 0xffff]}`;
}
