import type { JsonObject, JsonValue } from "../../base/json.ts";
import { readExtractionTrees, type TreeNode } from "../../fhir/extraction-tree.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import type { StoredParameter } from "../../fhir/derived-parameters.ts";
import { objectIn, objectsIn, textIn } from "../../fhir/json-members.ts";
import { BARE_ID } from "../criteria/value-context.ts";

/** Takes from a resource the texts that tokens and references are sorted by. */
export type TextsOf = (resource: JsonObject) => string[];

/**
 * For each of the types, how the texts of some token or reference parameters are found in a resource: codes without
 * their systems, values of identifiers, references as `Type/id` or as they are written. Undefined where there is a
 * parameter of which this is not known. `further` has the elements of parameters that are not R4's. `baseUrl` is this
 * server's own.
 */
export function textReaders(
  parameters: ReadonlyMap<string, readonly StoredParameter[]>,
  further: ReadonlyMap<string, readonly TreeNode[]>,
  baseUrl: string,
): ReadonlyMap<string, TextsOf> | undefined {
  const trees = readExtractionTrees();
  const readers = new Map<string, TextsOf>();
  for (const [type, stored] of parameters) {
    const tree = further.get(type) ?? trees[type] ?? [];
    const known = idsIn(tree);
    // Parameters that are derived from several others are so for each type by those that it has.
    if (!stored.some(({ parameter }) => known.has(parameter))) return undefined;
    readers.set(type, (resource) => {
      const texts: string[] = [];
      for (const node of tree)
        visit(node, resource, (found, value) => {
          for (const text of textsAt(found, value, stored, baseUrl, resource)) texts.push(text);
        });
      return texts;
    });
  }
  return readers;
}

/** Is told of an element that has values, and of the tree's node for it. */
type Visit = (node: TreeNode, value: JsonValue) => void;

function idsIn(nodes: readonly TreeNode[]): Set<number> {
  const ids = new Set<number>();
  const waiting = [...nodes];
  for (const { values = [], nodes: children = [] } of waiting) {
    for (const { parameters } of values) for (const { id } of parameters) ids.add(id);
    waiting.push(...children);
  }
  return ids;
}

/** Visits the elements of a tree's node, as `index/compile.ts` has them. */
export function visit(node: TreeNode, owner: JsonValue, found: Visit): void {
  const members = objectIn(owner) ?? {};
  if (node.truth !== undefined) {
    content(
      node,
      node.truth.some((name) => (members[name] ?? false) !== false),
      found,
    );
  } else if (node.where !== undefined) {
    const [name, value] = node.where;
    if (members[name] === value) content(node, owner, found);
  } else if (node.name !== undefined) {
    const value = members[node.name];
    if (value === undefined) return;
    const list = node.many === true && Array.isArray(value) ? value : [value];
    const [first] = list;
    for (const child of node.nodes ?? []) if (child.first === true && first !== undefined) content(child, first, found);
    const rest = { ...node, nodes: (node.nodes ?? []).filter((child) => child.first !== true) };
    for (const each of list) content(rest, each, found);
  }
}

function content(node: TreeNode, value: JsonValue, found: Visit): void {
  if (node.values !== undefined) found(node, value);
  for (const child of node.nodes ?? []) visit(child, value, found);
}

function textsAt(
  node: TreeNode,
  value: JsonValue,
  stored: readonly StoredParameter[],
  baseUrl: string,
  resource: JsonObject,
): string[] {
  const texts: string[] = [];
  for (const { as, parameters } of node.values ?? []) {
    for (const { id, refersTo, onlyTarget, targets } of parameters) {
      for (const { parameter, targetType } of stored) {
        if (parameter !== id) continue;
        if (as === "token") texts.push(...tokenTexts(node.type ?? "", value));
        if (as !== "reference") continue;
        // What counts references to one type does not make one of an id whose type is not known.
        const inferred = refersTo === undefined ? onlyTarget : undefined;
        const reference = referenceText(node.type ?? "", value, inferred, baseUrl, resource);
        if (reference === undefined) continue;
        // An element that is a resource itself is of one type, and no value of parameters that refer to others.
        if (targets?.includes(reference.type ?? "") === false) continue;
        if ([refersTo, targetType].every((type) => type === undefined || type === reference.type))
          texts.push(reference.text);
      }
    }
  }
  return texts;
}

function tokenTexts(type: string, value: JsonValue): string[] {
  const element = objectIn(value) ?? {};
  switch (type) {
    case "CodeableConcept":
      return objectsIn(element["coding"]).flatMap(({ code }) => textIn(code) ?? []);
    case "Coding":
      return [textIn(element["code"]) ?? []].flat();
    case "Identifier":
    case "ContactPoint":
      return [textIn(element["value"]) ?? []].flat();
    default:
      return typeof value === "boolean" ? [String(value)] : [textIn(value) ?? []].flat();
  }
}

function referenceText(
  type: string,
  value: JsonValue,
  onlyTarget: string | undefined,
  baseUrl: string,
  resource: JsonObject,
): { text: string; type: string | undefined } | undefined {
  const element = objectIn(value);
  if (element === undefined) {
    const canonical = textIn(value);
    return canonical === undefined ? undefined : { text: canonical, type: undefined };
  }
  const contained = textIn(element["resourceType"]);
  if (type === "Resource" && contained !== undefined) {
    return { text: `${contained}/${textIn(element["id"]) ?? ""}`, type: contained };
  }
  const reference = textIn(element["reference"]);
  if (reference === undefined) return undefined;
  const [written = ""] = reference.split("/_history/", 1);
  const text = written.startsWith(`${baseUrl}/`) ? written.slice(baseUrl.length + 1) : written;
  const inside = objectsIn(resource["contained"]).find(({ id }) => `#${textIn(id) ?? ""}` === text)?.["resourceType"];
  const told = [/(?:^|\/)([A-Za-z]+)\/[^/?]*$/.exec(text)?.[1], textIn(inside), textIn(element["type"])];
  const named = told.find((name) => resourceTypeId(name ?? "") !== undefined);
  if (!BARE_ID.test(text)) return { text, type: named };
  const inferred = named ?? onlyTarget;
  return { text: inferred === undefined ? text : `${inferred}/${text}`, type: inferred };
}
