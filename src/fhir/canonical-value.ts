import { hashText, toBigInt, type Int64Halves } from "../base/hash.ts";

/**
 * References by canonical URL among the equality values. A canonical has a *key*, as a resource has: 44 bits of
 * the hash of its text below {@link TAG}, which begins with a type id that no resource type has. A resource that refers to it by a parameter has the key XOR a constant of the parameter;
 * the resource that *is* it, by its `url` and `version`, has the key XOR a constant of its own. So one is found from the other in SQL.
 */

/**
 * What keys of canonicals begin with. So long that what looks like one among many values, and is something else, is rare: all
 * values of a million resources are asked whether they are, with the constant of a parameter.
 */
const TAG = 0xffca0000 | 0;

/** The ways in which canonicals refer to something. */
export type CanonicalLink =
  /** `url`: any version is meant. */
  | "unversioned"
  /** The `url` of `url|version`. */
  | "url of versioned"
  /** `url|version`. */
  | "versioned";

/** The key of a canonical, `url` or `url|version`. */
export function canonicalKey(canonical: string, out: Int64Halves): void {
  hashText(canonical, CANONICAL_KEY, out);
  out.high = TAG | (out.high & 0xfff);
}

/** {@link canonicalKey} as a signed 64-bit integer. */
export function canonicalKeyOf(canonical: string): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  canonicalKey(canonical, out);
  return toBigInt(out);
}

/** All keys that canonicals can have. */
export const CANONICAL_KEYS: { readonly low: bigint; readonly high: bigint } = {
  low: toBigInt({ high: TAG, low: 0 }),
  high: toBigInt({ high: TAG | 0xfff, low: -1 }),
};

/** The constant of a parameter for references by canonical. */
export function canonicalConstant(parameter: number, link: CanonicalLink, out: Int64Halves): void {
  hashText(link, (parameter << 5) | CANONICAL_REFERENCE, out);
}

/** {@link canonicalConstant} as a signed 64-bit integer. */
export function canonicalConstantOf(parameter: number, link: CanonicalLink): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  canonicalConstant(parameter, link, out);
  return toBigInt(out);
}

/** The constant of what is a canonical itself: of its `url`, and of `url|version`. */
export function ownCanonicalConstant(own: OwnCanonical, out: Int64Halves): void {
  hashText(own, OWN_CANONICAL, out);
}

/** {@link ownCanonicalConstant} as a signed 64-bit integer. */
export function ownCanonicalConstantOf(own: OwnCanonical): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  ownCanonicalConstant(own, out);
  return toBigInt(out);
}

/** What a resource is known by. */
export type OwnCanonical = "url" | "url|version";

/** Stands for the parameter of terms that are canonicals with a version; no parameter has this number. */
export const CANONICAL_TERMS = -4;

/** Beside the forms of equality values, which are below it. */
const CANONICAL_REFERENCE = 28;
const CANONICAL_KEY = 0x7a15;
const OWN_CANONICAL = 0x7a16;
