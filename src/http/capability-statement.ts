import type { JsonObject } from "../base/json.ts";
import { compartmentTypes } from "../fhir/compartments.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { SEARCH_PARAMETERS, searchParametersOf } from "../fhir/search-parameters.ts";

/** What every resource type can do (http://hl7.org/fhir/R4/http.html). */
const INTERACTIONS = ["read", "vread", "update", "delete", "history-instance", "create", "search-type"];
/** Search parameters are fixed: resources that define some cannot be stored. */
const READ_ONLY: ReadonlySet<string> = new Set(["SearchParameter"]);
const WRITING: ReadonlySet<string> = new Set(["update", "create"]);

/** What the search understands beside the parameters themselves. */
const SEARCH = [
  "Modifiers: :missing for all; token :not, :text, :of-type; string :exact, :contains; uri :above, :below;",
  "reference :[type], :identifier. Prefixes eq, ne, lt, gt, le, ge, sa, eb, ap for date, number and quantity.",
  "Chains and _has up to 8 references deep. _sort by _id, _lastUpdated and parameters of type date, number, quantity,",
  "string and uri, several at once. _include and _revinclude with :iterate and Type:*. _summary, _elements, _count,",
  "_total (none, estimate, accurate). Names that mean nothing are warnings in the answer,",
  "and errors with Prefer: handling=strict; anything else of FHIR is refused.",
].join(" ");

/** By type, the reference parameters that can point to it. */
const REFERENCES_TO: ReadonlyMap<string, string[]> = referencesTo();

function referencesTo(): ReadonlyMap<string, string[]> {
  const byTarget = new Map<string, string[]>(RESOURCE_TYPES.map((type) => [type, []]));
  for (const { type, base, target, code } of SEARCH_PARAMETERS) {
    if (type !== "reference") continue;
    for (const each of target) byTarget.get(each)?.push(...base.map((source) => `${source}:${code}`));
  }
  return byTarget;
}

/**
 * The CapabilityStatement of the server, generated from the tables of R4: every resource type with its search
 * parameters. `implementation` is the caller's to add.
 */
export function capabilityStatement(version: string): JsonObject {
  return {
    resourceType: "CapabilityStatement",
    status: "active",
    date: "2026-11-22",
    kind: "instance",
    software: { name: "Stoker", version },
    fhirVersion: "4.0.1",
    format: ["application/fhir+json", "json"],
    rest: [
      {
        mode: "server",
        resource: RESOURCE_TYPES.map((type) => ({
          type,
          profile: `http://hl7.org/fhir/StructureDefinition/${type}`,
          interaction: INTERACTIONS.filter((code) => !READ_ONLY.has(type) || !WRITING.has(code)).map((code) => ({
            code,
          })),
          versioning: "versioned-update",
          readHistory: true,
          updateCreate: !READ_ONLY.has(type),
          conditionalCreate: !READ_ONLY.has(type),
          conditionalRead: "full-support",
          conditionalUpdate: !READ_ONLY.has(type),
          conditionalDelete: "single",
          searchInclude: searchParametersOf(type)
            .filter((parameter) => parameter.type === "reference")
            .map((parameter) => `${type}:${parameter.code}`),
          searchRevInclude: REFERENCES_TO.get(type) ?? [],
          searchParam: searchParametersOf(type)
            .filter((parameter) => parameter.type !== "special")
            .map((parameter) => ({ name: parameter.code, definition: parameter.url, type: parameter.type })),
        })),
        documentation: SEARCH,
        searchParam: [
          { name: "_has", type: "special", documentation: "Reverse chaining, nested up to 8 deep." },
          { name: "_list", type: "special", documentation: "Members of a stored List." },
        ],
        compartment: compartmentTypes().map(
          (type) => `http://hl7.org/fhir/CompartmentDefinition/${type.charAt(0).toLowerCase()}${type.slice(1)}`,
        ),
        interaction: ["transaction", "batch", "search-system"].map((code) => ({ code })),
        operation: [
          {
            name: "everything",
            definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
            documentation: "GET [base]/Patient/[id]/$everything with _since, _type and _count.",
          },
          {
            name: "import",
            definition: "https://learn.microsoft.com/azure/healthcare-apis/fhir/import-data",
            documentation: "Bulk import of NDJSON: POST [base]/$import with `Prefer: respond-async`.",
          },
        ],
      },
    ],
  };
}
