import { StokerError } from "../../base/errors.ts";
import { elementsOf } from "../../fhir/parameter-elements.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";

/** FHIR types of elements that refer to what may be any number of resources, by a URL that these have. */
const BY_URL: ReadonlySet<string> = new Set(["canonical", "uri"]);

/**
 * Refuses a chain, a `_has` or an include over a reference parameter all of whose elements are canonical URLs: the store
 * does not know which resources they mean, and an answer without these would say that there are none. Throws
 * `not-supported`. `name` is the parameter as in the query.
 */
export function checkFollowable(parameter: SearchParameter, name: string): void {
  if (isFollowable(parameter)) return;
  const text = `'${name}': '${parameter.code}' refers by canonical URL, and such references can be searched for, but not followed.`;
  throw new StokerError("not-supported", `Search parameter ${text}`, { expression: name });
}

/** Whether {@link checkFollowable} lets a reference parameter pass. */
export function isFollowable(parameter: SearchParameter): boolean {
  const types = elementsOf(parameter).map(({ type }) => type);
  return types.length === 0 || !types.every((type) => BY_URL.has(type));
}

/**
 * Refuses a chain over a parameter whose values are resources inside of the one that is searched (`Bundle?composition.title=…`):
 * a chain looks into stored resources, which may say something else. Throws `not-supported`.
 */
export function checkChain(parameter: SearchParameter, name: string): void {
  checkFollowable(parameter, name);
  if (
    !elementsOf(parameter)
      .map(({ type }) => type)
      .includes("Resource")
  )
    return;
  const text = `'${name}': chains do not look into the resources inside of a Bundle.`;
  throw new StokerError("not-supported", `Search parameter ${text}`, { expression: name });
}
