import type { SearchParameter } from "./search-parameters.ts";

/** Where the values of a parameter are: under its own id, or under that of a parameter it is derived from. */
export interface StoredParameter {
  /** Id that the values carry. */
  parameter: number;
  /** Only references to this type count; the base stores `referenceType` for those. */
  targetType?: string;
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
  return [...stored.values()].toSorted((a, b) => a.parameter - b.parameter);
}

function storedFor({ id, derived }: SearchParameter, type: string): readonly StoredParameter[] {
  const rule = derived?.[type];
  if (rule === undefined) return [{ parameter: id }];
  if ("union" in rule) return rule.union.map((parameter) => ({ parameter }));
  return [{ parameter: rule.of, targetType: rule.targetType }];
}
