import type { JsonObject } from "../../base/json.ts";
import type { ExportRequest } from "../../export/request.ts";
import { exportParametersOf } from "./export-parameters.ts";

/** A parameter that goes in. */
interface InRow {
  readonly name: string;
  /** A data type; without one it has parts. */
  readonly type?: string;
  readonly min?: 0 | 1;
  readonly max?: "1" | "*";
  readonly text: string;
  readonly parts?: readonly InRow[];
}

interface OwnDefinition {
  /** The operation, without the `$`. */
  readonly code: string;
  /** For programs; the code with a capital letter, unless given. */
  readonly name?: string;
  /** Canonical URL of the published definition of which it says what is here. */
  readonly base?: string;
  readonly title: string;
  readonly description: string;
  readonly affectsState: boolean;
  /** The published definition that it follows. */
  readonly comment?: string;
  readonly resource?: readonly string[];
  readonly system: boolean;
  readonly type: boolean;
  readonly instance: boolean;
  readonly parameters: readonly InRow[];
}

const IMPORT: OwnDefinition = {
  code: "import",
  title: "Bulk import of NDJSON",
  description:
    "Loads NDJSON files with one resource per line. Asynchronous: answers 202 with a Content-Location for the status.",
  affectsState: true,
  comment: "POST with `Prefer: respond-async`. The wire format is that of $import in Azure Health Data Services.",
  system: true,
  type: false,
  instance: false,
  parameters: [
    { name: "inputFormat", type: "code", min: 1, text: "application/fhir+ndjson, the only supported format." },
    { name: "mode", type: "code", text: "IncrementalLoad (the default) or InitialLoad." },
    {
      name: "input",
      min: 1,
      max: "*",
      text: "A file.",
      parts: [
        { name: "url", type: "uri", min: 1, text: "Where it is." },
        { name: "type", type: "code", text: "The resource type of all lines." },
        { name: "etag", type: "string", text: "The ETag that the file must have when the import starts." },
      ],
    },
    {
      name: "allowNegativeVersions",
      type: "boolean",
      text: "Lines that are older than stored versions and find no free number get negative versions.",
    },
    { name: "errorContainerName", type: "string", text: "Container for the error logs of Azure inputs." },
    {
      name: "processingUnitBytesToRead",
      type: "integer",
      text: "Size, in bytes, of the units in which files are processed.",
    },
    { name: "force", type: "boolean", text: "Allows InitialLoad on a server that is not in initial-import mode." },
    { name: "inputSource", type: "uri", text: "Not used." },
    {
      name: "storageDetail",
      text: "Where the files are.",
      parts: [{ name: "type", type: "code", text: "azure-blob, the only value." }],
    },
    { name: "eventualConsistency", type: "boolean", text: "Accepted, but has no effect." },
  ],
};

const REINDEX: OwnDefinition = {
  code: "reindex",
  title: "Indexing by custom search parameters",
  description:
    "Indexes stored resources by SearchParameter resources that were written later, and then enables those. Asynchronous: answers 202 with a Content-Location for the status.",
  affectsState: true,
  system: true,
  type: false,
  instance: false,
  parameters: [],
};

/** The definitions of Bulk Data Access. */
const BULK_DATA = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition";

/** An export as it is here: the published definition has parameters that are not, and not all that are. */
function exportOf(
  level: ExportRequest["level"],
  title: string,
  place: Pick<OwnDefinition, "name" | "base" | "resource" | "system" | "type" | "instance">,
): OwnDefinition {
  return {
    code: "export",
    title,
    description: "Writes resources to NDJSON files. Asynchronous: answers 202 with a Content-Location for the status.",
    affectsState: false,
    comment:
      "GET, or POST with a Parameters resource, and `Prefer: respond-async`. Only these parameters are supported; `_until` and `_container` are extensions to Bulk Data Access 2.0.",
    ...place,
    parameters: exportParametersOf(level).flatMap(({ names, type, max, text }) =>
      names.map((name) => ({ name, type, max, text })),
    ),
  };
}

/** Operations as they are here, by the id of their OperationDefinition. */
const OWN: ReadonlyMap<string, OwnDefinition> = new Map([
  ["stoker-import", IMPORT],
  ["stoker-reindex", REINDEX],
  [
    "stoker-export",
    exportOf("system", "Export of the system", {
      base: `${BULK_DATA}/export`,
      system: true,
      type: false,
      instance: false,
    }),
  ],
  [
    "stoker-patient-export",
    exportOf("patient", "Export of all patients", {
      name: "PatientExport",
      base: `${BULK_DATA}/patient-export`,
      resource: ["Patient"],
      system: false,
      type: true,
      instance: false,
    }),
  ],
  [
    "stoker-group-export",
    exportOf("group", "Export of a group of patients", {
      name: "GroupExport",
      base: `${BULK_DATA}/group-export`,
      resource: ["Group"],
      system: false,
      type: false,
      instance: true,
    }),
  ],
]);

/** The OperationDefinition that this server at this base has by itself; undefined when there is none of the id. */
export function operationDefinition(id: string, baseUrl: string): JsonObject | undefined {
  const own = OWN.get(id);
  if (own === undefined) return undefined;
  const { code, name, title, description, affectsState, comment, base, resource, system, type, instance } = own;
  return {
    resourceType: "OperationDefinition",
    id,
    url: `${baseUrl}/OperationDefinition/${id}`,
    name: name ?? code.charAt(0).toUpperCase() + code.slice(1),
    title,
    status: "active",
    kind: "operation",
    description,
    affectsState,
    code,
    ...(comment !== undefined && { comment }),
    ...(base !== undefined && { base }),
    ...(resource !== undefined && { resource: [...resource] }),
    system,
    type,
    instance,
    ...(own.parameters.length > 0 && { parameter: own.parameters.map(parameterOf) }),
  };
}

function parameterOf({ name, type, min, max, text, parts }: InRow): JsonObject {
  return {
    name,
    use: "in",
    min: min ?? 0,
    max: max ?? "1",
    documentation: text,
    ...(type !== undefined && { type }),
    ...(parts !== undefined && { part: parts.map(parameterOf) }),
  };
}
