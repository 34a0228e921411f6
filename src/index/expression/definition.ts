import type { JsonObject, JsonValue } from "../../base/json.ts";
import type { ParameterDefinition } from "../../fhir/custom-search-parameters.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import { concreteTypes, type CompositeContext, type SearchParameterType } from "../../fhir/search-parameters.ts";
import { checkExtractor } from "../compile.ts";
import type { ExtractionTrees, TreeNode } from "../../fhir/extraction-tree.ts";
import { readComponents, type DefinitionFinder } from "./components.ts";
import { compileComposite } from "./composite.ts";
import { readElements } from "./elements.ts";
import { ExpressionError } from "./parse.ts";
import { refused } from "./refused.ts";
import { selectFrom, type Selection } from "./select.ts";
import { addValues, newTree, searchableOfOpen } from "./tree.ts";
import { takenCode, whyUnindexed, type Unindexed } from "./unindexed.ts";
import { newWork, type ExpressionWork } from "./work.ts";

/**
 * What a SearchParameter resource (checked against R4's structure) defines; undefined when its status is `retired`, and when it is
 * stored without being indexed ({@link unindexed}). `find` finds
 * the custom parameters that a composite names; without it, a composite of such parameters is not checked to its end.
 * Throws `bad-request` or `not-supported` with the element that is missing or cannot be carried out.
 */
export function readDefinition(resource: JsonObject, find?: DefinitionFinder): ParameterDefinition | undefined {
  if (resource["status"] === "retired" || unindexed(resource) !== undefined) return undefined;
  const version = textOf(resource["version"]);
  const definition: ParameterDefinition = {
    url: textOf(resource["url"]),
    ...(version !== "" && { version }),
    code: required(resource, "code"),
    type: typeOf(required(resource, "type")),
    base: basesOf(resource["base"]),
    target: [...new Set(listOf(resource["target"]))],
    expression: required(resource, "expression"),
  };
  if (definition.target.includes("Resource")) definition.target = [];
  checkCode(definition);
  const unknown = definition.target.find((type) => resourceTypeId(type) === undefined);
  if (unknown !== undefined) throw refused("target", `'${unknown}' is not a resource type that can be referred to.`);
  const { xpathUsage } = resource;
  if (xpathUsage !== undefined && xpathUsage !== "normal") {
    throw refused("xpathUsage", "only processing mode normal is supported.", "not-supported");
  }
  if (definition.type !== "composite") {
    if (listOf(resource["component"]).length > 0) throw refused("component", "only a composite has components.");
    compileDefinition(definition, 0);
    return definition;
  }
  definition.components = readComponents(resource, find);
  if (definition.components !== undefined) compileDefinition(definition, 0);
  return definition;
}

export { takenCode, type Unindexed };

/** Why nothing is indexed by a SearchParameter resource that is stored all the same; undefined where it is indexed, or refused. */
export function unindexed(resource: JsonObject): Unindexed | undefined {
  return whyUnindexed(ELEMENTS, resource);
}

/** What a definition comes to: what is stored of it beside the definition itself. */
export interface CompiledDefinition {
  /** By resource type, the elements that it selects; only types of which it has values. */
  trees: ExtractionTrees;
  /** Composites only, by resource type. */
  composite?: Readonly<Record<string, readonly CompositeContext[]>>;
}

/**
 * Compiles a definition for a parameter with this id. Throws `bad-request` when an expression is not understood, does not fit
 * the type, or selects nothing in one of the bases, `not-supported` for components that cannot be asked for together.
 */
export function compileDefinition(definition: ParameterDefinition, id: number): CompiledDefinition {
  const known = id === 0 ? COMPILED.get(definition) : undefined;
  if (known !== undefined) return known;
  const compiled = compileAll(definition, id);
  if (id === 0) COMPILED.set(definition, compiled);
  return compiled;
}

/** Without a number: a definition is read and counted before it gets one. */
const COMPILED = new WeakMap<ParameterDefinition, CompiledDefinition>();

function compileAll(definition: ParameterDefinition, id: number): CompiledDefinition {
  const trees: Record<string, readonly TreeNode[]> = {};
  const composite: Record<string, readonly CompositeContext[]> = {};
  const work = newWork();
  for (const type of definition.base.flatMap(concreteTypes)) {
    if (resourceTypeId(type) === undefined) continue;
    const { contexts, nodes } = compileFor(definition, type, id, work);
    if (contexts !== undefined) composite[type] = contexts;
    if (nodes.length > 0) trees[type] = nodes;
  }
  return definition.type === "composite" ? { trees, composite } : { trees };
}

function compileFor(
  definition: ParameterDefinition,
  type: string,
  id: number,
  work: ExpressionWork,
): { contexts?: readonly CompositeContext[]; nodes: readonly TreeNode[] } {
  const { expression, type: kind, target } = definition;
  try {
    if (kind === "composite") {
      const compiled = compileComposite({ elements: ELEMENTS, work }, definition, type, id);
      checkExtractor(compiled.nodes);
      return compiled;
    }
    const selected = selectFrom(ELEMENTS, type, expression, work);
    if (selected.length === 0) throw new ExpressionError(`it selects nothing in ${type}`);
    const selections = searchableOfOpen(kind, selected, type);
    if (selections.length === 0) {
      throw new ExpressionError(`a ${kind} parameter cannot search any of the elements that it selects in ${type}`);
    }
    const tree = newTree();
    for (const selection of distinct(selections)) addValues(tree, selection, { id, type: kind, target });
    checkExtractor(tree.nodes);
    return { nodes: tree.nodes };
  } catch (error) {
    if (!(error instanceof ExpressionError) && !(error instanceof TypeError)) throw error;
    throw refused("expression", `${error.message}.`);
  }
}

/** What parts of a union select again is taken once. */
function distinct(selections: readonly Selection[]): Selection[] {
  return [
    ...new Map(
      selections.map((selection) => {
        const { steps, refersTo, truth } = selection;
        return [JSON.stringify([steps, refersTo, truth]), selection];
      }),
    ).values(),
  ];
}

/** Read once: a Bundle may bring hundreds of definitions. */
const ELEMENTS = readElements();

const TYPES: ReadonlySet<string> = new Set([
  "token",
  "string",
  "date",
  "number",
  "quantity",
  "reference",
  "uri",
  "composite",
]);

function typeOf(type: string): SearchParameterType {
  if (TYPES.has(type)) return type as SearchParameterType;
  const why =
    type === "special"
      ? "parameters of type special have no computable expression"
      : `'${type}' is not a type of search parameter`;
  throw refused("type", `${why}.`, "not-supported");
}

function basesOf(value: JsonValue | undefined): readonly string[] {
  const bases = [...new Set(listOf(value))];
  if (bases.length === 0) throw refused("base", "it is missing: a resource type is needed.");
  const unknown = bases.find((base) => !ABSTRACT.has(base) && resourceTypeId(base) === undefined);
  if (unknown !== undefined) throw refused("base", `'${unknown}' is not a resource type of R4.`);
  return bases;
}

const ABSTRACT: ReadonlySet<string> = new Set(["Resource", "DomainResource"]);

/** Names are written in queries, where `.`, `:` and `,` have a meaning; those with `_` in front are FHIR's. */
function checkCode({ code }: ParameterDefinition): void {
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(code)) {
    throw refused("code", "it must begin with a letter and have only letters, digits, '-' and '_', at most 64.");
  }
}

function required(resource: JsonObject, name: string): string {
  const text = textOf(resource[name]);
  if (text === "") throw refused(name, "it is missing, and a search needs it.");
  return text;
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value.trim() : "";
}

function listOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.map((each) => (typeof each === "string" ? each : "")) : [];
}
