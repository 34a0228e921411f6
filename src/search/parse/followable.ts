import { StokerError } from "../../base/errors.ts";
import { elementsOf } from "../../fhir/parameter-elements.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";

/**
 * Refuses a chain over a parameter whose values are resources inside of the one that is searched (`Bundle?composition.title=…`):
 * a chain looks into stored resources, which may say something else. Throws `not-supported`. `name` is the parameter as in
 * the query.
 */
export function checkChain(parameter: SearchParameter, name: string): void {
  if (!elementsOf(parameter).some(({ type }) => type === "Resource")) return;
  const text = `'${name}': chains do not look into the resources inside of a Bundle.`;
  throw new StokerError("not-supported", `Search parameter ${text}`, { expression: name });
}
