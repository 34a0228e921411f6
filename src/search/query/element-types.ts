import { isCustom } from "../../fhir/custom-search-parameters.ts";
import { storedParameters } from "../../fhir/derived-parameters.ts";
import { readExtractionTrees, type TreeNode } from "../../fhir/extraction-tree.ts";
import { concreteTypes, type SearchParameter, type SearchParameterType } from "../../fhir/search-parameters.ts";

/** FHIR types of the elements that a parameter takes values of one kind from (`Reference`, `ContactPoint` …). */
export function elementTypes(parameter: SearchParameter, as: SearchParameterType): string[] {
  const types = parameter.base.flatMap(concreteTypes);
  return types.flatMap((type) => {
    const known = isCustom(parameter) ? typesIn(parameter.trees[type] ?? [], as) : typesInR4(type, as);
    return storedParameters(parameter, [type]).flatMap(({ parameter: id }) => known.get(id) ?? []);
  });
}

/** By parameter, the types of the elements that it takes values from. */
type TypesByParameter = ReadonlyMap<number, readonly string[]>;

function typesIn(nodes: readonly TreeNode[], wanted: SearchParameterType): TypesByParameter {
  const types = new Map<number, string[]>();
  const waiting = [...nodes];
  for (const { type = "", values = [], nodes: children = [] } of waiting) {
    for (const { as, parameters } of values) {
      if (as === wanted) for (const { id } of parameters) types.set(id, [...(types.get(id) ?? []), type]);
    }
    waiting.push(...children);
  }
  return types;
}

function typesInR4(type: string, as: SearchParameterType): TypesByParameter {
  const name = `${type} ${as}`;
  let found = known.get(name);
  if (found === undefined) known.set(name, (found = typesIn(TREES[type] ?? [], as)));
  return found;
}

const TREES = readExtractionTrees();
const known = new Map<string, TypesByParameter>();
