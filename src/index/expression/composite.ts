import type { CompositeOfElement, ExtractionTrees } from "../../fhir/extraction-tree.ts";
import type { DefinedComponent, ParameterDefinition } from "../../fhir/custom-search-parameters.ts";
import {
  SEARCH_PARAMETERS,
  type CompositeContext,
  type SearchParameter,
  type SearchParameterType,
} from "../../fhir/search-parameters.ts";
import type { Elements } from "./elements.ts";
import { ExpressionError } from "./parse.ts";
import { refused } from "./refused.ts";
import { selectFrom, selectIn, type Selection, type Step } from "./select.ts";
import type { ExpressionWork } from "./work.ts";
import { addValues, newTree, nodeAt, searchable, searchableOfOpen, stepKey } from "./tree.ts";

/** What a composite comes to for one resource type. */
export interface CompiledComposite {
  contexts: readonly CompositeContext[];
  /** Empty where R4's parameters answer it in all its contexts. */
  nodes: ExtractionTrees[string];
}

/** R4's elements, and what may be made of them. */
export interface Compiling {
  elements: Elements;
  work: ExpressionWork;
}

/** A context element, with what each component selects from there. */
interface FoundContext {
  context: Selection;
  parts: readonly { component: DefinedComponent; selections: readonly Selection[] }[];
}

/**
 * Compiles a composite for one of its types. A context that is the resource itself is answered by R4's parameters where the
 * components select just what these do; all others have values under the composite's own number, `id`. Throws
 * `not-supported` for components that do not go together in one element, `bad-request` or {@link ExpressionError} for what
 * selects nothing.
 */
export function compileComposite(
  compiling: Compiling,
  definition: ParameterDefinition,
  type: string,
  id: number,
): CompiledComposite {
  const contexts = new Map<string, CompositeContext>();
  const tree = newTree();
  for (const found of contextsOf(compiling, definition, type)) {
    const parameters = answeredBy(compiling.elements, type, found);
    const context: CompositeContext =
      parameters === undefined ? { context: "element", values: id } : { context: "root", parameters };
    contexts.set(JSON.stringify(context), context);
    if (parameters !== undefined) continue;
    checkPair(found.parts.map(({ component }) => component.type));
    const isRoot = found.context.steps.length === 0;
    // The tree has no node for the resource itself, but for a resource of this type.
    const node = nodeAt(tree, isRoot ? { steps: [{ where: ["resourceType", type] }] } : found.context);
    node.composites ??= [];
    node.composites.push({ id, parts: found.parts.map((part) => partOf(part, id)) });
  }
  return { contexts: [...contexts.values()], nodes: tree.nodes };
}

function contextsOf({ elements, work }: Compiling, definition: ParameterDefinition, type: string): FoundContext[] {
  const selected = new Map(
    selectFrom(elements, type, definition.expression, work).map((each) => [pathKey(each), each]),
  );
  if (selected.size === 0) throw new ExpressionError(`it selects nothing in ${type}`);
  const found: FoundContext[] = [];
  for (const context of selected.values()) {
    if (context.refersTo !== undefined || context.truth !== undefined) {
      throw new ExpressionError(
        "the elements of a composite cannot be chosen by the target of a reference, and cannot be a boolean expression",
      );
    }
    const parts = (definition.components ?? []).map((component, place) => ({
      component,
      selections: selectionsOf({ elements, work }, context, type, component, place),
    }));
    const isWhole = parts.every(({ selections }) => selections.length > 0);
    if (isWhole) found.push({ context, parts });
    // One type of several that are possible may lack what another one has.
    else if (context.open !== true) throw nothing(parts.findIndex(({ selections }) => selections.length === 0));
  }
  if (found.length === 0) throw nothing(0);
  return found;
}

function selectionsOf(
  { elements, work }: Compiling,
  context: Selection,
  type: string,
  component: DefinedComponent,
  place: number,
): readonly Selection[] {
  try {
    const selected = selectIn(elements, context, type, component.expression, work);
    return searchableOfOpen(component.type, selected, context.owner);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    if (context.open === true) return [];
    throw refused(`component[${place}].expression`, `${error.message}.`);
  }
}

function nothing(place: number): Error {
  return refused(`component[${place}].expression`, "it selects nothing that a parameter of its type can search.");
}

/** R4's parameters that select from the resource just what the components do, in their order; undefined without them. */
function answeredBy(elements: Elements, type: string, { context, parts }: FoundContext): number[] | undefined {
  if (context.steps.length > 0) return undefined;
  const ids: number[] = [];
  for (const { component, selections } of parts) {
    const wanted = keysOf(selections);
    // Not always the one that defines the component: of `combo-code`, `code` is what selects from the resource.
    const same = SEARCH_PARAMETERS.find(
      (known) =>
        known.type === component.type &&
        known.base.includes(type) &&
        known.expression !== "" &&
        JSON.stringify(known.target) === JSON.stringify(component.target) &&
        keysOfKnown(elements, type, known) === wanted,
    );
    if (same === undefined) return undefined;
    ids.push(same.id);
  }
  return ids;
}

/** {@link keysOf} what a parameter of R4 selects; remembered, as a composite of all types asks for each of them. */
function keysOfKnown(elements: Elements, type: string, known: SearchParameter): string {
  const name = `${type} ${known.id}`;
  let keys = KEYS.get(name);
  if (keys === undefined) {
    keys = keysOf(searchable(known.type, selectFrom(elements, type, known.expression), known.url));
    KEYS.set(name, keys);
  }
  return keys;
}

const KEYS = new Map<string, string>();

function partOf(
  { component, selections }: FoundContext["parts"][number],
  id: number,
): CompositeOfElement["parts"][number] {
  const part = newTree();
  for (const selection of selections)
    addValues(part, selection, { id, type: component.type, target: component.target });
  return { type: component.type, nodes: part.nodes };
}

/** Values of one element are stored in pairs: what is compared for equality, and something else beside it. */
function checkPair(types: readonly SearchParameterType[]): void {
  const [first, second] = types;
  if (types.length === 2 && FIRST.has(first ?? "composite") && SECOND.has(second ?? "composite")) return;
  throw refused(
    "component",
    `${types.join(" and ")} are not supported together: two components are needed, of which the first is a token or a reference and the second a token, reference, date, number, quantity or string. Components that select from the resource itself just what R4's own parameters do may be of any types.`,
    "not-supported",
  );
}

const FIRST: ReadonlySet<SearchParameterType> = new Set<SearchParameterType>(["token", "reference"]);
const SECOND: ReadonlySet<SearchParameterType> = new Set<SearchParameterType>([
  "token",
  "reference",
  "date",
  "number",
  "quantity",
  "string",
]);

function keysOf(selections: readonly Selection[]): string {
  return JSON.stringify([...new Set(selections.map(pathKey))].toSorted());
}

function pathKey({ steps, refersTo }: { steps: readonly Step[]; refersTo?: string }): string {
  return `${steps.map(stepKey).join(".")}${refersTo === undefined ? "" : `:${refersTo}`}`;
}
