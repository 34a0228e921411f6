import type { JsonObject } from "../../base/json.ts";
import { toBigInt } from "../../base/hash.ts";
import type { CustomSearchParameter } from "../../fhir/custom-search-parameters.ts";
import { storedParameters } from "../../fhir/derived-parameters.ts";
import type { ExtractionTrees } from "../../fhir/extraction-tree.ts";
import { resourceKey } from "../../fhir/resource-key.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import { withSecondHash } from "../../fhir/second-hash.ts";
import { createParameterValues, type ParameterValues } from "../../index/parameter-values.ts";
import type { Condition } from "../condition/condition.ts";
import { searchCondition, type SearchRules } from "../compile/plan.ts";
import type { CriteriaGroup, Criterion } from "../criteria/criteria.ts";

/** Whether a resource that was found by hashes has what was asked for, as far as its body tells. */
export type Verifier = (found: { readonly type: string; readonly id: string }, body: Buffer) => boolean;

/**
 * Compares what hashes have found with what was asked: criteria and bodies are hashed once more, with a key that has nothing to do
 * with the store's. Two texts that share one hash do not share the other. `asked`: which criteria are compared. References to
 * one resource tell whose data it is; in conditional interactions every token, uri and exact string says which resource is
 * changed. What else is asked (dates, chains, values of value sets) is not looked at. Undefined where nothing is to be compared.
 */
export function verifierOf(
  groups: readonly CriteriaGroup[],
  rules: SearchRules,
  asked: "references" | "everything",
): Verifier | undefined {
  const compared = groups.map(({ types, criteria }) => {
    return { types, criteria: criteria.filter((criterion) => isCompared(criterion, asked)) };
  });
  if (compared.every(({ criteria }) => criteria.length === 0)) return undefined;
  const tests = new Map<string, TypeTest[]>();
  return ({ type, id }, body) =>
    withSecondHash(() => {
      let ofType = tests.get(type);
      if (ofType === undefined) {
        ofType = compared
          .filter(({ types }) => types?.includes(type) ?? true)
          .map(({ criteria }) => typeTest(type, criteria, rules));
        tests.set(type, ofType);
      }
      if (ofType.length === 0 || ofType.some(({ parameters, isItself }) => parameters.length === 0 && !isItself))
        return true;
      const resource = JSON.parse(body.toString("utf8")) as JsonObject;
      const out = { high: 0, low: 0 };
      resourceKey(resourceTypeId(type) ?? 0, id, out);
      const key = toBigInt(out);
      return ofType.some(({ parameters, trees, condition }) => {
        const values = (secondValues ??= createParameterValues()).of(type, resource, parameters, trees);
        return outcome(condition, values, key) !== false;
      });
    });
}

/** The values by the second hash, which is one for the process. */
let secondValues: ParameterValues | undefined;

interface TypeTest {
  parameters: readonly number[];
  /** The resource can be what is asked for without having a value. */
  isItself: boolean;
  trees: readonly ExtractionTrees[];
  condition: Condition;
}

const COMPARISONS: ReadonlySet<string> = new Set(["plain", "exact", "identifier", "of-type"]);
const TYPES: ReadonlySet<string> = new Set(["token", "reference", "uri", "string"]);

function isCompared(criterion: Criterion, asked: "references" | "everything"): boolean {
  if (criterion.kind === "member") return true;
  if (criterion.kind !== "values" || !COMPARISONS.has(criterion.comparison)) return false;
  // The version that is asked for with a canonical URL is a value of another parameter.
  if (criterion.values.some((value) => value.type === "uri" && value.version !== undefined)) return false;
  const { type } = criterion.parameter;
  return asked === "everything" ? TYPES.has(type) : type === "reference";
}

function typeTest(type: string, criteria: readonly Criterion[], rules: SearchRules): TypeTest {
  const parameters = criteria.flatMap((criterion): readonly SearchParameter[] => {
    if (criterion.kind === "member") return criterion.parameters;
    return criterion.kind === "values" ? [criterion.parameter] : [];
  });
  const ids = parameters.flatMap((each) => storedParameters(each, [type]).map(({ parameter }) => parameter));
  return {
    parameters: [...new Set(ids)].toSorted((a, b) => a - b),
    isItself: criteria.some((criterion) => criterion.kind === "member" && criterion.isItself),
    trees: parameters.flatMap((each) => ("trees" in each ? [(each as CustomSearchParameter).trees] : [])),
    condition: searchCondition([{ types: [type], criteria }], rules),
  };
}

/** What the condition says of these values; undefined where they do not tell. */
function outcome(condition: Condition, values: ReadonlySet<bigint>, key: bigint): boolean | undefined {
  switch (condition.kind) {
    case "holds":
      return condition.values.some((value) => values.has(value));
    case "keys":
      return condition.keys.includes(key);
    case "and": {
      const outcomes = condition.conditions.map((each) => outcome(each, values, key));
      if (outcomes.includes(false)) return false;
      return outcomes.includes(undefined) ? undefined : true;
    }
    case "or": {
      const outcomes = condition.conditions.map((each) => outcome(each, values, key));
      if (outcomes.includes(true)) return true;
      return outcomes.includes(undefined) ? undefined : false;
    }
    default:
      return undefined;
  }
}
