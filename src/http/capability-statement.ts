import type { JsonObject } from "../base/json.ts";
import { compartmentTypes } from "../fhir/compartments.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { SEARCH_PARAMETERS, searchParametersOf } from "../fhir/search-parameters.ts";
import {
  INTERACTIONS,
  OPERATIONS,
  PATCH_FORMATS,
  READ_ONLY,
  RESOURCE_FLAGS,
  SEARCH_FEATURES,
  SPECIAL_PARAMETERS,
  STORABLE_FLAGS,
  type OperationRow,
} from "./capabilities.ts";

/**
 * The CapabilityStatement of the server at this base, generated from the tables of R4 and from `capabilities.ts`. What
 * can be included is said by type (`Observation:*`), because all pairs of types and parameters would make half of it.
 */
export function capabilityStatement(version: string, baseUrl: string): JsonObject {
  return {
    resourceType: "CapabilityStatement",
    status: "active",
    date: "2026-11-22",
    kind: "instance",
    software: { name: "Stoker", version },
    implementation: { description: "Stoker", url: baseUrl },
    fhirVersion: "4.0.1",
    format: ["application/fhir+json", "json"],
    patchFormat: [...PATCH_FORMATS],
    rest: [
      {
        mode: "server",
        documentation: SEARCH_FEATURES.map(({ feature, text }) => `* ${feature}: ${text}`).join("\n"),
        resource: RESOURCE_TYPES.map((type) => resourceOf(type, baseUrl)),
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

function resourceOf(type: string, baseUrl: string): JsonObject {
  const isStorable = !READ_ONLY.has(type);
  const parameters = searchParametersOf(type);
  const operations = [...operationsOn("every type", baseUrl), ...operationsOn(type, baseUrl)];
  return {
    type,
    profile: `http://hl7.org/fhir/StructureDefinition/${type}`,
    interaction: INTERACTIONS.flatMap(({ type: code, stores }) =>
      code === undefined || (stores === true && !isStorable) ? [] : [{ code }],
    ),
    ...RESOURCE_FLAGS,
    ...(isStorable ? STORABLE_FLAGS : {}),
    searchInclude: [
      "*",
      `${type}:*`,
      ...parameters.filter((parameter) => parameter.type === "reference").map(({ code }) => `${type}:${code}`),
    ],
    searchRevInclude: [...(REFERRING.get(type) ?? [])].map((source) => `${source}:*`),
    searchParam: parameters
      .filter((parameter) => parameter.type !== "special")
      .map((parameter) => ({ name: parameter.code, definition: parameter.url, type: parameter.type })),
    ...(operations.length > 0 && { operation: operations }),
  };
}

function operationsOn(place: string, baseUrl: string): JsonObject[] {
  return OPERATIONS.filter(({ on }) => (typeof on === "string" ? on === place : on.includes(place))).map(
    ({ name, definition }: OperationRow) => ({
      name,
      definition: definition.startsWith("/") ? `${baseUrl}${definition}` : definition,
    }),
  );
}

/** By type, the types that may refer to it. */
const REFERRING: ReadonlyMap<string, ReadonlySet<string>> = referringTypes();

function referringTypes(): ReadonlyMap<string, ReadonlySet<string>> {
  const byTarget = new Map<string, Set<string>>(RESOURCE_TYPES.map((type) => [type, new Set<string>()]));
  for (const { type, base, target } of SEARCH_PARAMETERS) {
    if (type !== "reference") continue;
    for (const each of target) for (const source of base) byTarget.get(each)?.add(source);
  }
  return byTarget;
}
