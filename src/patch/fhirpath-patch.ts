import { setImmediate as nextTurn } from "node:timers/promises";
import { StokerError } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import { elementFor } from "./elements.ts";
import { addElement, insertElement, moveElement, removeElement, replaceElement } from "./element-edits.ts";
import { shown, unprocessable } from "./failure.ts";
import { insideOf, locate, type ElementParent, type FoundElement } from "./fhirpath-locator.ts";
import type { FhirPathPatch, PatchValue, PathOperation } from "./fhirpath-operations.ts";
import { writtenValue } from "./fhirpath-values.ts";
import { bytesOf, nodeOf, type JsonNode } from "./json-document.ts";
import { newBudget, spendPatchWork } from "./limits.ts";

/**
 * Applies the operations of a FHIRPath Patch one after the other and returns the new bytes; what they do not touch stays as
 * it is. A `delete` that finds nothing is done already (R4: "if found"). Throws `unprocessable` for the first operation that
 * cannot be applied, with its number, counted from 1, and its path. Lets others have their turn between operations, some of
 * which take milliseconds. Loads the FHIRPath library: to be imported when needed.
 */
export async function applyFhirPathPatch(bytes: Buffer, { operations }: FhirPathPatch): Promise<Buffer> {
  let root = nodeOf(bytes);
  const budget = newBudget();
  let since = performance.now();
  for (const [index, operation] of operations.entries()) {
    if (performance.now() - since > TURN_MS) {
      await nextTurn();
      since = performance.now();
    }
    try {
      const text = bytesOf(root);
      spendPatchWork(budget, text.length);
      root = apply(root, JSON.parse(text.toString()) as JsonObject, operation);
    } catch (error) {
      if (!(error instanceof StokerError)) throw error;
      const text = `Operation ${index + 1} (${operation.type} ${shown(operation.path)}): ${error.message}`;
      throw unprocessable(text, { issue: error.issue, expression: `Parameters.parameter[${index}]` });
    }
  }
  return bytesOf(root);
}

/** How long a patch may keep the thread for itself. Milliseconds. */
const TURN_MS = 20;

function apply(root: JsonNode, resource: JsonObject, operation: PathOperation): JsonNode {
  const found = locate(resource, operation.path);
  switch (operation.type) {
    case "add": {
      const parent = insideOf(resource, only(found));
      const element = elementFor(parent.type, operation.name, operation.value);
      addElement(root, parent, element, writtenValue(operation.value, element.type));
      break;
    }
    case "insert": {
      const { parent, name } = listOf(resource, operation.path, found);
      const element = elementFor(parent.type, name, operation.value);
      insertElement(root, parent, element, operation.index, writtenValue(operation.value, element.type));
      break;
    }
    case "delete":
      if (found.length > 0) removeElement(root, elementOf(only(found)));
      break;
    case "replace":
      return replace(root, only(found), operation.value);
    case "move": {
      const { parent, definition } = wholeList(found);
      moveElement(root, parent, definition, operation.source, operation.destination);
      break;
    }
  }
  return root;
}

function replace(root: JsonNode, found: FoundElement | "root", value: PatchValue): JsonNode {
  if (found === "root") {
    if (value.kind !== "resource") throw unprocessable("a resource can only be replaced by a resource.");
    return nodeOf(value.value);
  }
  const { parent, definition } = found;
  const element = elementFor(parent.type, definition.choice ?? definition.name, value);
  replaceElement(root, found, element, writtenValue(value, element.type));
  return root;
}

type Found = FoundElement | "root";

function only(found: readonly Found[]): Found {
  const [first] = found;
  if (first === undefined) throw unprocessable("there is no element at this path.", { issue: "not-found" });
  if (found.length > 1) {
    throw unprocessable(`there are ${found.length} elements at this path, but there must be exactly one.`, {
      issue: "multiple-matches",
    });
  }
  return first;
}

function elementOf(found: Found): FoundElement {
  if (found !== "root") return found;
  throw unprocessable("the resource itself can only be deleted by DELETE.");
}

/** The list that a path gives, which may be empty: then the path must be that of an object, and the list's name behind it. */
function listOf(resource: JsonObject, path: string, found: readonly Found[]): { parent: ElementParent; name: string } {
  if (found.length > 0) {
    const { parent, definition } = wholeList(found);
    return { parent, name: definition.name };
  }
  const [, before, name] = /^(?:(.*)\.)?\s*`?([A-Za-z]\w*)`?\s*$/s.exec(path) ?? [];
  if (name === undefined) throw unprocessable("there is no list at this path.", { issue: "not-found" });
  const owner = before === undefined ? "root" : only(locate(resource, before));
  return { parent: insideOf(resource, owner), name };
}

/** The list that all of these are the items of. */
function wholeList(found: readonly Found[]): FoundElement {
  const [first] = found;
  if (first === undefined) throw unprocessable("there is no list at this path.", { issue: "not-found" });
  const list = elementOf(first);
  const isOne = found.every(
    (each) =>
      each !== "root" &&
      each.definition === list.definition &&
      each.parent.path.join("/") === list.parent.path.join("/"),
  );
  if (!isOne || !list.definition.many) throw unprocessable("the path must select a single list.");
  // In a part of a list, an index would mean something else than what it says.
  if (found.some((each, index) => each !== "root" && each.index !== index)) {
    throw unprocessable("the path must select a whole list, not items of it.");
  }
  return list;
}
