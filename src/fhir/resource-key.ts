import { hashText, toBigInt, type Int64Halves } from "../base/hash.ts";
import { resourceTypeId } from "./resource-types.ts";

/**
 * The 64-bit key of a resource: its type's id in the top 8 bits, 56 bits of the hash of its id below. Every table
 * carries it (it is the distribution key of a cluster), and all resources of a type lie in one contiguous range, so
 * that "Observations in key order" is a range scan.
 *
 * No two resources have one key: where the key of an id's hash is another resource's, the id is *displaced*, which
 * {@link DisplacedIds} knows (`store/identity/displaced-ids.ts`). Everything that turns an id into a key does it here.
 */
export function resourceKey(typeId: number, id: string, out: Int64Halves): void {
  const own = displaced.byType[typeId]?.get(id);
  if (own === undefined) {
    hashedKey(typeId, id, out);
  } else {
    out.high = own.high;
    out.low = own.low;
  }
}

/** The key that a resource has unless its id is displaced. */
export function hashedKey(typeId: number, id: string, out: Int64Halves): void {
  if (isSecond) hashText(id, 0, out);
  else hashRecent(id, out);
  out.high = (typeId << 24) | (out.high & highMask);
  out.low &= lowMask;
}

/** Neighbouring lines refer to the same resources: the hashes of the ids that came last are kept, by how they end. */
function hashRecent(id: string, out: Int64Halves): void {
  const { length } = id;
  const slot =
    (id.charCodeAt(length - 1) ^ (id.charCodeAt(length - 2) << 4) ^ (id.charCodeAt(length - 3) << 8)) & RECENT;
  if (recentIds[slot] === id) {
    out.high = recentHigh[slot] ?? 0;
    out.low = recentLow[slot] ?? 0;
    return;
  }
  hashText(id, 0, out);
  if (length > LONGEST_ID) return;
  recentIds[slot] = id;
  recentHigh[slot] = out.high;
  recentLow[slot] = out.low;
}

const RECENT = 1023;
const LONGEST_ID = 64;
const recentIds: (string | undefined)[] = Array.from({ length: RECENT + 1 }, () => undefined);
const recentHigh = new Int32Array(RECENT + 1);
const recentLow = new Int32Array(RECENT + 1);
let isSecond = false;

/** Bits of the hash in a key. */
export const KEY_BITS = 56;

/** Leaves so many bits of the hash in a key, 1 to {@link KEY_BITS}. A store has fewer in tests only, so that ids share keys. */
export function cutKeys(bits: number): void {
  highMask = bits > 32 ? 0xffffff >>> (KEY_BITS - bits) : 0;
  lowMask = bits < 32 ? (1 << bits) - 1 : -1;
}

let highMask = 0xffffff;
let lowMask = -1;

/** The ids whose keys are not made of their hashes, because these were taken. Ids are added to it and stay. */
export interface DisplacedIds {
  /** Raised with every addition: a later generation has all that an earlier one has. 0: there are none. */
  readonly generation: number;
  /** By type id: their keys. */
  readonly byType: readonly (ReadonlyMap<string, Int64Halves> | undefined)[];
}

/** The displaced ids that this thread knows. */
export function displacedIds(): DisplacedIds {
  return displaced;
}

/** From now on these are the displaced ids; unless later ones are known already. */
export function installDisplacedIds(ids: DisplacedIds): void {
  if (ids.generation > displaced.generation) displaced = ids;
}

/** Runs `work`, which must not wait for anything, as if these were the displaced ids. */
export function withDisplacedIds<Result>(ids: DisplacedIds, work: () => Result): Result {
  const known = displaced;
  displaced = ids;
  try {
    return work();
  } finally {
    displaced = known;
  }
}

/** Runs `work`, which must not wait for anything, with the second hash: keys have all their bits, and no id is displaced. */
export function withWholeKeys<Result>(work: () => Result): Result {
  const masks = [highMask, lowMask] as const;
  cutKeys(KEY_BITS);
  isSecond = true;
  try {
    return withDisplacedIds({ generation: 0, byType: [] }, work);
  } finally {
    [highMask, lowMask] = masks;
    isSecond = false;
  }
}

let displaced: DisplacedIds = { generation: 0, byType: [] };

/** {@link resourceKey} as a signed 64-bit integer, for SQL parameters. The type must be a resource type of R4. */
export function resourceKeyOf(type: string, id: string): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  const typeId = resourceTypeId(type);
  if (typeId === undefined) throw new TypeError(`not a resource type: ${type}`);
  resourceKey(typeId, id, out);
  return toBigInt(out);
}

/** Lowest and highest key a resource of this type can have (both inclusive, signed). */
export function keyRangeOfType(typeId: number): { low: bigint; high: bigint } {
  const low = BigInt.asIntN(64, BigInt(typeId) << 56n);
  return { low, high: low + (1n << 56n) - 1n };
}

/** The type id in the top 8 bits of a key. */
export function typeIdOfKey(key: bigint): number {
  return Number(BigInt.asUintN(8, key >> 56n));
}
