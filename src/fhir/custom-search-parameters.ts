import { StokerError } from "../base/errors.ts";
import type { ExtractionTrees } from "./extraction-tree.ts";
import { RESOURCE_TYPES } from "./resource-types.ts";
import {
  concreteTypes,
  searchParameter,
  searchParametersOf,
  type CompositeComponent,
  type SearchParameter,
} from "./search-parameters.ts";

/** A component of a custom composite. Its type and targets are those of its definition when it was read. */
export interface DefinedComponent extends CompositeComponent {
  /** Canonical of its definition, as written. */
  definition: string;
}

/** What a SearchParameter resource defines; also the form in which it is stored. `target`: empty for any type. */
export interface ParameterDefinition extends Pick<
  SearchParameter,
  "url" | "code" | "type" | "base" | "target" | "expression" | "composite"
> {
  /** Version of the definition, where it has one. */
  version?: string;
  /** Composites only. */
  components?: readonly DefinedComponent[] | undefined;
}

/** A search parameter that a stored SearchParameter resource defines. Its id is 10001 or more. */
export interface CustomSearchParameter extends SearchParameter {
  readonly components: readonly DefinedComponent[];
  readonly version?: string;
  /** Id of the SearchParameter resource. */
  readonly resourceId: string;
  /** Whether everything stored is indexed by it; until then it cannot be searched by. */
  readonly isEnabled: boolean;
  /** By resource type, the elements that its expression selects. */
  readonly trees: ExtractionTrees;
}

/** How search parameters are found by name: R4's, and custom ones. */
export interface SearchParameterLookup {
  /**
   * The parameter called `code` of a resource type, undefined when it has none; `type` may be `Resource`. Throws
   * `not-supported` for one that is not enabled yet: left out, it would widen the answer.
   */
  find(type: string, code: string): SearchParameter | undefined;
  /** The stored definition that the name `code` of a resource type stands for, enabled or not; R4's are left out. */
  readonly definedBy: (type: string, code: string) => CustomSearchParameter | undefined;
  /** All parameters of a type that can be searched by. */
  readonly of: (type: string) => readonly SearchParameter[];
}

/** R4's search parameters, which every server has. */
export const R4_SEARCH_PARAMETERS: SearchParameterLookup = {
  find: searchParameter,
  definedBy: () => undefined,
  of: searchParametersOf,
};

/** The lookup of R4's parameters and these. */
export function lookupOf(custom: readonly CustomSearchParameter[]): SearchParameterLookup {
  if (custom.length === 0) return R4_SEARCH_PARAMETERS;
  const byType = new Map(
    ["Resource", ...RESOURCE_TYPES].map((type) => [type, new Map<string, CustomSearchParameter>()]),
  );
  for (const parameter of custom) {
    for (const base of parameter.base) {
      for (const type of concreteTypes(base)) byType.get(type)?.set(parameter.code, parameter);
    }
  }
  return {
    find(type, code) {
      const known = searchParameter(type, code) ?? byType.get(type)?.get(code);
      if (known !== undefined && isCustom(known) && !known.isEnabled) throw notEnabled(type, code);
      return known;
    },
    definedBy: (type, code) => byType.get(type)?.get(code),
    of: (type) => [
      ...searchParametersOf(type),
      ...[...(byType.get(type)?.values() ?? [])].filter(({ isEnabled }) => isEnabled),
    ],
  };
}

/** Whether a parameter is one that a stored SearchParameter resource defines. */
export function isCustom(parameter: SearchParameter): parameter is CustomSearchParameter {
  return "resourceId" in parameter;
}

function notEnabled(type: string, code: string): StokerError {
  return new StokerError(
    "not-supported",
    `Search parameter '${code}' of ${type} is defined, but stored resources are not indexed by it yet: POST $reindex, and wait until it is completed.`,
    { expression: code },
  );
}
