import type { JsonObject } from "../base/json.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { searchParametersOf } from "../fhir/search-parameters.ts";

/** What every resource type can do (http://hl7.org/fhir/R4/http.html). */
const INTERACTIONS = ["read", "vread", "update", "delete", "history-instance", "create", "search-type"];
/** Search parameters are fixed: resources that define some cannot be stored. */
const READ_ONLY: ReadonlySet<string> = new Set(["SearchParameter"]);
const WRITING: ReadonlySet<string> = new Set(["update", "create"]);

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
          searchParam: searchParametersOf(type)
            .filter((parameter) => parameter.type !== "special")
            .map((parameter) => ({ name: parameter.code, definition: parameter.url, type: parameter.type })),
        })),
        interaction: ["transaction", "batch", "search-system"].map((code) => ({ code })),
        operation: [
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
