import { isObject, type JsonValue } from "../base/json.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import type { ValueCheck } from "./walk.ts";
import type { Walk } from "./walk.ts";

/**
 * The check of a Reference that also counts references which lead nowhere: conditional ones (`Type?query`), and `urn:uuid:` and
 * `urn:oid:` ones, by form and target type. An import keeps both as they are. What a Bundle refers to within itself is not
 * counted. `check` is the check of the structure; it sees whether
 * there is anything to count ({@link mayLeadNowhere}).
 */
export function referenceCheck(check: ValueCheck): ValueCheck {
  return (value, walk, depth) => {
    if (!check(value, walk, depth)) return false;
    if (!walk.mayLeadNowhere) return true;
    const reference = isObject(value) ? value["reference"] : undefined;
    if (typeof reference === "string") count(walk, reference, (value as { type?: JsonValue }).type);
    return true;
  };
}

/** Whether a reference begins as a `urn:` does, or has the `?` of a conditional one. */
export function mayLeadNowhere(reference: string): boolean {
  return reference.charCodeAt(0) === LOWER_U || reference.includes("?");
}

function count(walk: Walk, reference: string, type: JsonValue | undefined): void {
  const isConditional = walk.conditionalReference && reference.includes("?");
  if (!isConditional && !(reference.charCodeAt(0) === LOWER_U && /^urn:(?:uuid|oid):/.test(reference))) return;
  if (walk.root === "Bundle") return;
  const named = isConditional ? typeOfConditional(reference) : type;
  const target = typeof named === "string" && resourceTypeId(named) !== undefined ? ` ${named}` : "";
  const key = `${isConditional ? "conditional" : "urn"}${target}`;
  walk.leftReferences ??= new Map();
  walk.leftReferences.set(key, (walk.leftReferences.get(key) ?? 0) + 1);
}

/** What stands between the last slash and the question mark. */
function typeOfConditional(reference: string): string {
  const end = reference.indexOf("?");
  return reference.slice(reference.lastIndexOf("/", end) + 1, end);
}

const LOWER_U = 117;
