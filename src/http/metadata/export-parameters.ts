import type { ExportRequest } from "../../export/request.ts";

/** A row of the export page's table of parameters; the OperationDefinitions of exports are made from it, too. */
interface ExportParameterRow {
  /** Parameters of the same type and meaning. */
  readonly names: readonly string[];
  readonly type: "string" | "instant" | "Reference" | "code";
  readonly max: "1" | "*";
  /** Levels that have it; all, where nothing is said. */
  readonly levels?: readonly ExportRequest["level"][];
  readonly text: string;
}

/** What a kick-off of an export may say; `export/request.ts` reads it. */
export const EXPORT_PARAMETERS: readonly ExportParameterRow[] = [
  {
    names: ["_type"],
    type: "string",
    max: "*",
    text: "resource types, separated by commas or in repeated parameters. For patients and groups, types of the Patient compartment. For groups also Practitioner, Organization, Location and Medication: those that the group's resources refer to",
  },
  {
    names: ["_since", "_until"],
    type: "instant",
    max: "1",
    text: "instants: only resources last updated after `_since`, and not after `_until`",
  },
  {
    names: ["_typeFilter"],
    type: "string",
    max: "*",
    text: "a search such as `Observation?status=final`, URL-encoded. Separate several with commas or repeat the parameter. A resource is exported if any filter for its type matches; types without a filter are exported in full. `_sort`, `_count`, `_include` and the like are a 400",
  },
  {
    names: ["_elements"],
    type: "string",
    max: "*",
    text: "`gender` or `Patient.gender`: top-level elements. `id`, `meta` and mandatory elements are always included, and the tag `SUBSETTED` is added",
  },
  {
    names: ["patient"],
    type: "Reference",
    max: "*",
    levels: ["patient", "group"],
    text: "for patients and groups: `Patient/[id]`, may be repeated. A patient who is not stored, or not a member, is a 400",
  },
  {
    names: ["includeAssociatedData"],
    type: "code",
    max: "*",
    text: "`_history` adds versions that are not current. `_deleted` adds deletions; only for the system, and without `_typeFilter`",
  },
  {
    names: ["_outputFormat"],
    type: "string",
    max: "1",
    text: "`application/fhir+ndjson`, `application/ndjson` or `ndjson`, which all mean the same",
  },
  {
    names: ["_container"],
    type: "string",
    max: "1",
    text: "container in the storage account, by default `fhirexport`",
  },
];

/** The rows that exports of a level have. */
export function exportParametersOf(level: ExportRequest["level"]): readonly ExportParameterRow[] {
  return EXPORT_PARAMETERS.filter(({ levels }) => levels?.includes(level) ?? true);
}
