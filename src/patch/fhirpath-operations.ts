import { malformedPatch } from "./failure.ts";
import { childrenOf, isDeeperThan, kindOf, memberOf, nodeOf, type JsonNode } from "./json-document.ts";
import { MAX_PATCH_LEVELS, MAX_OPERATIONS } from "./limits.ts";

/** A value of a FHIRPath Patch: its JSON as bytes of the patch, so that decimals keep their digits. */
export type PatchValue =
  /** `value[x]`: the type as in the member's name (`HumanName`), and for primitives id and extensions (`_value[x]`). */
  | { kind: "value"; type: string; value: Buffer | undefined; sibling: Buffer | undefined }
  /** An element without a type of its own, member by member. */
  | { kind: "parts"; parts: readonly { name: string; value: PatchValue }[] }
  | { kind: "resource"; value: Buffer };

/** One operation of a FHIRPath Patch (http://hl7.org/fhir/R4/fhirpatch.html). */
export type PathOperation = { path: string } & (
  | { type: "add"; name: string; value: PatchValue }
  | { type: "insert"; index: number; value: PatchValue }
  | { type: "replace"; value: PatchValue }
  | { type: "delete" }
  | { type: "move"; source: number; destination: number }
);

/** A FHIRPath Patch that was read. Its paths are not looked at before it is applied. */
export interface FhirPathPatch {
  readonly operations: readonly PathOperation[];
}

const PARTS: ReadonlySet<string> = new Set(["type", "path", "name", "value", "index", "source", "destination"]);

/**
 * Reads a FHIRPath Patch from a `Parameters` resource that passed the structural check. Throws `bad-request` for what is none,
 * with the number of the operation, counted from 1, and the element.
 */
export function readFhirPathPatch(bytes: Buffer): FhirPathPatch {
  if (isDeeperThan(bytes, MAX_PATCH_LEVELS))
    throw malformedPatch(`A patch may have at most ${MAX_PATCH_LEVELS} levels.`);
  const parameters = itemsOf(nodeOf(bytes), "parameter");
  if (parameters.length > MAX_OPERATIONS)
    throw malformedPatch(`A patch may have at most ${MAX_OPERATIONS} operations.`);
  return { operations: parameters.map(readOperation) };
}

function readOperation(parameter: JsonNode, index: number): PathOperation {
  const wrong = (text: string): Error =>
    malformedPatch(`Operation ${index + 1}: ${text}`, `Parameters.parameter[${index}]`);
  if (textAt(parameter, "name") !== "operation") throw wrong("the parameter's name must be 'operation'.");
  const parts = new Map<string, JsonNode>();
  for (const part of itemsOf(parameter, "part")) {
    const name = textAt(part, "name") ?? "";
    if (!PARTS.has(name)) throw wrong(`a part must be one of ${[...PARTS].join(", ")}.`);
    if (parts.has(name)) throw wrong(`the part '${name}' occurs twice.`);
    parts.set(name, part);
  }
  const scalar = (name: string): unknown => {
    const part = parts.get(name);
    const value = part && valueOf(part);
    return value?.kind === "value" && value.value !== undefined ? JSON.parse(value.value.toString()) : undefined;
  };
  const text = (name: string): string => {
    const value = scalar(name);
    if (typeof value === "string" && value !== "") return value;
    throw wrong(`the part '${name}' must be there, with text.`);
  };
  const number = (name: string): number => {
    const value = scalar(name);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw wrong(`the part '${name}' must be there, with a whole number of 0 or more.`);
  };
  const value = (): PatchValue => {
    const part = parts.get("value");
    const found = part && valueOf(part);
    if (found !== undefined) return found;
    throw wrong("the part 'value' must be there, with a value, a resource or parts.");
  };
  const type = text("type");
  const path = text("path");
  switch (type) {
    case "add":
      return { type, path, name: text("name"), value: value() };
    case "insert":
      return { type, path, index: number("index"), value: value() };
    case "replace":
      return { type, path, value: value() };
    case "delete":
      return { type, path };
    case "move":
      return { type, path, source: number("source"), destination: number("destination") };
    default:
      throw wrong("'type' must be add, insert, delete, replace or move.");
  }
}

/** The value that a part has; undefined for a part without any. */
function valueOf(part: JsonNode): PatchValue | undefined {
  const resource = memberOf(part, "resource")?.value;
  if (resource !== undefined && kindOf(resource) === "object") return { kind: "resource", value: resource.bytes };
  for (const { name = "" } of childrenOf(part)) {
    const type = /^_?value([A-Z]\w*)$/.exec(name)?.[1];
    if (type === undefined) continue;
    const [value, sibling] = [`value${type}`, `_value${type}`].map((each) => present(memberOf(part, each)?.value));
    if (value !== undefined || sibling !== undefined) return { kind: "value", type, value, sibling };
  }
  const parts = itemsOf(part, "part");
  if (parts.length === 0) return undefined;
  return {
    kind: "parts",
    parts: parts.flatMap((each) => {
      const value = valueOf(each);
      return value === undefined ? [] : [{ name: textAt(each, "name") ?? "", value }];
    }),
  };
}

function present(node: JsonNode | undefined): Buffer | undefined {
  return node === undefined || node.bytes.equals(NULL) ? undefined : node.bytes;
}

const NULL = Buffer.from("null");

function itemsOf(node: JsonNode, name: string): JsonNode[] {
  const list = memberOf(node, name)?.value;
  return list === undefined || kindOf(list) !== "array" ? [] : childrenOf(list).map(({ value }) => value);
}

function textAt(node: JsonNode, name: string): string | undefined {
  const bytes = memberOf(node, name)?.value.bytes.toString();
  return bytes?.startsWith('"') === true ? (JSON.parse(bytes) as string) : undefined;
}
