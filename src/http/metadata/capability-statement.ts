import type { JsonObject } from "../../base/json.ts";
import { compartmentTypes } from "../../fhir/compartments.ts";
import type { SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import { UNSUPPORTED_FILTERS } from "../../search/parse/filter-name.ts";
import {
  INTERACTIONS,
  OPERATIONS,
  PATCH_FORMATS,
  RESOURCE_FLAGS,
  SEARCH_FEATURES,
  SPECIAL_PARAMETERS,
  type OperationRow,
} from "./capabilities.ts";

/** What the statement of a server depends on. */
export interface CapabilityFacts {
  readonly version: string;
  readonly baseUrl: string;
  readonly lookup: SearchParameterLookup;
  /** As many resources one conditional delete may remove. */
  readonly conditionalDeletes: number;
}

/**
 * The CapabilityStatement of the server at this base, generated from the tables of R4, the search parameters that there
 * are beyond R4's, and `capabilities.ts`. What
 * can be included is said by type (`Observation:*`), because all pairs of types and parameters would make half of it.
 */
export function capabilityStatement(facts: CapabilityFacts): JsonObject {
  const { version, baseUrl, lookup } = facts;
  const referring = referringTypes(lookup);
  return {
    resourceType: "CapabilityStatement",
    status: "active",
    date: "2026-11-22",
    kind: "instance",
    instantiates: ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
    software: { name: "Stoker", version },
    implementation: { description: "Stoker", url: baseUrl },
    fhirVersion: "4.0.1",
    format: ["application/fhir+json", "json"],
    patchFormat: [...PATCH_FORMATS],
    rest: [
      {
        mode: "server",
        documentation: SEARCH_FEATURES.map(({ feature, text }) => `* ${feature}: ${text}`).join("\n"),
        resource: RESOURCE_TYPES.map((type) => resourceOf(type, facts, referring.get(type))),
        interaction: INTERACTIONS.flatMap(({ system }) => (system === undefined ? [] : [{ code: system }])),
        searchParam: SPECIAL_PARAMETERS.map(({ name, text }) => ({ name, type: "special", documentation: text })),
        operation: operationsOn("server", baseUrl),
        compartment: compartmentTypes().map(
          (type) => `http://hl7.org/fhir/CompartmentDefinition/${type.charAt(0).toLowerCase()}${type.slice(1)}`,
        ),
      },
    ],
  };
}

function resourceOf(
  type: string,
  { baseUrl, lookup, conditionalDeletes }: CapabilityFacts,
  referring: Iterable<string> | undefined,
): JsonObject {
  const parameters = lookup.of(type);
  const operations = [...operationsOn("every type", baseUrl), ...operationsOn(type, baseUrl)];
  return {
    type,
    profile: `http://hl7.org/fhir/StructureDefinition/${type}`,
    interaction: INTERACTIONS.flatMap(({ type: code }) => (code === undefined ? [] : [{ code }])),
    ...RESOURCE_FLAGS,
    conditionalDelete: conditionalDeletes > 1 ? "multiple" : "single",
    searchInclude: [
      "*",
      `${type}:*`,
      ...parameters.filter((parameter) => parameter.type === "reference").map(({ code }) => `${type}:${code}`),
    ],
    searchRevInclude: [...(referring ?? [])].map((source) => `${source}:*`),
    searchParam: parameters
      .filter(({ code }) => !UNSUPPORTED_FILTERS.has(code))
      .filter((parameter) => parameter.type !== "special" || parameter.code === "near")
      .map((parameter) => ({
        name: parameter.code,
        ...(parameter.url !== "" && { definition: parameter.url }),
        type: parameter.type,
      })),
    ...(operations.length > 0 && { operation: operations }),
  };
}

function operationsOn(place: string, baseUrl: string): JsonObject[] {
  return OPERATIONS.filter(({ on }) => (typeof on === "string" ? on === place : on.includes(place))).map(
    ({ name, definition, own }: OperationRow) => {
      if (typeof definition === "string") {
        return { name, definition: definition.startsWith("/") ? `${baseUrl}${definition}` : definition };
      }
      const url = definition[place] ?? "";
      const path = own?.[place];
      const documentation = path === undefined ? {} : { documentation: `Supported subset: ${baseUrl}${path}` };
      return { name: url.slice(url.lastIndexOf("/") + 1), definition: url, ...documentation };
    },
  );
}

/** By type, the types that may refer to it. */
function referringTypes(lookup: SearchParameterLookup): ReadonlyMap<string, ReadonlySet<string>> {
  const byTarget = new Map<string, Set<string>>(RESOURCE_TYPES.map((type) => [type, new Set<string>()]));
  for (const source of RESOURCE_TYPES) {
    for (const parameter of lookup.of(source)) {
      if (parameter.type !== "reference") continue;
      for (const each of parameter.target) byTarget.get(each)?.add(source);
    }
  }
  return byTarget;
}
