import type { SearchParameterType } from "../../fhir/search-parameters.ts";
import type { CodesBySystem, ParameterOfElement, TreeNode } from "../../fhir/extraction-tree.ts";
import { ExpressionError } from "./parse.ts";
import type { Selection, Step } from "./select.ts";

/** A tree of extraction while it grows: one resource type's elements that some parameter selects, each visited once. */
export interface GrowingNode extends Step {
  truth?: readonly string[];
  type?: string;
  system?: string;
  systems?: CodesBySystem;
  values?: { as: SearchParameterType; parameters: ParameterOfElement[] }[];
  composites?: NonNullable<TreeNode["composites"]>[number][];
  nodes?: GrowingNode[];
}

/** What of a parameter decides on how its values are taken. */
export interface ValuedParameter {
  id: number;
  type: SearchParameterType;
  target: readonly string[];
  /** References: the types for which `referenceType` is stored. */
  types?: readonly string[];
}

/**
 * How an element of a FHIR type is turned into values of a search parameter type. What is missing here is either in
 * IGNORED or refused.
 */
const SEARCHABLE: Readonly<Partial<Record<SearchParameterType, readonly string[]>>> = {
  token: ["CodeableConcept", "Coding", "Identifier", "ContactPoint", "code", "boolean", "id", "string", "uri"],
  reference: ["Reference", "canonical", "uri", "Resource"],
  date: ["date", "dateTime", "instant", "Period", "Timing"],
  string: ["string", "markdown", "code", "id", "HumanName", "Address"],
  uri: ["uri", "url", "canonical", "oid", "uuid"],
  number: ["decimal", "integer", "positiveInt", "unsignedInt", "Range"],
  // Location.position
  special: ["BackboneElement"],
  quantity: ["Quantity", "Age", "Duration", "Count", "Distance", "Money", "Range", "SampledData"],
};

/** Types that a choice drags in and that R4 gives no meaning in a search of that kind: they yield nothing. */
const IGNORED: Readonly<Partial<Record<SearchParameterType, readonly string[]>>> = {
  // Procedure.performed, Immunization.occurrence, CarePlan.activity.detail.scheduled
  date: ["Age", "Range", "string"],
  // Consent.source
  reference: ["Attachment"],
  // Group.characteristic.value as a component; Group.value itself names its two types
  token: ["Quantity", "Range", "Reference"],
};

/** Selections that can be searched; throws when there is one whose type nobody has thought about. */
export function searchable(type: SearchParameterType, selections: readonly Selection[], where: string): Selection[] {
  return selections.filter((selection) => {
    if (SEARCHABLE[type]?.includes(selection.type) === true) return true;
    if (IGNORED[type]?.includes(selection.type) === true) return false;
    throw new ExpressionError(
      `${where}: a ${type} parameter over elements of type ${selection.type} is not understood`,
    );
  });
}

/**
 * As {@link searchable}, for expressions that are not R4's: of an element with a choice of types (`value[x]`) that the
 * expression leaves open, those types count that can be searched so.
 */
export function searchableOfOpen(
  type: SearchParameterType,
  selections: readonly Selection[],
  where: string,
): Selection[] {
  const closed = selections.filter((one) => one.open !== true || SEARCHABLE[type]?.includes(one.type) === true);
  return searchable(type, closed, where);
}

/** An empty tree. */
export function newTree(): GrowingNode & { nodes: GrowingNode[] } {
  return { nodes: [] };
}

/** The node that a selection's steps lead to; the nodes on the way are made as needed. */
export function nodeAt(tree: GrowingNode, selection: Pick<Selection, "steps">): GrowingNode {
  let node = tree;
  for (const step of selection.steps) {
    const known = childrenOf(node);
    const key = stepKey(step);
    let next = known.get(key);
    if (next === undefined) {
      next = { ...step };
      (node.nodes ??= []).push(next);
      known.set(key, next);
    }
    node = next;
  }
  return node;
}

/** A node's children by what leads to them: an expression can name thousands. */
function childrenOf(node: GrowingNode): Map<string, GrowingNode> {
  let known = CHILDREN.get(node);
  if (known === undefined) {
    known = new Map((node.nodes ?? []).map((child) => [stepKey(child), child]));
    CHILDREN.set(node, known);
  }
  return known;
}

const CHILDREN = new WeakMap<GrowingNode, Map<string, GrowingNode>>();

/** Puts the values of `parameter` onto a selection's element. */
export function addValues(
  tree: GrowingNode & { nodes: GrowingNode[] },
  selection: Selection,
  parameter: ValuedParameter,
): void {
  const node = selection.truth === undefined ? nodeAt(tree, selection) : truthNode(tree, selection.truth);
  node.type = selection.type;
  if (selection.system !== undefined) node.system = selection.system;
  if (selection.systems !== undefined) node.systems = selection.systems;
  node.values ??= [];
  let group = node.values.find((values) => values.as === parameter.type);
  if (group === undefined) node.values.push((group = { as: parameter.type, parameters: [] }));
  group.parameters.push(valuesOf(selection, parameter));
}

/** How values of a parameter are taken from a selection's element. */
export function valuesOf(selection: Selection, parameter: ValuedParameter): ParameterOfElement {
  const row: ParameterOfElement = { id: parameter.id };
  if (parameter.type !== "reference") return row;
  if (selection.refersTo !== undefined) row.refersTo = selection.refersTo;
  const possible = selection.targets.filter((type) => type !== "Resource");
  const both = parameter.target.length === 0 ? possible : possible.filter((type) => parameter.target.includes(type));
  if (both.length === 1 && both[0] !== undefined) row.onlyTarget = both[0];
  // An element that is itself a resource (Bundle.entry[0].resource): only of the types the parameter is about.
  if (selection.type === "Resource") row.targets = parameter.target;
  if (parameter.types !== undefined) row.types = parameter.types;
  return row;
}

function truthNode(tree: { nodes: GrowingNode[] }, names: readonly string[]): GrowingNode {
  const key = JSON.stringify(names);
  let node = tree.nodes.find((child) => JSON.stringify(child.truth) === key);
  if (node === undefined) tree.nodes.push((node = { truth: names }));
  return node;
}

/** Text that two steps share when they lead to the same elements. */
export function stepKey({ name, where, first, root }: Step): string {
  return JSON.stringify(name ?? where ?? { first, root });
}
