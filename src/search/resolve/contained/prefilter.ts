import { fromBigInt, toBigInt } from "../../../base/hash.ts";
import { isCustom } from "../../../fhir/custom-search-parameters.ts";
import { resourceTypeId } from "../../../fhir/resource-types.ts";
import { containedValue } from "../../../fhir/search-value.ts";
import { ALWAYS, type Condition } from "../../condition/condition.ts";
import { allOf } from "../../condition/combine.ts";
import { oneOf } from "../../condition/combine.ts";
import type { CriteriaGroup, Criterion } from "../../criteria/criteria.ts";
import type { ContainedLink } from "./contained-links.ts";

/** The criteria that the equality values of contained resources tell of. */
export function plainCriteria(group: CriteriaGroup): CriteriaGroup {
  return { ...group, criteria: group.criteria.filter(isPlain) };
}

/**
 * Resources that were stored before a parameter was defined have no values of it for what they contain; and texts of tokens are
 * looked up among those of stored resources.
 */
function isPlain(criterion: Criterion): boolean {
  switch (criterion.kind) {
    case "always":
      return criterion.column === undefined;
    case "missing":
    case "chain":
      return !isCustom(criterion.parameter);
    case "values":
      return !isCustom(criterion.parameter) && COMPARISONS.has(criterion.comparison);
    default:
      return false;
  }
}

const COMPARISONS: ReadonlySet<string> = new Set(["plain", "exact", "identifier", "of-type"]);

/** What a resource meets that contains another one; `isExact` when no resource meets it that does not. */
export interface Told {
  condition: Condition;
  isExact: boolean;
}

/**
 * What the equality values of a resource tell of a condition on a contained one that it refers to by one of the links. The
 * condition has been resolved; its types are those of the links.
 */
export function toldByContainer(condition: Condition, links: readonly ContainedLink[]): Told {
  switch (condition.kind) {
    case "within":
      return { condition: ALWAYS, isExact: true };
    case "holds":
      return { condition: { kind: "holds", values: containedValues(condition.values, links) }, isExact: true };
    case "and": {
      const told = condition.conditions.map((each) => toldByContainer(each, links));
      const limiting = told.filter((each) => each.condition !== ALWAYS);
      // Two conditions can be met by two contained resources.
      const isExact = told.every((each) => each.isExact) && limiting.length <= 1;
      return { condition: limiting.length === 0 ? ALWAYS : allOf(limiting.map((each) => each.condition)), isExact };
    }
    case "or": {
      const told = condition.conditions.map((each) => toldByContainer(each, links));
      const open = told.filter((each) => each.condition === ALWAYS);
      if (open.length > 0) return { condition: ALWAYS, isExact: open.some((each) => each.isExact) };
      return { condition: oneOf(told.map((each) => each.condition)), isExact: told.every((each) => each.isExact) };
    }
    default:
      return { condition: ALWAYS, isExact: false };
  }
}

function containedValues(values: readonly bigint[], links: readonly ContainedLink[]): bigint[] {
  const out = { high: 0, low: 0 };
  return links.flatMap(({ parameter, type }) => {
    const typeId = resourceTypeId(type) ?? 0;
    return values.map((value) => {
      containedValue(parameter, typeId, fromBigInt(value), out);
      return toBigInt(out);
    });
  });
}
