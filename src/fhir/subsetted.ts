import { isObject, type JsonValue } from "../base/json.ts";

/** The tag of resources of which an answer or an export leaves out elements (http://hl7.org/fhir/R4/search.html#summary). */
export const SUBSETTED: { readonly system: string; readonly code: string } = {
  system: "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
  code: "SUBSETTED",
};

/** Whether a resource has the tag: it says of itself that it is not whole. */
export function isSubsetted(resource: JsonValue): boolean {
  const meta = isObject(resource) ? resource["meta"] : undefined;
  const tags = isObject(meta) ? meta["tag"] : undefined;
  if (!Array.isArray(tags)) return false;
  return tags.filter(isObject).some(({ system, code }) => code === SUBSETTED.code && system === SUBSETTED.system);
}
