// Search parameters: the table of definitions, and the trees from which the product makes its extractors.
import { addComposite, describe } from "./composites.mjs";
import { checkDerived, derivedParameters } from "./derived.mjs";
import { openElements } from "./elements.mjs";
import { parameterTable } from "./parameters.mjs";
import { openSystems } from "./systems.mjs";
// The product's own compiler of expressions, as it is built: there is no second one.
import { selectFrom } from "../../dist/index/expression/select.js";
import { addValues, newTree, searchable } from "../../dist/index/expression/tree.js";

/** Parameters of type special whose values are stored: Location's position. */
const UNDERSTOOD = new Set(["near"]);

/** Answered from columns of the resource, never from search values. */
const COLUMNS = new Set(["_id", "_lastUpdated"]);

/**
 * Returns the generated files by name. Throws on a definition that it does not fully understand.
 * @param {import("../definitions.mjs").Definitions} definitions
 */
export function generate(definitions) {
  const structures = definitions.ofType("StructureDefinition");
  const world = {
    elements: openElements(structures, openSystems(definitions.ofType("ValueSet"), definitions.ofType("CodeSystem"))),
    parameters: parameterTable(definitions.ofType("SearchParameter")),
  };
  for (const parameter of world.parameters) {
    if (parameter.type !== "composite") continue;
    parameter.composite = Object.fromEntries(parameter.base.map((type) => [type, describe(world, type, parameter)]));
  }
  const types = structures
    .filter(({ kind, abstract, derivation }) => kind === "resource" && !abstract && derivation === "specialization")
    .map(({ type }) => type)
    .toSorted((a, b) => (a < b ? -1 : 1));
  const trees = types.map((type) => `${JSON.stringify(type)}:${JSON.stringify(treeOf(world, type).nodes)}`);
  checkDerived(world.parameters);
  return new Map([
    ["search-parameters.json", `[\n${world.parameters.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`],
    ["extraction.json", `{\n${trees.join(",\n")}\n}\n`],
    ["element-facts.json", world.elements.facts()],
  ]);
}

/** The tree of a type; notes in the parameter table what is derived for it, and so not in the tree. */
function treeOf(world, type) {
  const tree = newTree();
  const parameters = world.parameters.filter(
    ({ base, code, expression, type: kind }) =>
      (base.includes(type) || base.includes("Resource")) &&
      expression !== "" &&
      (kind !== "special" || UNDERSTOOD.has(code)) &&
      !COLUMNS.has(code),
  );
  const selected = parameters
    .filter((parameter) => parameter.type !== "composite")
    .map((parameter) => ({ parameter, selections: selectionsOf(world, type, parameter) }));
  const derived = derivedParameters(selected.filter(({ parameter }) => parameter.base.includes(type)));
  for (const { parameter, selections } of selected) {
    const rule = derived.get(parameter.id);
    if (rule !== undefined) {
      parameter.derived = { ...parameter.derived, [type]: rule };
      continue;
    }
    const types = [...derived.values()].filter(({ of }) => of === parameter.id).map(({ targetType }) => targetType);
    const stored = types.length === 0 ? parameter : { ...parameter, types };
    for (const selection of selections) addValues(tree, selection, stored);
  }
  for (const parameter of parameters) {
    if (parameter.type === "composite") addComposite(world, tree, type, parameter);
  }
  return tree;
}

function selectionsOf(world, type, parameter) {
  const selections = selectFrom(world.elements, type, parameter.expression);
  if (selections.length === 0) throw new Error(`${parameter.url} selects nothing in ${type}`);
  return searchable(parameter.type, selections, `${parameter.url} of ${type}`);
}
