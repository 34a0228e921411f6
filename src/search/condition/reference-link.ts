import { toBigInt, type Int64Halves } from "../../base/hash.ts";
import { storedParameters } from "../../fhir/derived-parameters.ts";
import { keyRangeOfType } from "../../fhir/resource-key.ts";
import { RESOURCE_TYPES, resourceTypeId } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import { referenceConstant } from "../../fhir/search-value.ts";

/**
 * How references stand in the equality arrays of resources: a value XOR the constant is the key of its target
 * (`referenceValue`). Keys of the types that the reference can point to lie in [low, high]; any other number that comes
 * out is no reference of this parameter.
 */
export interface ReferenceLink {
  /** The parameter that the values are stored under. */
  parameter: number;
  constant: bigint;
  low: bigint;
  high: bigint;
}

/** The links of a reference parameter of `types`, those to resources of `targets` only. */
export function referenceLinks(
  parameter: SearchParameter,
  types: readonly string[],
  targets: readonly string[] = RESOURCE_TYPES,
): ReferenceLink[] {
  const possible = targetsOf(parameter).filter((type) => targets.includes(type));
  return storedParameters(parameter, types).flatMap(({ parameter: id, targetType }) => {
    const out: Int64Halves = { high: 0, low: 0 };
    referenceConstant(id, out);
    const constant = toBigInt(out);
    const members = targetType === undefined ? possible : possible.filter((type) => type === targetType);
    return keyRanges(members).map((range) => ({ parameter: id, constant, ...range }));
  });
}

/** The types that a reference parameter may point to; some definitions name none, and mean any. */
export function targetsOf(parameter: SearchParameter): readonly string[] {
  return parameter.target.length === 0 ? RESOURCE_TYPES : parameter.target;
}

/** The ranges of the keys of these types; neighbouring types share one. */
export function keyRanges(types: readonly string[]): { low: bigint; high: bigint }[] {
  const ids = types.map((type) => resourceTypeId(type) ?? 0).toSorted((a, b) => a - b);
  const ranges: { low: bigint; high: bigint }[] = [];
  for (const id of ids) {
    const range = keyRangeOfType(id);
    const last = ranges.at(-1);
    if (last !== undefined && last.high + 1n === range.low) last.high = range.high;
    else ranges.push(range);
  }
  return ranges;
}
