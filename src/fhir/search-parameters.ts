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
  /** {@link SearchParameter.id} of the component's definition. */
  parameter: number;
  type: SearchParameterType;
  /** FHIRPath relative to the context element. */
  expression: string;
}

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
}
