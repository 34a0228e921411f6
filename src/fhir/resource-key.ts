import { hashText, toBigInt, type Int64Halves } from "../base/hash.ts";
import { resourceTypeId } from "./resource-types.ts";

/**
 * The 64-bit key of a resource: its type's id in the top 8 bits, 56 bits of the hash of its id below. Every table
 * carries it (it is the distribution key of a cluster), and all resources of a type lie in one contiguous range, so
 * that "Observations in key order" is a range scan.
 *
 * Two ids of one type that share 56 bits are told apart by the id stored in `head`; see `store/`.
 */
export function resourceKey(typeId: number, id: string, out: Int64Halves): void {
  hashText(id, 0, out);
  out.high = (typeId << 24) | (out.high & 0xffffff);
}

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
