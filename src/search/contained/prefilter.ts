import { fromBigInt, toBigInt } from "../../base/hash.ts";
import { isCustom } from "../../fhir/custom-search-parameters.ts";
import { containedValue, EqualityForm } from "../../fhir/search-value.ts";
import { allOf, oneOf, type Condition } from "../conditions/condition.ts";
import { equalityOf } from "../conditions/equality.ts";
import type { CriteriaGroup, Criterion } from "../query/criteria.ts";

/** The criteria of a chain's end that equality values alone can tell something of, as they are without looking anything up. */
export function plainCriteria(groups: readonly CriteriaGroup[]): readonly CriteriaGroup[] {
  return groups.map((group) => ({ ...group, criteria: group.criteria.filter(isPlain) }));
}

function isPlain(criterion: Criterion): boolean {
  if (criterion.kind === "always") return criterion.column === undefined;
  // Resources that were stored before a parameter was defined have no values of it for what they contain.
  if ((criterion.kind !== "missing" && criterion.kind !== "values") || isCustom(criterion.parameter)) return false;
  return criterion.kind === "missing" || COMPARISONS.has(criterion.comparison);
}

const COMPARISONS: ReadonlySet<string> = new Set(["plain", "exact", "identifier", "of-type"]);

/**
 * What a resource that refers by one of the parameters to a contained one that meets `condition` holds itself. Undefined where
 * that says nothing.
 */
export function containerCondition(condition: Condition, parameters: readonly number[]): Condition | undefined {
  switch (condition.kind) {
    case "holds":
      return { kind: "holds", values: parameters.flatMap((parameter) => containedValues(parameter, condition.values)) };
    case "and": {
      const told = condition.conditions.map((each) => containerCondition(each, parameters));
      const known = told.filter((each) => each !== undefined);
      return known.length === 0 ? undefined : allOf(known);
    }
    case "or": {
      const told = condition.conditions.map((each) => containerCondition(each, parameters));
      return told.every((each) => each !== undefined) ? oneOf(told) : undefined;
    }
    default:
      return undefined;
  }
}

/** Among them the one that stands for all where there are too many. */
function containedValues(parameter: number, values: readonly bigint[]): bigint[] {
  const out = { high: 0, low: 0 };
  const mixed = values.map((value) => {
    containedValue(parameter, fromBigInt(value), out);
    return toBigInt(out);
  });
  return [equalityOf(parameter, EqualityForm.contained, ""), ...mixed];
}
