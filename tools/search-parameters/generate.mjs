// Search parameters: the table of definitions, and the trees from which the product makes its extractors.
import { addComposite, describe } from "./composites.mjs";
import { openElements } from "./elements.mjs";
import { parameterTable } from "./parameters.mjs";
import { selectFrom } from "./select.mjs";
import { openSystems } from "./systems.mjs";
import { addValues, newTree, searchable } from "./tree.mjs";

/** Answered from columns of the resource, never from search values. */
const COLUMNS = new Set(["_id", "_lastUpdated"]);

/**
 * Returns the generated files by name. Throws on a definition that it does not fully understand.
 * @param {import("../definitions.mjs").Definitions} definitions
 */
export function generate(definitions) {
  const structures = definitions.ofType("StructureDefinition");
  const world = {
    elements: openElements(structures),
    systemOf: openSystems(definitions.ofType("ValueSet")),
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
  return new Map([
    ["search-parameters.json", `[\n${world.parameters.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`],
    ["extraction.json", `{\n${trees.join(",\n")}\n}\n`],
  ]);
}

function treeOf(world, type) {
  const tree = newTree();
  for (const parameter of world.parameters) {
    if (parameter.expression === "" || parameter.type === "special" || COLUMNS.has(parameter.code)) continue;
    if (!parameter.base.includes(type) && !parameter.base.includes("Resource")) continue;
    if (parameter.type === "composite") {
      addComposite(world, tree, type, parameter);
      continue;
    }
    const selections = selectFrom(world.elements, type, parameter.expression);
    if (selections.length === 0) throw new Error(`${parameter.url} selects nothing in ${type}`);
    for (const selection of searchable(parameter.type, selections, `${parameter.url} of ${type}`)) {
      addValues(tree, selection, parameter, world.systemOf);
    }
  }
  return tree;
}
