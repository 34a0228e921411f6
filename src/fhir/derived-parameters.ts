import type { SearchParameter, SearchParameterType } from "./search-parameters.ts";
import { hasSingleElement } from "./single-values.ts";

/** Where the values of a parameter are: under its own id, or under that of a parameter it is derived from. */
export interface StoredParameter {
  /** Id that the values carry. */
  parameter: number;
  /** Only references to this type count; the base stores `referenceType` for those. */
  targetType?: string;
  /** Of dates, numbers and quantities: all values of a resource come from one element, which several conditions then ask. */
  isSingle?: true;
}

/**
 * Under which parameters the values of `parameter` are stored for resources of `types`: a resource has a value when it has
 * it under any of them. The answer is never empty, holds nothing twice, and is the same for every order of the types.
 */
export function storedParameters(parameter: SearchParameter, types: readonly string[]): readonly StoredParameter[] {
  const stored = new Map<string, StoredParameter>();
  for (const type of types) {
    for (const each of storedFor(parameter, type)) stored.set(`${each.parameter} ${each.targetType ?? ""}`, each);
  }
  if (stored.size === 0) return [{ parameter: parameter.id }];
  const sorted = [...stored.values()].toSorted((a, b) => a.parameter - b.parameter);
  const [only, ...others] = sorted;
  if (only === undefined || others.length > 0 || !ORDERED.has(parameter.type)) return sorted;
  const isSingle = types.every((type) => hasSingleElement(parameter, only.parameter, type));
  return isSingle ? [{ ...only, isSingle }] : sorted;
}

const ORDERED: ReadonlySet<SearchParameterType> = new Set<SearchParameterType>(["date", "number", "quantity"]);

function storedFor({ id, derived }: SearchParameter, type: string): readonly StoredParameter[] {
  const rule = derived?.[type];
  if (rule === undefined) return [{ parameter: id }];
  if ("union" in rule) return rule.union.map((parameter) => ({ parameter }));
  return [{ parameter: rule.of, targetType: rule.targetType }];
}
