import { StokerError } from "../base/errors.ts";
import { isObject, type JsonValue } from "../base/json.ts";
import { parseBoundedJson } from "./json-limits.ts";

/**
 * The parameters of an operation that may also be called by POST (http://hl7.org/fhir/R4/operations.html#executing): those of a
 * `Parameters` resource, as they would stand in a query string; of a Reference its text. None without a body. Throws
 * `bad-request`.
 */
export function operationParameters(body: unknown): [name: string, value: string][] {
  if (typeof body !== "string" || body.trim() === "") return [];
  const resource = parsed(body);
  if (!isObject(resource) || resource["resourceType"] !== "Parameters") {
    throw bad("The body of an operation must be a Parameters resource.", "Parameters");
  }
  const list = resource["parameter"] ?? [];
  if (!Array.isArray(list)) throw bad("Parameters.parameter must be an array.", "Parameters.parameter");
  return list.map((parameter): [string, string] => {
    const name = isObject(parameter) ? parameter["name"] : undefined;
    if (!isObject(parameter) || typeof name !== "string") {
      throw bad("Every parameter needs a name.", "Parameters.parameter.name");
    }
    const element = Object.entries(parameter).find(([member]) => member.startsWith("value"))?.[1];
    const value = isObject(element) ? element["reference"] : element;
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return [name, `${value}`];
    throw bad(`Parameter '${name.slice(0, 64)}' needs a value that is a primitive or a reference.`, name.slice(0, 64));
  });
}

function parsed(body: string): JsonValue {
  try {
    return parseBoundedJson(body);
  } catch (error) {
    if (error instanceof StokerError) throw error;
    throw bad("The body is not JSON.", "Parameters");
  }
}

function bad(text: string, expression: string): StokerError {
  return new StokerError("bad-request", text, { issue: "structure", expression });
}
