import { describe, expect, it } from "vitest";
import { readExtractionTrees, type CompositeOfElement, type TreeNode } from "../../fhir/extraction-tree.ts";
import { SEARCH_PARAMETERS, searchParameterById, type SearchParameter } from "../../fhir/search-parameters.ts";
import { compileDefinition, readDefinition } from "./definition.ts";

const R4_TREES = readExtractionTrees();
const OWN_ID = 10_001;

/** A SearchParameter resource that says what R4's composite says, under another name. */
function again({ code, base, expression, components }: SearchParameter): Parameters<typeof readDefinition>[0] {
  return {
    resourceType: "SearchParameter",
    url: `http://example.org/${code}`,
    code: `own-${code}`,
    type: "composite",
    base: [...base],
    expression,
    component: components.map((component) => ({
      definition: searchParameterById(component.parameter ?? 0)?.url ?? "",
      expression: component.expression,
    })),
  };
}

/** The composites of a tree with the ways to them, and 0 for their numbers. */
function compositesOf(nodes: readonly TreeNode[], id: number, path = ""): string[] {
  return nodes.flatMap((node) => {
    const { values: _values, composites = [], nodes: below = [], ...step } = node;
    const here = `${path} ${JSON.stringify({ ...step, type: undefined, system: undefined })}`;
    const own = composites.filter((composite) => composite.id === id).map((composite) => here + partsOf(composite));
    return [...own, ...compositesOf(below, id, here)];
  });
}

function partsOf({ id, parts }: CompositeOfElement): string {
  return JSON.stringify(parts).replaceAll(`"id":${id}`, '"id":0');
}

const COMPOSITES = SEARCH_PARAMETERS.filter(({ type }) => type === "composite").map(
  (parameter): [string, SearchParameter] => [`${parameter.base.join()}.${parameter.code}`, parameter],
);
/** Coordinates of a MolecularSequence, three components in an element: R4's own alone have them. */
const OF_THREE = COMPOSITES.filter(([, { components }]) => components.length > 2);
/** What R4's plain parameters find is more than the components select: answered by values, not by the parameters. */
const WIDER = new Set(["code-value-quantity", "combo-code-value-quantity", "code-value-string"]);

describe("R4's composites, defined again", () => {
  const others = COMPOSITES.filter((row) => !OF_THREE.includes(row));

  it.each(others)("%s has the same contexts", (_, parameter) => {
    const definition = readDefinition(again(parameter));
    if (definition === undefined) throw new Error("nothing is defined");
    const { trees, composite } = compileDefinition(definition, OWN_ID);
    for (const type of parameter.base) {
      const expected = (parameter.composite?.[type] ?? []).map((context) =>
        context.context === "element" || WIDER.has(parameter.code) ? { context: "element", values: OWN_ID } : context,
      );
      expect([...new Set(composite?.[type]?.map((context) => JSON.stringify(context)))]).toEqual([
        ...new Set(expected.map((context) => JSON.stringify(context))),
      ]);
      if (WIDER.has(parameter.code)) continue;
      // Some of R4's share the values of another one.
      const [shared] = (parameter.composite?.[type] ?? []).flatMap((context) =>
        context.context === "element" ? [context.values] : [],
      );
      const wanted = shared === undefined ? [] : compositesOf(R4_TREES[type] ?? [], shared);
      expect(compositesOf(trees[type] ?? [], OWN_ID)).toEqual(wanted);
    }
  });

  it.each(OF_THREE)("%s is refused", (_, parameter) => {
    expect(() => readDefinition(again(parameter))).toThrow(/SearchParameter.component: .* not supported together/);
  });
});
