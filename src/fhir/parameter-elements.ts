import { isCustom } from "./custom-search-parameters.ts";
import { storedParameters } from "./derived-parameters.ts";
import { readExtractionTrees, type TreeNode } from "./extraction-tree.ts";
import { concreteTypes, type SearchParameter, type SearchParameterType } from "./search-parameters.ts";

/** What is known of the elements that a parameter takes values from. */
export interface ParameterElement {
  /** FHIR type. */
  type: string;
  /** Code system that the required binding of a `code` implies. */
  system?: string | undefined;
}

/** The elements that have a parameter's values, in any of the types that it is defined for. */
export function elementsOf(parameter: SearchParameter): readonly ParameterElement[] {
  return parameter.base.flatMap(concreteTypes).flatMap((type) => {
    const known = isCustom(parameter) ? elementsIn(parameter.trees[type] ?? []) : R4_ELEMENTS.get(type);
    return storedParameters(parameter, [type]).flatMap(({ parameter: id }) => known?.get(id) ?? []);
  });
}

/**
 * The elements whose values are stored under a number, of whatever types. Undefined for numbers of parameters that are not
 * R4's.
 */
export function storedElements(parameter: number): readonly ParameterElement[] | undefined {
  return STORED.get(parameter);
}

/** By parameter, the elements that it takes values from; components of composites have the composite's number. */
function elementsIn(nodes: readonly TreeNode[]): ReadonlyMap<number, readonly ParameterElement[]> {
  const elements = new Map<number, ParameterElement[]>();
  const add = (id: number, element: ParameterElement): void => {
    const known = elements.get(id);
    if (known === undefined) elements.set(id, [element]);
    else if (!known.some(({ type, system }) => type === element.type && system === element.system)) known.push(element);
  };
  const waiting: { nodes: readonly TreeNode[]; composite?: number; as?: SearchParameterType }[] = [{ nodes }];
  for (const { nodes: some, composite } of waiting) {
    for (const { type = "", system, values = [], composites = [], nodes: children = [] } of some) {
      const element = { type, system };
      for (const { parameters } of values) for (const { id } of parameters) add(composite ?? id, element);
      for (const { id, parts } of composites)
        for (const part of parts) waiting.push({ nodes: part.nodes, composite: id });
      waiting.push({ nodes: children, ...(composite !== undefined && { composite }) });
    }
  }
  return elements;
}

const R4_ELEMENTS: ReadonlyMap<string, ReadonlyMap<number, readonly ParameterElement[]>> = new Map(
  Object.entries(readExtractionTrees()).map(([type, nodes]) => [type, elementsIn(nodes)]),
);

const STORED: ReadonlyMap<number, readonly ParameterElement[]> = storedByNumber();

function storedByNumber(): ReadonlyMap<number, readonly ParameterElement[]> {
  const stored = new Map<number, ParameterElement[]>();
  for (const [id, elements] of [...R4_ELEMENTS.values()].flatMap((each) => [...each])) {
    stored.set(id, [...(stored.get(id) ?? []), ...elements]);
  }
  return stored;
}

/** Whether a reference parameter refers by canonical URL, by some of its elements at least. */
export function refersByCanonical(parameter: SearchParameter): boolean {
  return elementsOf(parameter).some(({ type }) => type === "canonical" || type === "uri");
}
