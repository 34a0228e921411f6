import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  errorLog,
  openFullServer,
  type FullServer,
  type Json,
  type LoggedError,
  type Outcome,
} from "../support/full-server.ts";

/** Contract 5.1 to 5.3 and 5.6, about single lines: one import of one file for each mode, one line for each row. */

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server?.close());

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
const patient = (id: unknown, more: object = {}): object => ({ resourceType: "Patient", id, ...more });
const badJson = { code: "structure", text: /^Invalid Json encountered\. Details: ./ };
const marked = (id: string, url: string, value: object): object =>
  patient(id, { meta: { extension: [{ url, ...value }] } });
const conditional = {
  resourceType: "Observation",
  id: "c049",
  status: "final",
  code: { text: "x" },
  subject: { reference: "Patient?identifier=urn:x|1" },
};
const searchParameter = {
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

const CASES: readonly LineCase[] = [
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

const textOf = (line: unknown): string =>
  typeof line === "string" ? line : JSON.stringify(typeof line === "function" ? (line as () => unknown)() : line);

describe("one line each (IncrementalLoad)", () => {
  let outcome: Outcome;
  let errors: LoggedError[];
  let lines: string[];
  beforeAll(async () => {
    lines = CASES.map(({ line }) => textOf(line));
    const url = await server.file("lines.ndjson", lines.map((line) => `${line}\n`).join(""));
    outcome = await server.load({ inputs: [url] });
    errors = await errorLog(outcome);
  });

  test("every line is loaded or refused (6.3, D-06)", () => {
    const refused = CASES.filter((one) => one.refused !== undefined).length;
    expect(outcome.status).toBe(200);
    expect(outcome.body.output[0].count).toBe(CASES.length - refused);
    expect(errors).toHaveLength(refused);
    expect(errors.map(({ line }) => line)).toEqual(errors.map(({ line }) => line).toSorted((a, b) => a - b));
  });

  test.each(CASES.map((one, index) => ({ ...one, number: index + 1 })))("$row", async (one) => {
    const error = errors.find(({ line }) => line === one.number);
    if (one.refused !== undefined) {
      expect(error).toMatchObject({ code: one.refused.code, expression: one.refused.expression });
      if (typeof one.refused.text === "string") expect(error?.text).toBe(one.refused.text);
      else expect(error?.text).toMatch(one.refused.text);
      const before = lines.slice(0, one.number - 1).join("\n");
      expect(error?.offset).toBe(one.number === 1 ? 0 : Buffer.byteLength(before) + 1);
      return;
    }
    expect(error).toBeUndefined();
    const { resourceType, id } = JSON.parse(lines[one.number - 1] ?? "");
    const read = await server.get(`${resourceType}/${id}`);
    const body: Json = await read.json();
    if (one.stored?.status !== undefined) expect(read.status).toBe(one.stored.status);
    if (one.stored?.etag !== undefined) expect(read.headers.get("etag")).toBe(one.stored.etag);
    for (const name of one.stored?.absent ?? []) expect(body).not.toHaveProperty(name);
    if (one.stored?.body !== undefined) expect(body).toMatchObject(expectInstants(body, one.stored.body));
    const found = await server.search(`${resourceType}?_id=${id}`);
    expect(found).toEqual(read.status === 200 ? [`${resourceType}/${id}`] : []);
  });

  test("C-001: version 1, with the server's time", async () => {
    const { meta } = await server.json("Patient/c001");
    expect(meta.versionId).toBe("1");
    expect(Math.abs(Date.parse(meta.lastUpdated) - Date.now())).toBeLessThan(600_000);
  });

  test("C-017, C-026, C-043: neither refused lines nor entries of a Bundle are resources", async () => {
    expect(await server.search("Patient?_id=c017a,c017b,c019,c026p,c043")).toEqual([]);
  });

  test("C-041, C-042: to the millisecond, the offset kept", async () => {
    expect((await server.json("Patient/c041")).meta.lastUpdated).toBe("2021-05-06T07:08:09.123Z");
    expect((await server.json("Patient/c042")).meta.lastUpdated).toBe("2021-05-06T17:08:09+10:00");
    expect(await server.search("Patient?_lastUpdated=2021-05-06T07:08:09.123Z")).toEqual(["Patient/c041"]);
    expect(await server.search("Patient?_lastUpdated=2021-05-06T07:08:09Z")).toContain("Patient/c042");
  });

  test("C-042: the same instant with another offset is the same version", async () => {
    const again = patient("c042", { meta: { lastUpdated: "2021-05-06T07:08:09Z" } });
    const url = await server.file("c042.ndjson", JSON.stringify(again));
    const outcome = await server.load({ inputs: [url] });
    expect(outcome.body).toMatchObject({ output: [{ count: 1 }], error: [], stoker: { unchanged: 1 } });
    const history = await server.json("Patient/c042/_history");
    expect(history.total).toBe(1);
    expect(history.entry[0].resource.meta.lastUpdated).toBe("2021-05-06T17:08:09+10:00");
  });

  test("C-122: the deletion is the history's only entry", async () => {
    const { entry } = await server.json("Patient/c122/_history");
    expect(entry).toMatchObject([{ request: { method: "DELETE" }, response: { status: "204", etag: 'W/"1"' } }]);
  });

  test("C-151, D-15: found as a very large number", async () => {
    expect(await server.search("Observation?value-quantity=gt1000000")).toEqual(["Observation/c151"]);
  });
});

/** A stored `meta` may be written in another form: instants are compared as such. */
function expectInstants(body: Json, expected: Json): Json {
  const wanted = expected.meta?.lastUpdated as string | undefined;
  if (wanted === undefined) return expected;
  expect(Date.parse(body.meta.lastUpdated)).toBe(Date.parse(wanted));
  return { ...expected, meta: { ...expected.meta, lastUpdated: body.meta.lastUpdated } };
}

describe("InitialLoad", () => {
  test("C-023, C-049, C-135, C-136: what the mode changes", async () => {
    const lines = [
      searchParameter,
      { ...conditional, id: "initial-049" },
      { ...conditional, id: "initial-049b", subject: undefined, contained: [{ ...conditional, id: "c" }] },
      patient("initial-135", { meta: { versionId: "9", lastUpdated: "2999-01-01T00:00:00Z" } }),
      { resourceType: "Observation", id: "initial-135", status: "final" },
    ];
    const url = await server.file("initial.ndjson", lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const outcome = await server.load({ inputs: [url], mode: "InitialLoad" });
    expect(outcome.body.output).toEqual([{ type: null, count: 2, inputUrl: url }]);
    expect((await errorLog(outcome)).map(({ line, code, text }) => ({ line, code, text }))).toEqual([
      { line: 1, code: "not-supported", text: "SearchParameter resources cannot be processed by import." },
      ...[2, 3].map((line) => ({
        line,
        code: "not-supported",
        text: "Conditional reference is not supported for $import in InitialLoad.",
      })),
    ]);
    const { meta } = await server.json("Patient/initial-135");
    expect(meta.versionId).toBe("1");
    expect(Date.parse(meta.lastUpdated)).toBeLessThanOrEqual(Date.now());
    expect(await server.search("Observation?_id=initial-135")).toEqual(["Observation/initial-135"]);
  });
});

describe("one file each, in one import", () => {
  const one = (id: string): string => JSON.stringify(patient(id));
  const large = JSON.stringify({
    resourceType: "Binary",
    id: "c020",
    contentType: "text/plain",
    data: Buffer.alloc(11_250_000, "stoker").toString("base64"),
  });
  const compressed = gzipSync(`${one("c028")}\n`);
  const badIds = ["#x", "a b", "under_score", "x/y", "ü"];
  const FILES: readonly {
    row: string;
    name: string;
    type?: string;
    content: string | Uint8Array;
    loaded: number;
    errors: readonly { line: number; text: RegExp }[];
    found: readonly string[];
  }[] = [
    {
      row: "C-002 no final line end",
      name: "c002",
      content: `${one("c002a")}\n${one("c002b")}`,
      loaded: 2,
      errors: [],
      found: ["c002a", "c002b"],
    },
    {
      row: "C-003 CRLF",
      name: "c003",
      content: `${one("c003a")}\r\noops\r\n${one("c003b")}\r\n`,
      loaded: 2,
      errors: [{ line: 2, text: /^Invalid Json/ }],
      found: ["c003a", "c003b"],
    },
    {
      row: "C-004 an empty line (D-06: line 3)",
      name: "c004",
      content: `${one("c004")}\n\noops\n`,
      loaded: 1,
      errors: [{ line: 3, text: /^Invalid Json/ }],
      found: ["c004"],
    },
    {
      row: "C-005 blank lines (D-08)",
      name: "c005",
      content: `   \n\t\n \r\n${one("c005")}\n  `,
      loaded: 1,
      errors: [],
      found: ["c005"],
    },
    {
      row: "C-006 byte order mark",
      name: "c006",
      content: `\u{FEFF}${one("c006")}\n`,
      loaded: 1,
      errors: [],
      found: ["c006"],
    },
    {
      row: "C-007, L-001 the third of four lines is bad",
      name: "c007",
      content: `${one("c007a")}\n${one("c007b")}\ninvalid-row\n${one("c007c")}\n`,
      loaded: 3,
      errors: [{ line: 3, text: /^Invalid Json encountered\. Details: / }],
      found: ["c007a", "c007b", "c007c"],
    },
    {
      row: "C-018 CR alone is no line end (D-01: refused)",
      name: "c018",
      content: `${one("c018a")}\r${one("c018b")}\r`,
      loaded: 0,
      errors: [{ line: 1, text: /^Invalid Json/ }],
      found: [],
    },
    { row: "C-020 a line of 15 MB", name: "c020", content: `${large}\n`, loaded: 1, errors: [], found: [] },
    {
      row: "C-021 another type than declared",
      name: "c021",
      type: "Observation",
      content: [1, 2, 3, 4].map((n) => `${one(`c021-${String(n)}`)}\n`).join(""),
      loaded: 0,
      errors: [1, 2, 3, 4].map((line) => ({ line, text: /^Resource type not match\.$/ })),
      found: [],
    },
    {
      row: "C-022 two types in a file",
      name: "c022",
      content: `${one("c022")}\n${JSON.stringify({ resourceType: "Observation", id: "c022" })}\n`,
      loaded: 2,
      errors: [],
      found: ["c022"],
    },
    { row: "C-024 an empty file", name: "c024", content: "", loaded: 0, errors: [], found: [] },
    {
      row: "C-025 only invalid lines",
      name: "c025",
      content: "a\nb\nc",
      loaded: 0,
      errors: [1, 2, 3].map((line) => ({ line, text: /^Invalid Json/ })),
      found: [],
    },
    {
      row: "C-027 declared Parameters",
      name: "c027a",
      type: "Parameters",
      content: `${JSON.stringify({ resourceType: "Parameters", id: "c027" })}\n`,
      loaded: 1,
      errors: [],
      found: [],
    },
    {
      row: "C-027 declared OperationOutcome",
      name: "c027b",
      type: "OperationOutcome",
      content: `${JSON.stringify({ resourceType: "OperationOutcome", id: "c027" })}\n`,
      loaded: 1,
      errors: [],
      found: [],
    },
    {
      row: "C-028 compressed",
      name: "c028",
      content: compressed,
      loaded: 0,
      errors: [
        { line: 1, text: /^The file is compressed with gzip: unpack it \(gunzip\) and import what is in it\.$/ },
      ],
      found: [],
    },
    {
      row: "a Bundle over several lines",
      name: "bundle",
      content: JSON.stringify({ resourceType: "Bundle", entry: [{ resource: patient("b") }] }, undefined, 2),
      loaded: 0,
      errors: [{ line: 1, text: /^The file is one Bundle over several lines, not NDJSON/ }],
      found: [],
    },
    {
      row: "a Bundle without an id as the only line",
      name: "lone-bundle",
      content: `${JSON.stringify({ resourceType: "Bundle", type: "transaction", entry: [] })}\n`,
      loaded: 0,
      errors: [{ line: 1, text: /^The file is one Bundle on one line, not NDJSON, and it has no id/ }],
      found: [],
    },
    {
      row: "an array",
      name: "array",
      content: `[\n${one("array-1")},\n${one("array-2")}\n]\n`,
      loaded: 0,
      errors: [{ line: 1, text: /^The file is a JSON array, not NDJSON/ }],
      found: [],
    },
    {
      row: "a table",
      name: "table",
      content: "id,family\n1,Ada\n2,Grace\n",
      loaded: 0,
      errors: [{ line: 1, text: /^The file is a table of text \(CSV\), not NDJSON/ }],
      found: [],
    },
    {
      row: "a byte order mark inside a file",
      name: "mark",
      content: `${one("mark-1")}\n\ufeff${one("mark-2")}\n`,
      loaded: 1,
      errors: [{ line: 2, text: /unexpected byte order mark \(U\+FEFF\) at character 1, expected a value/ }],
      found: ["mark-1"],
    },
    {
      row: "C-039 good and bad ids mixed",
      name: "c039",
      content: badIds.map((id, n) => `${one(id)}\n${one(`c039-${String(n)}`)}\n`).join(""),
      loaded: 5,
      errors: badIds.map((id, n) => ({
        line: 2 * n + 1,
        text: new RegExp(`^Invalid resource id: '${id}'\\.`),
      })),
      found: [0, 1, 2, 3, 4].map((n) => `c039-${String(n)}`),
    },
    {
      row: "L-003 a declared type and no errors",
      name: "l003",
      type: "Patient",
      content: `${one("l003")}\n`,
      loaded: 1,
      errors: [],
      found: ["l003"],
    },
    {
      row: "L-004 bad JSON, a duplicate and a conflict (D-06: in file order)",
      name: "l004",
      content: [
        one("l004a"),
        JSON.stringify(patient("l004b", { meta: { versionId: "-1", lastUpdated: "2021-01-01T00:00:00Z" } })),
        one("l004a"),
        "oops",
      ].join("\n"),
      loaded: 1,
      errors: [
        { line: 2, text: /^Failed to import resource with version conflict, resource id: l004b, line: 2$/ },
        { line: 3, text: /^Failed to import duplicate resource, resource id: l004a, line: 3$/ },
        { line: 4, text: /^Invalid Json/ },
      ],
      found: ["l004a"],
    },
  ];

  let outcome: Outcome;
  let detailed: Json;
  const urls = new Map<string, string>();
  beforeAll(async () => {
    for (const { name, content } of FILES) urls.set(name, await server.file(`${name}.ndjson`, content));
    outcome = await server.load({
      inputs: FILES.map(({ name, type }) => ({ url: urls.get(name) ?? "", ...(type === undefined ? {} : { type }) })),
    });
    detailed = await server.json(`${outcome.location}?_details=true`);
  });

  test.each(FILES)("$row", async ({ name, type, loaded, errors, found }) => {
    const url = urls.get(name) ?? "";
    expect(outcome.status).toBe(200);
    expect(outcome.body.output).toContainEqual({ type: type ?? null, count: loaded, inputUrl: url });
    const entry = outcome.body.error.find((entry: Json) => entry.inputUrl === url);
    if (errors.length === 0) {
      expect(entry).toBeUndefined();
    } else {
      expect(entry).toMatchObject({ type: "OperationOutcome", count: errors.length });
      expect(entry.url).toMatch(new RegExp(`/errors/${type ?? ""}\\d+_\\d+\\.ndjson$`));
    }
    const logged = await errorLog(outcome, url);
    expect(logged.map(({ line }) => line)).toEqual(errors.map(({ line }) => line));
    for (const [index, { text }] of errors.entries()) expect(logged[index]?.text).toMatch(text);
    const wanted = found.map((id) => `Patient/${id}`);
    expect((await server.search("Patient")).filter((one) => one.startsWith(`Patient/${name}`))).toEqual(wanted);
  });

  test("3.2: output and error have one entry for each input, in the order of the request (D-06, D-07)", () => {
    expect(outcome.body.output.map((entry: Json) => entry.inputUrl)).toEqual(FILES.map(({ name }) => urls.get(name)));
    expect(outcome.body.error.map((entry: Json) => entry.inputUrl)).toEqual(
      FILES.filter(({ errors }) => errors.length > 0).map(({ name }) => urls.get(name)),
    );
  });

  test("a file of the wrong kind is rejected once, however many units it has; there are no lines to correct", async () => {
    const entry = { resource: patient("b", { name: [{ family: "x".repeat(50) }] }) };
    const bundle = JSON.stringify(
      { resourceType: "Bundle", entry: Array.from({ length: 20 }, () => entry) },
      undefined,
      2,
    );
    const rows = `[\n${Array.from({ length: 20 }, (_, n) => one(`units-${String(n)}`)).join(",\n")}\n]`;
    const inputs = [await server.file("units-bundle.ndjson", bundle), await server.file("units-array.ndjson", rows)];
    const { status, body } = await server.load({ inputs, unitBytes: 100 });
    expect(status).toBe(200);
    expect(body.output.map((output: Json) => output.count)).toEqual([0, 0]);
    expect(body.error.map((error: Json) => error.count)).toEqual([1, 1]);
    expect(await (await fetch(body.error[0].rejectedUrl)).text()).toBe("");
    expect(await server.search("Patient?_id=units-19")).toEqual([]);
  });

  test("a file that is not UTF-8 fails the import", async () => {
    const url = await server.file("utf16.ndjson", Buffer.from(`${one("utf16")}\n`, "utf16le"));
    const { status, body } = await server.load({ inputs: [url] });
    expect(status).toBe(400);
    expect(body.issue[0]).toMatchObject({
      code: "processing",
      diagnostics: `import operation failed for reason: Input file is encoded as UTF-16LE; only UTF-8 is read. ErrorFile: ${url}`,
    });
  });

  test("C-020: the line is whole, and the second unit has nothing", async () => {
    const units = detailed.output.filter((entry: Json) => entry.inputUrl === urls.get("c020"));
    expect(units.map((entry: Json) => entry.count)).toEqual([1, 0]);
    expect((await server.json("Binary/c020")).data).toHaveLength(15_000_000);
  });

  test("D-06, D-19: the rejected lines themselves, and the sums", async () => {
    const { error, stoker } = outcome.body;
    const entry = error.find((entry: Json) => entry.inputUrl === urls.get("c039"));
    const lines = (await (await fetch(entry.rejectedUrl)).text()).split("\n").filter((line) => line !== "");
    expect(lines).toEqual(badIds.map(one));
    const loaded = FILES.reduce((sum, file) => sum + file.loaded, 0);
    const rejected = FILES.reduce((sum, file) => sum + file.errors.length, 0);
    expect(stoker).toMatchObject({ loaded, rejected, created: loaded, updated: 0, unchanged: 0, deleted: 0 });
    expect(stoker.bytes).toBe(stoker.totalBytes);
  });

  test("D-06: the log of all inputs", async () => {
    const all = await (await fetch(`${outcome.location}/errors`)).text();
    const apart = await Promise.all(
      outcome.body.error.map(async (entry: Json) => await (await fetch(entry.url)).text()),
    );
    expect(all).toBe(apart.join(""));
  });
});
