import { StokerError } from "../../base/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../base/json.ts";
import { isArrayAt, isObjectAt, itemsAt, membersAt } from "../../fhir/json-bytes.ts";

/** What a `$validate` asks for. */
export interface ValidateRequest {
  mode: "create" | "update" | "delete" | "profile" | undefined;
  /** Canonical URL of a profile. */
  profile: string | undefined;
  /** The resource; undefined when the body has none. */
  resource: JsonValue | undefined;
}

/**
 * Reads a `$validate` (http://hl7.org/fhir/R4/resource-operation-validate.html): a resource, or a Parameters with
 * `resource`, `mode` and `profile`, the last two also in the query. `body` is undefined when there is none. Throws
 * `bad-request` on parameters that make no sense.
 */
export function readValidateRequest(
  type: string,
  body: JsonValue | undefined,
  query: readonly (readonly [string, string])[],
): ValidateRequest {
  const values = new Map<string, string>();
  const take = (name: string, value: unknown): void => {
    if (name !== "mode" && name !== "profile") throw bad(`Parameter '${name.slice(0, 64)}' is not known.`, name);
    if (typeof value !== "string" || value === "") throw bad(`${name}: a value is expected.`, name);
    if (values.has(name)) throw bad(`${name}: occurs more than once.`, name);
    values.set(name, value);
  };
  for (const [name, value] of query) if (!GENERAL.has(name)) take(name, value);
  let resource = body;
  if (isParametersOfOperation(type, body)) {
    resource = undefined;
    for (const item of listOf(body["parameter"])) {
      const name = item["name"];
      if (name === "resource") {
        if (resource !== undefined) throw bad("resource: occurs more than once.", "resource");
        resource = item["resource"];
      } else {
        if (typeof name !== "string") throw bad("parameter: every parameter needs a name.", "parameter");
        take(name, item["valueCode"] ?? item["valueUri"] ?? item["valueCanonical"] ?? item["valueString"]);
      }
    }
  }
  const mode = values.get("mode");
  if (mode !== undefined && mode !== "create" && mode !== "update" && mode !== "delete" && mode !== "profile") {
    throw bad("mode: must be create, update, delete or profile.", "mode");
  }
  return { mode, profile: values.get("profile"), resource };
}

/** The text of the resource in the Parameters of an operation, as it stands there; undefined when it has none. */
export function resourceText(parameters: Buffer): string | undefined {
  const list = membersAt(parameters, 0).findLast(({ name }) => name === "parameter");
  if (list === undefined || !isArrayAt(parameters, list.valueStart)) return undefined;
  for (const item of itemsAt(parameters, list.valueStart)) {
    if (!isObjectAt(parameters, item.start)) continue;
    const resource = membersAt(parameters, item.start).findLast(({ name }) => name === "resource");
    if (resource !== undefined) return parameters.toString("utf8", resource.valueStart, resource.end);
  }
  return undefined;
}

/** Result parameters that have nothing to do with validation. */
const GENERAL: ReadonlySet<string> = new Set(["_format", "_pretty"]);

/** A Parameters that is sent to be validated itself has none called `resource`. */
function isParametersOfOperation(type: string, body: JsonValue | undefined): body is JsonObject {
  if (!isObject(body) || body["resourceType"] !== "Parameters") return false;
  return type !== "Parameters" || listOf(body["parameter"]).some(({ name }) => name === "resource");
}

function listOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function bad(text: string, expression: string): StokerError {
  return new StokerError("bad-request", text, { expression });
}
