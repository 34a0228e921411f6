import { StokerError } from "../base/errors.ts";
import { malformedPatch, shown, unprocessable } from "./failure.ts";
import { parsePointer, type JsonPointer } from "./json-pointer.ts";
import {
  bytesOf,
  childAt,
  childrenOf,
  insertItem,
  isDeeperThan,
  isEqual,
  kindOf,
  memberOf,
  nodeOf,
  removeItem,
  removeMember,
  setMember,
  type JsonNode,
} from "./json-document.ts";
import { MAX_PATCH_LEVELS, MAX_OPERATIONS, newBudget, spendPatchWork, type Budget } from "./limits.ts";

/*
 * Not fast-json-patch: it works on parsed values, in which 1.10 is 1.1, an added decimal loses its digits and `__proto__` is
 * refused, and what it prints has other bytes than what it was given.
 */

/** A JSON Patch (RFC 6902) that was read. */
export interface JsonPatch {
  readonly operations: readonly JsonOperation[];
}

/** One operation. Values are bytes of the patch. */
type JsonOperation =
  | { op: "add" | "replace" | "test"; path: JsonPointer; value: Buffer }
  | { op: "remove"; path: JsonPointer }
  | { op: "move" | "copy"; path: JsonPointer; from: JsonPointer };

/**
 * Reads a JSON Patch from bytes that `JSON.parse` accepts. Throws `bad-request` for what is none; the message has the number
 * of the operation, counted from 1.
 */
export function readJsonPatch(bytes: Buffer): JsonPatch {
  if (isDeeperThan(bytes, MAX_PATCH_LEVELS))
    throw malformedPatch(`A JSON Patch may have at most ${MAX_PATCH_LEVELS} levels.`);
  const root = nodeOf(bytes);
  if (kindOf(root) !== "array") throw malformedPatch("A JSON Patch is an array of operations.");
  const items = childrenOf(root);
  if (items.length > MAX_OPERATIONS) throw malformedPatch(`A patch may have at most ${MAX_OPERATIONS} operations.`);
  return { operations: items.map(({ value }, index) => readOperation(value, index + 1)) };
}

/**
 * Applies the operations one after the other and returns the new bytes; what they do not touch stays as it is. Throws
 * `unprocessable` for the first that cannot be applied, with its number, counted from 1, and its path.
 */
export function applyJsonPatch(bytes: Buffer, { operations }: JsonPatch): Buffer {
  const document = { root: nodeOf(bytes), budget: newBudget() };
  for (const [index, operation] of operations.entries()) {
    try {
      apply(document, operation);
    } catch (error) {
      if (!(error instanceof StokerError)) throw error;
      const { op, path } = operation;
      const text = `Operation ${index + 1} (${op} ${shown(path.text)}): ${error.message}`;
      throw unprocessable(text, { issue: error.issue });
    }
  }
  return bytesOf(document.root);
}

interface Document {
  root: JsonNode;
  readonly budget: Budget;
}

function readOperation(node: JsonNode, number: number): JsonOperation {
  const wrong = (text: string): Error => malformedPatch(`Operation ${number}: ${text}`);
  if (kindOf(node) !== "object") throw wrong("an object is expected.");
  const names = childrenOf(node).map(({ name }) => name);
  const text = (name: "op" | "path" | "from"): string => {
    const value = memberOf(node, name)?.value.bytes.toString();
    if (names.indexOf(name) !== names.lastIndexOf(name)) throw wrong(`'${name}' occurs twice.`);
    if (value?.startsWith('"') === true) return JSON.parse(value) as string;
    throw wrong(`'${name}' must be there, and a string.`);
  };
  const pointer = (name: "path" | "from"): JsonPointer => {
    const parsed = parsePointer(text(name));
    if (parsed === undefined) throw wrong(`'${name}' is not a JSON Pointer (RFC 6901): ${shown(text(name))}`);
    if (parsed.tokens.length > MAX_PATCH_LEVELS) throw wrong(`'${name}' has more than ${MAX_PATCH_LEVELS} steps.`);
    return parsed;
  };
  const op = text("op");
  switch (op) {
    case "add":
    case "replace":
    case "test": {
      const value = memberOf(node, "value")?.value.bytes;
      if (value === undefined) throw wrong("'value' must be there.");
      return { op, path: pointer("path"), value };
    }
    case "remove":
      return { op, path: pointer("path") };
    case "move":
    case "copy":
      return { op, path: pointer("path"), from: pointer("from") };
    default:
      throw wrong("'op' must be add, remove, replace, move, copy or test.");
  }
}

function apply(document: Document, operation: JsonOperation): void {
  const { path } = operation;
  switch (operation.op) {
    case "add":
      return add(document, path, nodeOf(operation.value));
    case "replace":
      return replace(document, path, nodeOf(operation.value));
    case "remove":
      return void take(document, path);
    case "test":
      if (isEqual(find(document, path), nodeOf(operation.value))) return;
      throw unprocessable("the test failed: the value is different.");
    case "copy":
      return add(document, path, closed(document, find(document, operation.from, "from")));
    case "move": {
      const { from } = operation;
      if (path.text.startsWith(`${from.text}/`)) throw unprocessable("a value cannot be moved into itself.");
      if (path.text === from.text) return void find(document, from, "from");
      return add(document, path, closed(document, take(document, from, "from")));
    }
  }
}

/** The value as bytes only: what was looked into must not nest deeper with every move. */
function closed({ budget }: Document, node: JsonNode): JsonNode {
  const bytes = bytesOf(node);
  spendPatchWork(budget, bytes.length);
  return nodeOf(bytes);
}

function find({ root }: Document, { text, tokens }: JsonPointer, name?: "from"): JsonNode {
  let node: JsonNode | undefined = root;
  for (const token of tokens) node = node && childAt(node, stepOf(node, token))?.value;
  if (node === undefined) throw nothingAt(text, name);
  return node;
}

function nothingAt(pointer: string, name: "from" | undefined): StokerError {
  return unprocessable(
    name === undefined ? "there is nothing at this path." : `there is nothing at ${shown(pointer)}.`,
  );
}

/** The parent of what a pointer points to, and the last step; the root has none. */
function place(document: Document, pointer: JsonPointer): { parent: JsonNode; token: string } | undefined {
  const token = pointer.tokens.at(-1);
  if (token === undefined) return undefined;
  const tokens = pointer.tokens.slice(0, -1);
  let parent: JsonNode;
  try {
    parent = find(document, { text: pointer.text, tokens });
  } catch {
    throw unprocessable("there is no object or array to hold it.");
  }
  if (kindOf(parent) === "scalar") throw unprocessable("there is no object or array to hold it.");
  return { parent, token };
}

function add(document: Document, pointer: JsonPointer, value: JsonNode): void {
  const found = place(document, pointer);
  if (found === undefined) {
    document.root = value;
    return;
  }
  const { parent, token } = found;
  if (kindOf(parent) === "object") return setMember(parent, token, value);
  const { length } = childrenOf(parent);
  const index = token === "-" ? length : indexOf(token);
  if (index === undefined) throw unprocessable("an array takes a number, or '-' for its end.");
  if (index > length) throw unprocessable(`the array has only ${length} items.`);
  insertItem(parent, index, value);
}

function replace(document: Document, pointer: JsonPointer, value: JsonNode): void {
  const found = place(document, pointer);
  if (found === undefined) {
    document.root = value;
    return;
  }
  const child = childAt(found.parent, stepOf(found.parent, found.token));
  if (child === undefined) throw nothingAt(pointer.text, undefined);
  child.value = value;
}

function take(document: Document, pointer: JsonPointer, name?: "from"): JsonNode {
  const node = find(document, pointer, name);
  const found = place(document, pointer);
  if (found === undefined) throw unprocessable("the resource itself can only be deleted by DELETE.");
  const step = stepOf(found.parent, found.token);
  if (typeof step === "number") removeItem(found.parent, step);
  else removeMember(found.parent, step);
  return node;
}

/** In an array a number (-1 for what is none), in anything else a name. */
function stepOf(node: JsonNode, token: string): string | number {
  return kindOf(node) === "array" ? (indexOf(token) ?? -1) : token;
}

function indexOf(token: string): number | undefined {
  return /^(?:0|[1-9]\d{0,14})$/.test(token) ? Number(token) : undefined;
}
