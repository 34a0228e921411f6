import { compile, parse, type ResourceNode } from "fhirpath";
import r4 from "fhirpath/fhir-context/r4";
import { StokerError } from "../base/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../base/json.ts";
import type { ElementDefinition, TypeDefinition } from "../fhir/structure.ts";
import { typeNamed } from "./elements.ts";
import { shown, unprocessable } from "./failure.ts";
import type { JsonPath } from "./json-document.ts";

/** A place for elements: an object of the resource, or the `_name` of a primitive, which may not be there yet. */
export interface ElementParent {
  path: JsonPath;
  type: TypeDefinition;
}

/** An element of the resource: the member `definition.name` (of a primitive also `_name`), or an item of it. */
export interface FoundElement {
  parent: ElementParent;
  definition: ElementDefinition;
  index: number | undefined;
}

/** The elements that a FHIRPath expression gives, in a resource that was parsed for it; `root` for the resource itself. */
export function locate(resource: JsonObject, path: string): (FoundElement | "root")[] {
  const expression = compiled(path);
  let nodes: ResourceNode[];
  try {
    nodes = expression(resource) as ResourceNode[];
  } catch (error) {
    throw unprocessable(`the path cannot be evaluated: ${shown((error as Error).message)}`, { issue: "invalid" });
  }
  return nodes.map((node) => {
    const steps = stepsOf(node, resource);
    if (steps === undefined) throw unprocessable("the path gives a value that is not an element of the resource.");
    return elementAt(resource, steps);
  });
}

/** Where children of an element are. */
export function insideOf(resource: JsonObject, found: FoundElement | "root"): ElementParent {
  if (found === "root") return { path: [], type: resourceTypeOf(resource) };
  const { parent, definition, index } = found;
  const name = definition.primitive ? `_${definition.name}` : definition.name;
  const path = [...parent.path, name, ...(index === undefined ? [] : [index])];
  if (definition.primitive) return { path, type: typeNamed("Element") };
  if (definition.type !== "Resource") return { path, type: typeNamed(definition.type) };
  const inner = valueAt(resource, path);
  return { path, type: resourceTypeOf(inner) };
}

function resourceTypeOf(resource: JsonValue | undefined): TypeDefinition {
  const type = isObject(resource) ? resource["resourceType"] : undefined;
  return typeNamed(typeof type === "string" ? type : "");
}

/** Longest path. Characters. */
const MAX_PATH = 1000;

type Evaluation = (resource: JsonObject) => unknown[];

function compiled(path: string): Evaluation {
  if (path.length > MAX_PATH) throw unprocessable(`the path is longer than ${MAX_PATH} characters.`);
  try {
    refuseOthers(parse(path) as AstNode);
    return compile(path, r4, { resolveInternalTypes: false }) as Evaluation;
  } catch (error) {
    if (error instanceof StokerError) throw error;
    // The parser's recursion ends with a RangeError.
    const reason = error instanceof RangeError ? "it is nested too deeply" : (error as Error).message;
    throw unprocessable(`invalid FHIRPath: ${shown(reason)}`, { issue: "invalid" });
  }
}

/** A node of the library's syntax tree. */
interface AstNode {
  type: string;
  text?: string;
  children?: AstNode[];
}

/**
 * What a path may have: what finds elements, in time that grows with the resource only. Left out are functions and operators
 * that leave the resource, run regular expressions, walk everything or compare all with all: a patch is
 * applied on the thread that answers all requests.
 */
const FUNCTIONS: ReadonlySet<string> = new Set(
  "all as count empty endsWith exists extension first hasValue is last not ofType single skip startsWith tail take where"
    .split(" ")
    .concat("contains", "lower", "upper"),
);
const REFUSED_NODES: ReadonlyMap<string, string> = new Map([
  ["ExternalConstantTerm", "variables"],
  ["UnionExpression", "the operator |"],
  ["MembershipExpression", "the operators in and contains"],
  ["MultiplicativeExpression", "arithmetic"],
  ["AdditiveExpression", "arithmetic"],
  ["TotalInvocation", "$total"],
]);
const REFUSED_NAMES: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

function refuseOthers(node: AstNode): void {
  const { type, text = "", children = [] } = node;
  const isFunction = type === "FunctionInvocation";
  const what =
    REFUSED_NODES.get(type) ??
    (isFunction && !FUNCTIONS.has(text) ? `the function ${text.slice(0, 64)}` : undefined) ??
    (type === "EqualityExpression" && text.endsWith("~") ? "the operator ~" : undefined) ??
    (type === "Identifier" && REFUSED_NAMES.has(text.replaceAll("`", "")) ? "such a name" : undefined);
  if (what !== undefined) {
    throw unprocessable(`the path may not have ${what}: it must find an element.`, { issue: "not-supported" });
  }
  for (const child of children) refuseOthers(child);
}

interface Step {
  name: string;
  index: number | undefined;
}

/** The way from the resource to a node; undefined for what does not belong to it. */
function stepsOf(node: ResourceNode | null | undefined, resource: JsonObject): Step[] | undefined {
  const steps: Step[] = [];
  let at = node;
  while (typeof at === "object" && at !== null && at.parentResNode) {
    if (!at.propName) return undefined;
    steps.unshift({ name: at.propName, index: at.index ?? undefined });
    at = at.parentResNode;
  }
  return typeof at === "object" && at !== null && at.data === resource ? steps : undefined;
}

function elementAt(resource: JsonObject, steps: readonly Step[]): FoundElement | "root" {
  let found: FoundElement | "root" = "root";
  for (const { name, index } of steps) {
    const parent: ElementParent = insideOf(resource, found);
    const object = valueAt(resource, parent.path);
    const definition = isObject(object) ? writtenElement(parent.type, name, object) : undefined;
    if (definition === undefined) throw unprocessable(`${parent.type.name} has no element '${name.slice(0, 64)}'.`);
    found = { parent, definition, index: definition.many ? index : undefined };
  }
  return found;
}

/** The element that the library calls by its name in FHIR, as it is written in this object. */
function writtenElement(type: TypeDefinition, name: string, object: JsonObject): ElementDefinition | undefined {
  const own = type.elements.get(name);
  if (own !== undefined) return own;
  return [...type.elements.values()].find(
    (element) => element.choice === name && (isThere(object[element.name]) || isThere(object[`_${element.name}`])),
  );
}

function isThere(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== null;
}

function valueAt(resource: JsonObject, path: JsonPath): JsonValue | undefined {
  let value: JsonValue | undefined = resource;
  for (const step of path) {
    if (Array.isArray(value)) value = value[step as number];
    else value = isObject(value) ? value[step] : undefined;
  }
  return value;
}
