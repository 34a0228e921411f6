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
    text: "types, with commas or several times; of patients and groups, types of the Patient compartment; of groups also Practitioner, Organization, Location and Medication, of which those come that the group's resources refer to",
  },
  {
    names: ["_since", "_until"],
    type: "instant",
    max: "1",
    text: "instants: only what was last updated after, and not after",
  },
  {
    names: ["_typeFilter"],
    type: "string",
    max: "*",
    text: "a search like `Observation?status=final`, its `&` and `=` URL-encoded; with commas or several times. Of several for one type one must match; types without a filter come whole. `_sort`, `_count`, `_include` and the like are a 400",
  },
  {
    names: ["_elements"],
    type: "string",
    max: "*",
    text: "`gender` or `Patient.gender`: elements of the first level; `id`, `meta` and mandatory elements stay, and the tag `SUBSETTED` is added",
  },
  {
    names: ["patient"],
    type: "Reference",
    max: "*",
    levels: ["patient", "group"],
    text: "of patients and groups: `Patient/[id]`, several times. One that is not stored, or is no member, is a 400",
  },
  {
    names: ["includeAssociatedData"],
    type: "code",
    max: "*",
    text: "`_history`: the versions that are not current, too. `_deleted`: deletions, too; of the system only, without `_typeFilter`",
  },
  {
    names: ["_outputFormat"],
    type: "string",
    max: "1",
    text: "`application/fhir+ndjson`, `application/ndjson` or `ndjson`; all mean the same",
  },
  {
    names: ["_container"],
    type: "string",
    max: "1",
    text: "container in the storage account, `fhirexport` unless given",
  },
];

/** The rows that exports of a level have. */
export function exportParametersOf(level: ExportRequest["level"]): readonly ExportParameterRow[] {
  return EXPORT_PARAMETERS.filter(({ levels }) => levels?.includes(level) ?? true);
}
