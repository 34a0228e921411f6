import type { ElementDefinition } from "../fhir/structure.ts";
import { unprocessable } from "./failure.ts";
import type { ElementParent, FoundElement } from "./fhirpath-locator.ts";
import type { WrittenValue } from "./fhirpath-values.ts";
import {
  childAt,
  childrenOf,
  insertItem,
  kindOf,
  memberOf,
  documentNodeAt,
  nodeOf,
  removeItem,
  removeMember,
  renameMember,
  setMember,
  type JsonNode,
  type JsonPath,
} from "./json-document.ts";

/*
 * Elements in JSON (http://hl7.org/fhir/R4/json.html): a primitive has a sibling `_name` for its id and extensions; in lists the
 * two are arrays side by side, filled up with null, and every change is made to both. What is left empty goes.
 */

/** Adds an element: to the end of a list, or where there is none yet. */
export function addElement(
  root: JsonNode,
  parent: ElementParent,
  element: ElementDefinition,
  value: WrittenValue,
): void {
  if (element.many) {
    insertElement(root, parent, element, listLength(documentNodeAt(root, parent.path), element.name), value);
    return;
  }
  const object = objectAt(root, parent.path);
  const { name, choice } = element;
  const there = childrenOf(object).find(({ name: other = "", value: node }) => {
    const own = other.replace(/^_/, "");
    return (
      !isNull(node) && (own === name || (choice !== undefined && parent.type.elements.get(own)?.choice === choice))
    );
  });
  if (there !== undefined)
    throw unprocessable(`there is a '${there.name}' already: replace it.`, { issue: "duplicate" });
  set(object, name, value);
}

/** Puts an element into a list, before the one that has this number now. */
export function insertElement(
  root: JsonNode,
  parent: ElementParent,
  element: ElementDefinition,
  index: number,
  value: WrittenValue,
): void {
  if (!element.many) throw unprocessable(`${parent.type.name}.${element.name} is not a list.`);
  const object = objectAt(root, parent.path);
  const length = listLength(object, element.name);
  if (index > length) throw unprocessable(`index ${index}: the list has only ${length} items.`);
  for (const [name, bytes] of columns(element.name, value)) {
    const isThere = listAt(object, name) !== undefined;
    if (!isThere && bytes === undefined) continue;
    const list = filledList(object, name, length);
    insertItem(list, index, nodeOf(bytes ?? NULL));
  }
}

/** Gives an element another value, id and extensions included; of a choice also one of another type. */
export function replaceElement(
  root: JsonNode,
  { parent, definition, index }: FoundElement,
  element: ElementDefinition,
  value: WrittenValue,
): void {
  const object = objectAt(root, parent.path);
  if (index === undefined) {
    for (const prefix of ["", "_"]) renameMember(object, prefix + definition.name, prefix + element.name);
    set(object, element.name, value);
    return;
  }
  const length = listLength(object, element.name);
  for (const [name, bytes] of columns(element.name, value)) {
    if (listAt(object, name) === undefined && bytes === undefined) continue;
    const item = childAt(filledList(object, name, length), index);
    if (item !== undefined) item.value = nodeOf(bytes ?? NULL);
    dropEmptyList(object, name);
  }
}

/** Removes an element, and what holds nothing then. */
export function removeElement(root: JsonNode, { parent, definition, index }: FoundElement): void {
  removeAt(root, parent.path, definition.name, index);
}

/** Moves an item within its list. */
export function moveElement(
  root: JsonNode,
  parent: ElementParent,
  { name }: ElementDefinition,
  source: number,
  destination: number,
): void {
  const object = objectAt(root, parent.path);
  const length = listLength(object, name);
  for (const index of [source, destination]) {
    if (index >= length) throw unprocessable(`index ${index}: the list has only ${length} items.`);
  }
  for (const each of [name, `_${name}`]) {
    if (listAt(object, each) === undefined) continue;
    const list = filledList(object, each, length);
    const moved = removeItem(list, source);
    if (moved !== undefined) insertItem(list, destination, moved);
  }
}

const NULL = Buffer.from("null");

/** The two members that an element has. */
function columns(name: string, { value, sibling }: WrittenValue): [string, Buffer | undefined][] {
  return [
    [name, value],
    [`_${name}`, sibling],
  ];
}

function set(object: JsonNode, name: string, value: WrittenValue): void {
  for (const [each, bytes] of columns(name, value)) {
    if (bytes === undefined) removeMember(object, each);
    else setMember(object, each, nodeOf(bytes));
  }
}

function removeAt(root: JsonNode, path: JsonPath, name: string, index: number | undefined): void {
  const object = documentNodeAt(root, path);
  if (object === undefined) return;
  for (const each of [name, `_${name}`]) {
    if (index === undefined) {
      removeMember(object, each);
      continue;
    }
    const list = listAt(object, each);
    if (list === undefined) continue;
    removeItem(list, index);
    dropEmptyList(object, each);
  }
  if (childrenOf(object).length === 0) removeEmpty(root, path);
}

/** Removes an object in which nothing is left: an element of its own, or the id and extensions of a primitive. */
function removeEmpty(root: JsonNode, path: JsonPath): void {
  const last = path.at(-1);
  if (last === undefined) return;
  const index = typeof last === "number" ? last : undefined;
  const steps = index === undefined ? path.slice(0, -1) : path.slice(0, -2);
  const name = String(index === undefined ? last : path.at(-2));
  if (!name.startsWith("_")) return removeAt(root, steps, name, index);
  const value = documentNodeAt(root, [...steps, name.slice(1), ...(index === undefined ? [] : [index])]);
  if (value === undefined || isNull(value)) return removeAt(root, steps, name.slice(1), index);
  const object = objectAt(root, steps);
  if (index === undefined) removeMember(object, name);
  const list = listAt(object, name);
  const item = list && index !== undefined ? childAt(list, index) : undefined;
  if (item !== undefined) item.value = nodeOf(NULL);
  dropEmptyList(object, name);
}

/** The object at a path. That of a primitive's id and extensions is made where it is missing. */
function objectAt(root: JsonNode, path: JsonPath): JsonNode {
  const found = documentNodeAt(root, path);
  if (found !== undefined && kindOf(found) === "object") return found;
  const at = path.findLastIndex((step) => typeof step === "string");
  const owner = documentNodeAt(root, path.slice(0, at));
  const name = path[at];
  if (owner === undefined || typeof name !== "string") throw unprocessable("there is no object to hold it.");
  const made = nodeOf(Buffer.from("{}"));
  const index = path[at + 1];
  if (typeof index !== "number") {
    setMember(owner, name, made);
    return made;
  }
  const item = childAt(filledList(owner, name, listLength(owner, name.slice(1))), index);
  if (item === undefined) throw unprocessable("there is no object to hold it.");
  item.value = made;
  return made;
}

function listAt(object: JsonNode, name: string): JsonNode | undefined {
  const list = memberOf(object, name)?.value;
  return list !== undefined && kindOf(list) === "array" ? list : undefined;
}

/** Items of an element, those that have extensions only included. */
function listLength(object: JsonNode | undefined, name: string): number {
  if (object === undefined) return 0;
  const lists = [listAt(object, name), listAt(object, `_${name}`)];
  return Math.max(...lists.map((list) => (list === undefined ? 0 : childrenOf(list).length)));
}

/** A list, made where it is missing, filled up with null to this length. */
function filledList(object: JsonNode, name: string, length: number): JsonNode {
  let list = listAt(object, name);
  if (list === undefined) {
    list = nodeOf(Buffer.from("[]"));
    setMember(object, name, list);
  }
  for (let index = childrenOf(list).length; index < length; index++) insertItem(list, index, nodeOf(NULL));
  return list;
}

function dropEmptyList(object: JsonNode, name: string): void {
  const list = listAt(object, name);
  if (list !== undefined && childrenOf(list).every(({ value }) => isNull(value))) removeMember(object, name);
}

function isNull({ bytes }: JsonNode): boolean {
  return bytes.equals(NULL);
}
