import { type Json } from "./full-server.ts";

const MARKER = "http://azurehealthcareapis.com/data-extensions/deleted-state";

interface LineCase {
  readonly row: string;
  /** The line: text as it is, anything else as JSON. */
  readonly line: unknown;
  /** Why it is refused; absent when it is loaded. */
  readonly refused?: { readonly code: string; readonly text: RegExp | string; readonly expression?: string };
  /** What is to be read after it was loaded; undefined members are not looked at. */
  readonly stored?: {
    readonly status?: number;
    readonly etag?: string;
    readonly body?: Json;
    readonly absent?: readonly string[];
  };
}

const future = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();
const badId = (shown: string): { code: string; text: string; expression: string } => ({
  code: "value",
  text:
    `Invalid resource id: '${shown}'. Id must be any combination of upper or lower case ASCII letters ('A'..'Z', and ` +
    "'a'..'z'), numerals ('0'..'9'), '-' and '.', with a length limit of 64 characters. (This might be an integer, an " +
    "un-prefixed OID, UUID, or any other identifier pattern that meets these constraints.)",
  expression: "Patient.id",
});
/** A patient. */
export const patient = (id: unknown, more: object = {}): object => ({ resourceType: "Patient", id, ...more });
const badJson = { code: "structure", text: /^Invalid Json encountered\. Details: ./ };
const marked = (id: string, url: string, value: object): object =>
  patient(id, { meta: { extension: [{ url, ...value }] } });
/** An observation with a conditional reference. */
export const conditional: object = {
  resourceType: "Observation",
  id: "c049",
  status: "final",
  code: { text: "x" },
  subject: { reference: "Patient?identifier=urn:x|1" },
};
/** A search parameter. */
export const searchParameter: object = {
  resourceType: "SearchParameter",
  id: "c023",
  url: "urn:x:sp",
  name: "x",
  status: "active",
  description: "d",
  code: "x",
  base: ["Patient"],
  type: "string",
  expression: "Patient.id",
};
const huge = {
  resourceType: "Observation",
  id: "c151",
  status: "final",
  code: { text: "x" },
  valueQuantity: { value: "NUMBER", unit: "g" },
};

const medicationRequest = { resourceType: "MedicationRequest", status: "active", intent: "order" };
const bundleOf = (id: string, resource: object): object => ({
  resourceType: "Bundle",
  id,
  type: "collection",
  entry: [{ resource }],
});
const MASKED = {
  extension: [{ url: "http://hl7.org/fhir/StructureDefinition/data-absent-reason", valueCode: "masked" }],
};

/** Lines, and what becomes of each. */
export const CASES: readonly LineCase[] = [
  { row: "C-001 a plain line", line: patient("c001"), stored: { status: 200, etag: 'W/"1"' } },
  { row: "C-007 no JSON", line: "invalid-row", refused: badJson },
  { row: "C-008 cut off", line: '{"resourceType":"Patient","id":"c008"', refused: badJson },
  { row: "C-009 no resourceType", line: { id: "c009" }, refused: { code: "structure", text: /resourceType/ } },
  {
    row: "C-010 unknown resourceType",
    line: { resourceType: "Spaceship", id: "c010" },
    refused: { code: "structure", text: /Spaceship/, expression: "resourceType" },
  },
  {
    row: "C-011 unknown element",
    line: patient("c011", { shoeSize: 43 }),
    refused: { code: "structure", text: /shoeSize/, expression: "Patient.shoeSize" },
  },
  {
    row: "C-012 bad code in a required binding",
    line: patient("c012", { gender: "robot" }),
    refused: { code: "code-invalid", text: /robot/, expression: "Patient.gender" },
  },
  {
    row: "C-013 bad primitive",
    line: patient("c013", { birthDate: "31/12/1999" }),
    refused: { code: "value", text: /31\/12\/1999/, expression: "Patient.birthDate" },
  },
  {
    row: "C-014 required elements missing",
    line: { resourceType: "Observation", id: "c014", valueString: "x" },
    stored: { status: 200, body: { valueString: "x" } },
  },
  {
    row: "C-015 null, empty text and empty object",
    line: patient("c015", { active: null, language: "", name: [{}], multipleBirthInteger: 2 }),
    stored: {
      status: 200,
      etag: 'W/"1"',
      body: { multipleBirthInteger: 2 },
      absent: ["active", "language", "name"],
    },
  },
  {
    row: "C-016 a number as versionId",
    line: patient("c016", { meta: { versionId: 4, lastUpdated: "2023-10-27T04:00:00Z" } }),
    stored: { status: 200, etag: 'W/"4"', body: { meta: { versionId: "4", lastUpdated: "2023-10-27T04:00:00Z" } } },
  },
  {
    row: "C-017 two resources on a line (D-01: refused)",
    line: '{"resourceType":"Patient","id":"c017a"}{"resourceType":"Patient","id":"c017b"}',
    refused: badJson,
  },
  { row: "C-019 an array", line: [patient("c019")], refused: { code: "structure", text: /array/ } },
  {
    row: "C-023 SearchParameter",
    line: searchParameter,
    refused: { code: "not-supported", text: "SearchParameter resources cannot be processed by import." },
  },
  {
    row: "C-026 a Bundle is an ordinary resource",
    line: { resourceType: "Bundle", id: "c026", type: "collection", entry: [{ resource: patient("c026p") }] },
    stored: { status: 200, body: { entry: [{ resource: patient("c026p") }] } },
  },
  {
    row: "C-026 Parameters",
    line: { resourceType: "Parameters", id: "c026", parameter: [{ name: "x", valueString: "y" }] },
    stored: { status: 200 },
  },
  {
    row: "C-026 Binary",
    line: { resourceType: "Binary", id: "c026", contentType: "text/plain", data: "eA==" },
    stored: { status: 200 },
  },
  { row: "C-026 Composition", line: { resourceType: "Composition", id: "c026", title: "x" }, stored: { status: 200 } },
  { row: "C-030 an id of 64 characters", line: patient("a".repeat(64)), stored: { status: 200 } },
  { row: "C-031 an id of 65", line: patient("a".repeat(65)), refused: badId("a".repeat(65)) },
  {
    row: "C-031 an id of two GUIDs",
    line: patient("8d1f3a5e-6a0a-4b51-9c2f-1f6f0d2e7b11".repeat(2)),
    refused: badId("8d1f3a5e-6a0a-4b51-9c2f-1f6f0d2e7b11".repeat(2)),
  },
  ...["abc.123.ABC", "0123456789abcdef0123456789ABCDEF", "8d1f3a5e-6a0a-4b51-9c2f-1f6f0d2e7b11"].map((id) => ({
    row: `C-032 id ${id}`,
    line: patient(id),
    stored: { status: 200 },
  })),
  ...["#x", "/x/", "a#b/c", "?a&b"].map((id) => ({
    row: `C-033 id ${id}`,
    line: patient(id),
    refused: badId(id),
  })),
  { row: "C-034 an empty id", line: patient(""), refused: badId("null or empty") },
  { row: "C-035 no id", line: patient(undefined), refused: badId("null or empty") },
  { row: "C-036 an underscore", line: patient("under_score"), refused: badId("under_score") },
  { row: "C-037 case matters", line: patient("Case-A", { language: "en" }), stored: { body: { language: "en" } } },
  { row: "C-037 case matters", line: patient("case-a", { language: "fr" }), stored: { body: { language: "fr" } } },
  { row: "C-038 not ASCII", line: patient("ümlaut"), refused: badId("ümlaut") },
  {
    row: "C-041 truncated to milliseconds",
    line: patient("c041", { meta: { lastUpdated: "2021-05-06T07:08:09.1239Z" } }),
    stored: { status: 200, etag: 'W/"1"' },
  },
  {
    row: "C-042 an offset",
    line: patient("c042", { meta: { lastUpdated: "2021-05-06T17:08:09+10:00" } }),
    stored: { status: 200, etag: 'W/"1"' },
  },
  {
    row: "C-043 a minute ahead",
    line: patient("c043", { meta: { lastUpdated: future(60) } }),
    refused: {
      code: "value",
      text: "LastUpdated in the resource cannot be in the future.",
      expression: "Patient.meta.lastUpdated",
    },
  },
  {
    row: "C-044 eight seconds ahead",
    line: () => patient("c044", { meta: { lastUpdated: future(8) } }),
    stored: { status: 200, etag: 'W/"1"' },
  },
  {
    row: "5.3 tag, profile, security and source are kept",
    line: patient("c05-3", {
      meta: {
        versionId: "3",
        lastUpdated: "2021-01-01T00:00:00Z",
        profile: ["urn:p"],
        source: "urn:s",
        tag: [{ code: "t" }],
        security: [{ code: "R" }],
      },
    }),
    stored: {
      body: { meta: { profile: ["urn:p"], source: "urn:s", tag: [{ code: "t" }], security: [{ code: "R" }] } },
    },
  },
  {
    row: "C-049 a conditional reference",
    line: conditional,
    stored: { status: 200, body: { subject: { reference: "Patient?identifier=urn:x|1" } } },
  },
  {
    row: "C-121 the marker's URL with another value",
    line: marked("c121a", MARKER, { valueString: "deleted" }),
    stored: { status: 200, body: { meta: { extension: [{ url: MARKER, valueString: "deleted" }] } } },
  },
  {
    row: "C-121 the URL in another case",
    line: marked("c121b", MARKER.toUpperCase(), { valueString: "soft-deleted" }),
    stored: {
      status: 200,
      body: { meta: { extension: [{ url: MARKER.toUpperCase(), valueString: "soft-deleted" }] } },
    },
  },
  {
    row: "C-122 the marker as valueCode",
    line: marked("c122", MARKER, { valueCode: "soft-deleted" }),
    stored: { status: 410, etag: 'W/"1"' },
  },
  {
    row: "C-151 a decimal too large for an index (D-15)",
    line: JSON.stringify(huge).replace('"NUMBER"', "1e30"),
    stored: { status: 200, body: { valueQuantity: { value: 1e30, unit: "g" } } },
  },
  {
    row: "R4 json.html#primitive: null as padding beside extensions",
    line: patient("masked", { name: [{ family: "X", given: [null], _given: [MASKED] }] }),
    stored: { status: 200, body: { name: [{ family: "X", given: [null], _given: [MASKED] }] } },
  },
  {
    row: "R4 json.html#primitive: null as padding on both sides",
    line: patient("half", { name: [{ given: [null, "B"], _given: [MASKED, null] }] }),
    stored: { status: 200, body: { name: [{ given: [null, "B"], _given: [MASKED, null] }] } },
  },
  {
    row: "an id of a contained resource",
    line: { ...medicationRequest, id: "nested-1", contained: [{ resourceType: "Medication", id: "#m1" }] },
    refused: { code: "value", text: /"#m1" is not a valid id/, expression: "MedicationRequest.contained[0].id" },
  },
  {
    row: "an id in a Bundle",
    line: bundleOf("nested-2", { resourceType: "Patient", id: "under_score" }),
    refused: { code: "value", text: /"under_score" is not a valid id/, expression: "Bundle.entry[0].resource.id" },
  },
  {
    row: "a number as versionId in a Bundle",
    line: bundleOf("nested-3", patient("x", { meta: { versionId: 5 } })),
    refused: {
      code: "structure",
      text: "Bundle.entry[0].resource.meta.versionId: expected a string, found a number.",
      expression: "Bundle.entry[0].resource.meta.versionId",
    },
  },
  {
    row: "C-016 an integer as versionId without a date",
    line: patient("version-1", { meta: { versionId: 5 } }),
    stored: { status: 200, etag: 'W/"1"' },
  },
  {
    row: "a fraction as versionId",
    line: patient("version-2", { meta: { versionId: 1.5, lastUpdated: "2021-01-01T00:00:00Z" } }),
    refused: {
      code: "value",
      text: /^Patient.meta.versionId: 1.5 is not a version/,
      expression: "Patient.meta.versionId",
    },
  },
  {
    row: "a versionId of another format",
    line: patient("version-3", { meta: { versionId: "a b_c" } }),
    refused: { code: "value", text: /"a b_c" is not a valid id/, expression: "Patient.meta.versionId" },
  },
  {
    row: "base64 that is cut off",
    line: { resourceType: "Binary", id: "base64", contentType: "text/plain", data: "QUJDR" },
    refused: { code: "value", text: /"QUJDR" is not a valid base64Binary/, expression: "Binary.data" },
  },
  {
    row: "an integer with a fraction",
    line: '{"resourceType":"Patient","id":"integer-1","multipleBirthInteger":1.0}',
    refused: { code: "value", text: /1\.0 is not a valid integer/, expression: "Patient.multipleBirthInteger" },
  },
  {
    row: "an integer with an exponent",
    line: '{"resourceType":"Claim","id":"integer-2","item":[{"sequence":1E1}]}',
    refused: { code: "value", text: /1E1 is not a valid positiveInt/, expression: "Claim.item[0].sequence" },
  },
];
