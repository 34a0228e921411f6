import { StokerError } from "../../base/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../base/json.ts";
import { parseBoundedJson } from "../../fhir/json-limits.ts";

/** One entry of `Parameters.parameter` or of its `part`, reduced to what `$import` reads. */
export interface Parameter {
  readonly name: string;
  /** The string form of whichever `value[x]` it has; null without one or when the value is not a primitive. */
  readonly value: string | null;
  readonly parts: readonly Parameter[];
}

/**
 * Reads the body of a POST as a FHIR `Parameters` resource (contract 1.3, reading rules). Gives undefined when the text
 * is not JSON, not a Parameters resource, or not of its shape. Throws `bad-request` when it is too much (`fhir/json-limits.ts`).
 */
export function readParameters(body: string): readonly Parameter[] | undefined {
  let parsed: JsonValue;
  try {
    parsed = parseBoundedJson(body.charCodeAt(0) === 0xfeff ? body.slice(1) : body);
  } catch (error) {
    if (error instanceof StokerError) throw error;
    return undefined;
  }
  if (!isObject(parsed) || parsed["resourceType"] !== "Parameters") return undefined;
  return readList(parsed["parameter"]);
}

function readList(list: JsonValue | undefined): readonly Parameter[] | undefined {
  if (list === undefined) return [];
  if (!Array.isArray(list)) return undefined;
  const parameters: Parameter[] = [];
  for (const entry of list) {
    if (!isObject(entry) || typeof entry["name"] !== "string") return undefined;
    const parts = readList(entry["part"]);
    if (parts === undefined) return undefined;
    parameters.push({ name: entry["name"], value: valueOf(entry), parts });
  }
  return parameters;
}

function valueOf(entry: JsonObject): string | null {
  for (const [name, value] of Object.entries(entry)) {
    if (!/^value[A-Z]/.test(name)) continue;
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : null;
  }
  return null;
}
