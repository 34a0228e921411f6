// Trees of extraction: for one resource type, every element that some parameter selects, each visited once.

/**
 * How an element of a FHIR type is turned into values of a search parameter type. What is missing here is either in
 * IGNORED or refused.
 */
const SEARCHABLE = {
  token: ["CodeableConcept", "Coding", "Identifier", "ContactPoint", "code", "boolean", "id", "string", "uri"],
  reference: ["Reference", "canonical", "uri", "Resource"],
  date: ["date", "dateTime", "instant", "Period", "Timing"],
  string: ["string", "markdown", "HumanName", "Address"],
  uri: ["uri", "url", "canonical"],
  number: ["decimal", "integer", "Range"],
  quantity: ["Quantity", "Age", "Duration", "Money", "Range", "SampledData"],
};

/** Types that a choice drags in and that R4 gives no meaning in a search of that kind: they yield nothing. */
const IGNORED = {
  // Procedure.performed, Immunization.occurrence, CarePlan.activity.detail.scheduled
  date: ["Age", "Range", "string"],
  // Consent.source
  reference: ["Attachment"],
  // Group.characteristic.value as a component; Group.value itself names its two types
  token: ["Quantity", "Range", "Reference"],
};

/** Selections that can be searched; throws when there is one whose type nobody has thought about. */
export function searchable(parameterType, selections, where) {
  return selections.filter(({ type }) => {
    if (SEARCHABLE[parameterType]?.includes(type)) return true;
    if (IGNORED[parameterType]?.includes(type)) return false;
    throw new Error(`${where}: a ${parameterType} parameter over elements of type ${type} is not understood`);
  });
}

/** An empty tree. */
export function newTree() {
  return { nodes: [] };
}

/** The node that a selection's steps lead to; the nodes on the way are made as needed. */
export function nodeAt(tree, selection) {
  let node = tree;
  for (const step of selection.steps) {
    node.nodes ??= [];
    const known = node.nodes.find((child) => stepKey(child) === stepKey(step));
    const next = known ?? { ...step };
    if (known === undefined) node.nodes.push(next);
    node = next;
  }
  return node;
}

/** Puts the values of `parameter` (a row of the parameter table, perhaps with another id) onto a selection's element. */
export function addValues(tree, selection, parameter, systemOf) {
  const node = selection.truth === undefined ? nodeAt(tree, selection) : truthNode(tree, selection.truth);
  node.type = selection.type;
  const system = selection.type === "code" && selection.binding !== undefined ? systemOf(selection.binding) : undefined;
  if (system !== undefined) node.system = system;
  node.values ??= [];
  let group = node.values.find((values) => values.as === parameter.type);
  if (group === undefined) node.values.push((group = { as: parameter.type, parameters: [] }));
  group.parameters.push(valuesOf(selection, parameter));
}

/** How values of a parameter are taken from a selection's element. */
export function valuesOf(selection, parameter) {
  const row = { id: parameter.id };
  if (parameter.type !== "reference") return row;
  if (selection.refersTo !== undefined) row.refersTo = selection.refersTo;
  const possible = selection.targets.filter((type) => type !== "Resource");
  const both = parameter.target.length === 0 ? possible : possible.filter((type) => parameter.target.includes(type));
  if (both.length === 1) row.onlyTarget = both[0];
  // An element that is itself a resource (Bundle.entry[0].resource): only of the types the parameter is about.
  if (selection.type === "Resource") row.targets = parameter.target;
  if (parameter.types !== undefined) row.types = parameter.types;
  return row;
}

function truthNode(tree, names) {
  const key = JSON.stringify(names);
  let node = tree.nodes.find((child) => JSON.stringify(child.truth) === key);
  if (node === undefined) tree.nodes.push((node = { truth: names }));
  return node;
}

/** Text that two steps share when they lead to the same elements. */
export function stepKey({ name, where, first, root }) {
  return JSON.stringify(name ?? where ?? { first, root });
}
