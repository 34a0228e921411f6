import { elementsOf } from "../../fhir/parameter-elements.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import type { TokenValue } from "../criteria/criteria.ts";
import { malformed, type ValueContext } from "../criteria/value-context.ts";

/**
 * Refuses `system|code` where no value has a system (R4 search, table of 3.1.1.4.10): it would find nothing, whatever is
 * stored. R4 gives booleans a system that is never written. Throws `bad-request`.
 */
export function checkSystem(parameter: SearchParameter, value: TokenValue, context: ValueContext): TokenValue {
  const { system, code } = value;
  if (system === undefined || system === "") return value;
  const types = elementsOf(parameter).map(({ type }) => type);
  if (types.length === 0 || !types.every((type) => WITHOUT_SYSTEM.has(type))) return value;
  if (system === BOOLEAN_SYSTEM && code !== undefined && types.includes("boolean")) return { type: "token", code };
  const kinds = [...new Set(types)].toSorted().join(" and ");
  throw malformed(context, `values of type ${kinds} have no code system; leave out the part before the |`);
}

const BOOLEAN_SYSTEM = "http://hl7.org/fhir/special-values";

/** FHIR types of elements whose tokens are a code alone. */
const WITHOUT_SYSTEM: ReadonlySet<string> = new Set([
  "ContactPoint",
  "boolean",
  "string",
  "uri",
  "url",
  "canonical",
  "oid",
  "uuid",
  "id",
  "dateTime",
]);
