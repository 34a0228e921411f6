import { readGenerated } from "./generated.ts";
import { RESOURCE_TYPES } from "./resource-types.ts";

/**
 * R4's search parameters, from `generated/search-parameters.json` (made by `tools/` from HL7's definitions).
 */

/** The search parameter types of FHIR that R4's definitions use. */
export type SearchParameterType =
  | "token"
  | "string"
  | "date"
  | "reference"
  | "uri"
  | "number"
  | "quantity"
  | "composite"
  | "special";

/** One component of a composite: another search parameter, evaluated from the composite's context element. */
export interface CompositeComponent {
  /** {@link SearchParameter.id} of the component's definition; absent in composites that are not R4's. */
  parameter?: number;
  type: SearchParameterType;
  /** As {@link SearchParameter.target}. */
  target: readonly string[];
  /** FHIRPath relative to the context element. */
  expression: string;
}

/**
 * How one context of a composite parameter is answered for one resource type.
 *
 * `root`: the context is the resource itself, so nothing is stored for the composite; it is the AND of the plain
 * parameters named here, one per component and in the components' order.
 *
 * `element`: the components must meet in one element. The values stored for composite `values` answer it (mostly the
 * composite itself; `combo-…` share those of `component-…`); `search-value.ts` says what those values are.
 */
export type CompositeContext =
  | { context: "root"; parameters: readonly number[] }
  | { context: "element"; values: number };

/**
 * What stands for the values of a parameter that stores none: those of other parameters taken together, or those of
 * another reference parameter that refer to one type.
 */
export type DerivedValues = { union: readonly number[] } | { of: number; targetType: string };

/** One search parameter of R4. */
export interface SearchParameter {
  /** Small stable number: part of every stored value of the parameter. Never reused, never renumbered. */
  id: number;
  /** Canonical URL of the definition. */
  url: string;
  /** The name in a query: `birthdate`. */
  code: string;
  type: SearchParameterType;
  /** Resource types it applies to; `Resource` parameters (`_id`, `_tag` …) are listed under every type. */
  base: readonly string[];
  /** Types a reference parameter may point to; empty for other types. */
  target: readonly string[];
  expression: string;
  components: readonly CompositeComponent[];
  /** Composites only, by resource type: a resource matches when any of these contexts does. */
  composite?: Readonly<Record<string, readonly CompositeContext[]>>;
  /** By resource type; for types that are not here the parameter's own values are stored. */
  derived?: Readonly<Record<string, DerivedValues>>;
}

/** All of R4's search parameters, sorted by URL; {@link SearchParameter.id} is the place in this list, from 1. */
export const SEARCH_PARAMETERS: readonly SearchParameter[] = readGenerated<SearchParameter[]>("search-parameters.json");

/** Resource types that are no DomainResource: `_text` does not apply to them. */
const NOT_DOMAIN_RESOURCES: ReadonlySet<string> = new Set(["Binary", "Bundle", "Parameters"]);

const BY_TYPE: ReadonlyMap<string, ReadonlyMap<string, SearchParameter>> = parametersByType();

/**
 * The search parameters of a resource type by name, those of Resource and DomainResource included. `type` may be
 * `Resource`: the parameters that every type has. Empty when R4 has no such type.
 */
export function searchParametersOf(type: string): readonly SearchParameter[] {
  return [...(BY_TYPE.get(type)?.values() ?? [])];
}

/** The parameter called `code` of a resource type, undefined when it has none; `type` as above. */
export function searchParameter(type: string, code: string): SearchParameter | undefined {
  return BY_TYPE.get(type)?.get(code);
}

/** The parameter with this id, undefined when none has it. */
export function searchParameterById(id: number): SearchParameter | undefined {
  return SEARCH_PARAMETERS[id - 1];
}

/** The parameter with this canonical URL, undefined when none has it. */
export function searchParameterByUrl(url: string): SearchParameter | undefined {
  return SEARCH_PARAMETERS.find((parameter) => parameter.url === url);
}

function parametersByType(): ReadonlyMap<string, ReadonlyMap<string, SearchParameter>> {
  const byType = new Map(["Resource", ...RESOURCE_TYPES].map((type) => [type, new Map<string, SearchParameter>()]));
  for (const parameter of SEARCH_PARAMETERS) {
    for (const base of parameter.base) {
      for (const type of concreteTypes(base)) byType.get(type)?.set(parameter.code, parameter);
    }
  }
  return byType;
}

/** The resource types that a `base` stands for: all of them, or nearly, for `Resource` and `DomainResource`. */
export function concreteTypes(base: string): readonly string[] {
  if (base === "Resource") return ["Resource", ...RESOURCE_TYPES];
  if (base === "DomainResource") return RESOURCE_TYPES.filter((type) => !NOT_DOMAIN_RESOURCES.has(type));
  return [base];
}
