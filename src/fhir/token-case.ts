import { foldCode } from "./fold-text.ts";
import { elementsOf, storedElements, type ParameterElement } from "./parameter-elements.ts";
import type { SearchParameter } from "./search-parameters.ts";

/** The code system of media types, which are compared without regard to case (RFC 2045). */
export const MEDIA_TYPES = "urn:ietf:bcp:13";

/** How tokens are stored: as they are written, or without regard to case (`caselessCode`). */
export type TokenCase = "written" | "folded";

/** The ways in which tokens are stored under a number; of parameters that are not R4's, both. */
export function tokenCases(parameter: number): readonly TokenCase[] {
  const found = known.get(parameter);
  if (found !== undefined) return found;
  const elements = storedElements(parameter);
  if (elements === undefined) return BOTH;
  const cases = [...new Set(elements.map(tokenCase))];
  known.set(parameter, cases);
  return cases;
}

/**
 * How the tokens of an element are stored. Without regard to case: strings (R4 search, 3.1.1.4.10), to which a ContactPoint's value
 * belongs, and media types.
 */
export function tokenCase({ type, system }: ParameterElement): TokenCase {
  return type === "string" || type === "ContactPoint" || system === MEDIA_TYPES ? "folded" : "written";
}

/** A code of a system as it is compared. */
export function codeOf(system: string, code: string): string {
  return system === MEDIA_TYPES ? foldCode(code) : code;
}

const BOTH: readonly TokenCase[] = ["written", "folded"];
const known = new Map<number, readonly TokenCase[]>();

/** Whether the codes of a token parameter are media types. */
export function hasMediaTypes(parameter: SearchParameter): boolean {
  return elementsOf(parameter).some(({ system }) => system === MEDIA_TYPES);
}
