// Composite parameters: which contexts are the AND of plain parameters, and which store values of their own.
import { selectFrom, selectIn } from "../../dist/index/expression/select.js";
import { addValues, newTree, nodeAt, searchable, stepKey } from "../../dist/index/expression/tree.js";

/**
 * Root contexts whose plain parameter finds more than the composite's component does: HL7's definitions of the two
 * differ, and the composite follows the plain parameter.
 */
const WIDER = new Map([
  ["Observation-code-value-quantity", "Observation-value-quantity also reads SampledData"],
  ["Observation-combo-code-value-quantity", "Observation-value-quantity also reads SampledData"],
  ["Observation-code-value-string", "Observation-value-string also reads the text of a CodeableConcept"],
]);

/** The contexts of one composite for one resource type, each with its components' selections from there. */
export function contextsOf(world, type, composite) {
  return selectFrom(world.elements, type, composite.expression).map((context) => ({
    context,
    parts: composite.components.map((component) => {
      const found = selectIn(world.elements, context, type, component.expression);
      const selections = searchable(component.type, found, composite.url);
      if (selections.length === 0) throw new Error(`${composite.url}: ${component.expression} selects nothing`);
      checkDefinition(world, type, composite, component, context, selections);
      return { component, selections };
    }),
  }));
}

/** `{ context: "root" | "element" }` rows for the parameter table. */
export function describe(world, type, composite) {
  return contextsOf(world, type, composite).map((found) => {
    if (found.context.steps.length > 0) {
      return { context: "element", values: sharedWith(world, type, composite, found) ?? composite.id };
    }
    const parameters = found.parts.map(({ component, selections }) =>
      plain(world, type, composite, component, selections),
    );
    return { context: "root", parameters };
  });
}

/** Adds the values of a composite to its type's tree, for the contexts that store any under its id. */
export function addComposite(world, tree, type, composite) {
  for (const found of contextsOf(world, type, composite)) {
    if (found.context.steps.length === 0 || sharedWith(world, type, composite, found) !== undefined) continue;
    const parts = found.parts.map(({ component, selections }) => {
      const part = newTree();
      for (const selection of selections) {
        addValues(part, selection, { ...component, id: composite.id });
      }
      return { type: component.type, nodes: part.nodes };
    });
    const shape = parts.map((part) => (ORDERED.includes(part.type) ? "ordered" : "equality")).join(" ");
    if (!SHAPES.includes(shape) || parts.some((part) => part.type === "string")) {
      throw new Error(
        `${composite.url}: a composite of ${parts.map((part) => part.type).join(", ")} is not understood`,
      );
    }
    const node = nodeAt(tree, found.context);
    node.composites ??= [];
    node.composites.push({ id: composite.id, parts });
  }
}

const ORDERED = ["date", "number", "quantity"];
const SHAPES = ["equality equality", "equality ordered", "equality ordered ordered"];

/** A composite with the same context and components, and no other context: its values serve both. */
function sharedWith(world, type, composite, found) {
  const wanted = contextKey(found);
  const other = world.parameters.find((candidate) => {
    if (candidate.type !== "composite" || candidate.id === composite.id || !candidate.base.includes(type)) return false;
    const contexts = contextsOf(world, type, candidate);
    return contexts.length === 1 && contextKey(contexts[0]) === wanted;
  });
  return other?.id;
}

function contextKey({ context, parts }) {
  return JSON.stringify([
    pathKey(context),
    parts.map((part) => [part.component.type, part.selections.map(pathKey).toSorted()]),
  ]);
}

/** The plain parameter that selects the same elements from the resource as the component does. */
function plain(world, type, composite, component, selections) {
  const wanted = selections.map(pathKey).toSorted();
  const supersets = world.parameters
    .filter((candidate) => candidate.type === component.type && candidate.base.includes(type))
    .map((candidate) => ({
      candidate,
      keys: searchable(candidate.type, selectFrom(world.elements, type, candidate.expression), candidate.url).map(
        pathKey,
      ),
    }))
    .filter(({ keys }) => wanted.every((key) => keys.includes(key)))
    .toSorted((a, b) => a.keys.length - b.keys.length || a.candidate.id - b.candidate.id);
  const [best] = supersets;
  if (best === undefined) throw new Error(`${composite.url}: no plain parameter selects ${component.expression}`);
  const name = composite.url.slice(composite.url.lastIndexOf("/") + 1);
  if (best.keys.length !== wanted.length && !WIDER.has(name)) {
    throw new Error(`${composite.url}: ${best.candidate.url} selects more than ${component.expression}`);
  }
  return best.candidate.id;
}

/** A component's elements must be among those of the parameter that defines it. */
function checkDefinition(world, type, composite, component, context, selections) {
  const definition = world.parameters.find((parameter) => parameter.id === component.parameter);
  const known = new Set(selectFrom(world.elements, type, definition.expression).map(pathKey));
  for (const selection of selections) {
    const fromRoot = selection.steps[0]?.root === true;
    const steps = fromRoot ? selection.steps.slice(1) : [...context.steps, ...selection.steps];
    if (!known.has(pathKey({ steps }))) {
      throw new Error(`${composite.url}: ${component.expression} is not what ${definition.url} selects`);
    }
  }
}

function pathKey({ steps, refersTo }) {
  return `${steps.map(stepKey).join(".")}${refersTo === undefined ? "" : `:${refersTo}`}`;
}
