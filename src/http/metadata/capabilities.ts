import { MODIFIERS } from "../../search/parse/query.ts";

/**
 * What the server can do, once: `GET /fhir/metadata` and the tables of docs/api.md are made from these tables. After a
 * change, `UPDATE_DOCS=1 npx vitest run src/http/metadata/capabilities.test.ts` writes the page; without it the test compares.
 */

/** A row of the API page's table of interactions. Texts are Markdown without `|`. */
export interface InteractionRow {
  readonly name: string;
  readonly request: string;
  readonly answers: string;
  /** What the CapabilityStatement calls it on every resource type (code system `restful-interaction`). */
  readonly type?: string;
  /** What the CapabilityStatement calls it on the whole server. */
  readonly system?: string;
}

/** RESTful interactions (http://hl7.org/fhir/R4/http.html), in the order of the page. */
export const INTERACTIONS: readonly InteractionRow[] = [
  {
    name: "read",
    request: "`GET [type]/[id]`",
    answers: "200, 304, 404, 410 when deleted",
    type: "read",
  },
  {
    name: "vread",
    request: "`GET [type]/[id]/_history/[vid]`",
    answers: "200, 304, 404, 410 when that version is a deletion",
    type: "vread",
  },
  {
    name: "history",
    request: "`GET [type]/[id]/_history`",
    answers: "200, 404. `_count`, `_since`, `_at`",
    type: "history-instance",
  },
  {
    name: "history of a type",
    request: "`GET [type]/_history`",
    answers: "200. `_count`, `_since`, `_at`, `_total`",
    type: "history-type",
  },
  {
    name: "history of the system",
    request: "`GET _history`",
    answers: "200. `_count`, `_since`, `_at`, `_type`, `_total`",
    system: "history-system",
  },
  {
    name: "search",
    request: "`GET [type]?…`, `POST [type]/_search`, `GET ?…`, `GET Patient/[id]/[type]?…`",
    answers: "200, see below",
    type: "search-type",
    system: "search-system",
  },
  {
    name: "create",
    request: "`POST [type]`",
    answers: "201. The server chooses the id",
    type: "create",
  },
  {
    name: "conditional create",
    request: "`POST [type]` with `If-None-Exist: criteria`",
    answers: "201 without a match, 200 with one, 412 with several",
  },
  {
    name: "update",
    request: "`PUT [type]/[id]`",
    answers: "200, or 201 when it did not exist or was deleted",
    type: "update",
  },
  {
    name: "conditional update",
    request: "`PUT [type]?criteria`",
    answers:
      "as update; 201 without a match, 412 with several, 409 when nothing matches and the body's id is taken, 400 when the match has a different id",
  },
  {
    name: "patch",
    request: "`PATCH [type]/[id]`",
    answers: "200, 404, 410 when deleted, 415, 422 when it cannot be applied; see below",
    type: "patch",
  },
  {
    name: "conditional patch",
    request: "`PATCH [type]?criteria`",
    answers: "as patch; 404 without a match, 412 with several",
  },
  {
    name: "delete",
    request: "`DELETE [type]/[id]`",
    answers: "204, also when it was deleted already or never existed",
    type: "delete",
  },
  {
    name: "conditional delete",
    request: "`DELETE [type]?criteria`",
    answers: "204, also without a match; 412 with several, unless `STOKER_CONDITIONAL_DELETE_MULTIPLE` allows them",
  },
  {
    name: "hard delete",
    request: "`DELETE [type]/[id]?hardDelete=true`",
    answers: "204; leaves no trace, see below",
  },
  {
    name: "batch",
    request: "`POST /` with a Bundle of type `batch`",
    answers: "200, each entry with its own status",
    system: "batch",
  },
  {
    name: "transaction",
    request: "`POST /` with a Bundle of type `transaction`",
    answers: "200, or the error of the first entry that failed; then nothing is written",
    system: "transaction",
  },
  {
    name: "capabilities",
    request: "`GET metadata`",
    answers: "200, 304",
  },
];

/** A row of the API page's table of operations. */
export interface OperationRow {
  /** Without the `$`. */
  readonly name: string;
  /** Where it can be called: on the server, on all types, or on several of these, or types. */
  readonly on: "server" | "every type" | readonly string[];
  /**
   * Canonical URL of its definition; a path like `/OperationDefinition/stoker-x` is one that this server serves itself. By
   * the place where there is a definition for each; there, it goes by the definition's name.
   */
  readonly definition: string | Readonly<Record<string, string>>;
  /** By the same places, paths of definitions that say what of the others is here: clients look for those of the others. */
  readonly own?: Readonly<Record<string, string>>;
  readonly request: string;
  readonly answers: string;
}

/** The operations of Bulk Data Access. */
const BULK_DATA = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition";

/** Operations, in the order of the page. */
export const OPERATIONS: readonly OperationRow[] = [
  {
    name: "import",
    on: "server",
    definition: "/OperationDefinition/stoker-import",
    request: "`POST $import`",
    answers: "202; [import.md](import.md) explains it",
  },
  {
    name: "reindex",
    on: "server",
    definition: "/OperationDefinition/stoker-reindex",
    request: "`POST $reindex`",
    answers: "202; see below",
  },
  {
    name: "export",
    on: ["server", "Patient", "Group"],
    definition: {
      server: `${BULK_DATA}/export`,
      Patient: `${BULK_DATA}/patient-export`,
      Group: `${BULK_DATA}/group-export`,
    },
    own: {
      server: "/OperationDefinition/stoker-export",
      Patient: "/OperationDefinition/stoker-patient-export",
      Group: "/OperationDefinition/stoker-group-export",
    },
    request: "`GET $export`, `POST $export`, and both of `Patient/$export` and `Group/[id]/$export`",
    answers: "202; [export.md](export.md) explains it",
  },
  {
    name: "validate",
    on: "every type",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
    request: "`POST [type]/$validate`, `POST [type]/[id]/$validate`, `GET [type]/[id]/$validate`",
    answers: "200 with all problems, 400 when a profile is requested, 404, 410",
  },
  {
    name: "meta",
    on: ["server", "every type"],
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta",
    request:
      "`GET [type]/[id]/$meta`, `POST [type]/[id]/$meta`, `GET [type]/$meta`, `POST [type]/$meta`, `GET $meta`, `POST $meta`",
    answers: "200, 404, 410; see below",
  },
  {
    name: "meta-add",
    on: "every type",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta-add",
    request: "`POST [type]/[id]/$meta-add`",
    answers: "200, 404, 410, 412; see below",
  },
  {
    name: "meta-delete",
    on: "every type",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta-delete",
    request: "`POST [type]/[id]/$meta-delete`",
    answers: "200, 404, 410, 412; see below",
  },
  {
    name: "everything",
    on: ["Patient"],
    definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
    request:
      "`GET Patient/[id]/$everything`, `POST Patient/[id]/$everything`, `GET Patient/$everything`, `POST Patient/$everything`",
    answers: "200, 404, 410. `_since`, `_type`, `_count`, `start`, `end`",
  },
];

/** What holds for every resource type; how many a conditional delete removes is a setting. */
export const RESOURCE_FLAGS = {
  versioning: "versioned-update",
  readHistory: true,
  updateCreate: true,
  conditionalCreate: true,
  conditionalRead: "full-support",
  conditionalUpdate: true,
} as const;

/** A row of the API page's table of search features; the CapabilityStatement's documentation has them, too. */
export interface SearchRow {
  readonly feature: string;
  readonly text: string;
}

/** What a search supports besides the parameters themselves. */
export const SEARCH_FEATURES: readonly SearchRow[] = [
  {
    feature: "where",
    text: "`GET [type]?…`, `POST [type]/_search`, all types `GET ?…` with `_type` and `_type:not`, compartments (below)",
  },
  { feature: "prefixes", text: "`eq ne lt gt le ge sa eb ap` for date, number and quantity" },
  { feature: "modifiers", text: modifiersText() },
  {
    feature: "chains",
    text: "`subject:Patient.name=peter`; without a type (`subject.identifier=…`), through all types that the reference may point to and that have the parameter",
  },
  {
    feature: "`_has`",
    text: "`_has:Observation:patient:code=1234-5`; chains and `_has` may contain each other, up to 32 references deep",
  },
  {
    feature: "`_list`",
    text: "members of a stored List: `_list=42`. Operational lists (`$current-…`) are not supported",
  },
  {
    feature: "`_text`, `_content`",
    text: 'words of the narrative, or of the whole resource: `_text=lung cancer`, `_content="lung cancer"`, together with parameters that find at most 10,000 resources (below)',
  },
  {
    feature: "`_sort`",
    text: "up to 8 of `_id`, `_lastUpdated` and parameters of any type except composite; `-` for descending",
  },
  {
    feature: "`_include`, `_revinclude`",
    text: "`Type:parameter`, `Type:parameter:TargetType`, `Type:*`, for `_include` also `*`; each with `:iterate`",
  },
  { feature: "`_summary`", text: "`true`, `text`, `data`, `count`, `false`" },
  {
    feature: "`_elements`",
    text: "names of top-level elements; `value` stands for all choices such as `valueQuantity`",
  },
  {
    feature: "`_count`, `_total`",
    text: "up to 1000 entries, 10 by default; `none`, `estimate`, `accurate`. By default there is a total if all matches are on the page",
  },
];

/** Search parameters that no type defines. */
export const SPECIAL_PARAMETERS: readonly { readonly name: string; readonly text: string }[] = [
  { name: "_has", text: "Reverse chaining, nested up to 32 deep." },
  { name: "_list", text: "Members of a stored List." },
];

/** Parts of R4 that this server does not support, and why. */
export const MISSING: readonly { readonly feature: string; readonly why: string }[] = [
  {
    feature: "custom search parameters of type special, and expressions beyond those of R4's own parameters",
    why: "parameters of type `special` have no computable expression; 400 when they are defined",
  },
  {
    feature: "profiles, invariants, mandatory elements",
    why: "`$validate` and all writes check the structure of R4 only; a requested profile is a 400",
  },
  { feature: "XML Patch", why: "the store holds JSON; 415" },
  { feature: "XML, Turtle", why: "the store holds JSON, byte for byte; 406" },
  {
    feature: "`_filter`, `_query`",
    why: "not implemented; 400, because ignoring them would widen the result",
  },
  {
    feature: "value sets and code systems that are not stored, filters such as `regex`",
    why: "`:in`, `:not-in`, `:above` and `:below` do not use a terminology server; 400",
  },
  {
    feature: "`_contained`, `_containedType`, `_score`",
    why: "not implemented; ignored, with a warning in the Bundle",
  },
  {
    feature: "operations in Bundles, except `$meta`, `$validate` in a batch, and `GET` of `$everything`",
    why: "background operations need a request of their own; 400 in the entry",
  },
  { feature: "other operations (`$expand`, `$lookup` …)", why: "not implemented; 404 or 405" },
  { feature: "subscriptions, GraphQL, documents, messages", why: "not implemented" },
  {
    feature: "chains into resources inside a Bundle",
    why: "chains only follow stored and contained resources; 400",
  },
  {
    feature: "`:above` and `:below` of references, except `:below` of canonical ones",
    why: "hierarchies of resources are not followed; 400",
  },
];

function modifiersText(): string {
  const byType = Object.entries(MODIFIERS).map(([type, modifiers]) => {
    const own = modifiers.map((modifier) => `\`:${modifier}\``);
    return `${type} ${(type === "reference" ? ["`:[type]`", ...own] : own).join(", ")}`;
  });
  return ["`:missing` for all", ...byType].join("; ");
}

/** Media types of patches: JSON Patch, JSON Merge Patch, and FHIRPath Patch as a `Parameters` resource. */
export const PATCH_FORMATS: readonly string[] = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/fhir+json",
];
