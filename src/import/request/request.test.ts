import { describe, expect, it } from "vitest";
import { StokerError } from "../../base/errors.ts";
import { createSources } from "../../source/sources.ts";
import { definitionHash } from "./definition.ts";
import { readImportRequest, type RequestParts, type ServerFacts } from "./request.ts";

const ACCOUNT = "https://stokertest.blob.core.windows.net";
const CONNECTION =
  "DefaultEndpointsProtocol=https;AccountName=stokertest;AccountKey=a2V5;EndpointSuffix=core.windows.net";

const FACTS: ServerFacts = {
  baseUrl: "http://127.0.0.1:8080/fhir",
  importEnabled: true,
  initialImportMode: false,
  maxInputs: 10_000,
  sources: createSources({ azureConnectionString: CONNECTION }),
};

type Parameter = Record<string, unknown>;

function file(name: string, more: Parameter[] = []): Parameter {
  return { name: "input", part: [{ name: "url", valueUri: `${ACCOUNT}/in/${name}` }, ...more] };
}

function request(parameters: Parameter[], parts: Partial<RequestParts> = {}): RequestParts {
  return {
    prefer: "respond-async",
    contentType: "application/fhir+json",
    query: "",
    body: JSON.stringify({ resourceType: "Parameters", parameter: parameters }),
    ...parts,
  };
}

const FORMAT: Parameter = { name: "inputFormat", valueString: "application/fhir+ndjson" };
const INITIAL: Parameter = { name: "mode", valueString: "InitialLoad" };

function refusal(parts: RequestParts, facts: Partial<ServerFacts> = {}): string {
  try {
    readImportRequest(parts, { ...FACTS, ...facts });
  } catch (error) {
    expect(error).toBeInstanceOf(StokerError);
    expect(error).toMatchObject({ code: "bad-request", status: 400, issue: "invalid" });
    return (error as StokerError).message;
  }
  throw new Error("it was accepted");
}

describe("rules of registration", () => {
  const nothing = createSources({});
  const bad = "Value of the following parameter input.url is invalid.";
  const foreign = "input.url must match the configured integration storage account endpoint.";
  it.each<[string, RequestParts, string, Partial<ServerFacts>?]>([
    [
      "R-001 no Prefer",
      request([FORMAT, file("a")], { prefer: undefined }),
      'Value supplied, ,  for the "Prefer" header is not supported.',
    ],
    [
      "R-001 another Prefer",
      request([FORMAT, file("a")], { prefer: "respond-sync" }),
      'Value supplied, respond-sync,  for the "Prefer" header is not supported.',
    ],
    [
      "R-001 before R-002",
      request([FORMAT, file("a")], { prefer: "x", contentType: "y" }),
      'Value supplied, x,  for the "Prefer" header is not supported.',
    ],
    [
      "R-002 XML",
      request([FORMAT, file("a")], { contentType: "application/fhir+xml" }),
      'Value supplied, application/fhir+xml,  for the "Content-Type" header is not supported.',
    ],
    [
      "R-002 none",
      request([FORMAT, file("a")], { contentType: undefined }),
      'Value supplied, ,  for the "Content-Type" header is not supported.',
    ],
    ["R-003", request([], { body: "" }), 'The requested "import" operation is not enabled', { importEnabled: false }],
    ...["", "{", "null", "[]", '"x"', '{"resourceType":"Patient"}', '{"resourceType":"Parameters","parameter":{}}'].map(
      (body): [string, RequestParts, string] => [
        `R-004 ${body}`,
        request([], { body }),
        "Import request must be specified as a Paramters.  The body provided in this request is not valid. ",
      ],
    ),
    ["R-005 missing", request([file("a")]), "Value of the following parameter inputFormat is invalid."],
    [
      "R-005 other",
      request([{ name: "inputFormat", valueString: "ndjson" }, file("a")]),
      "Value of the following parameter inputFormat is invalid.",
    ],
    [
      "R-006",
      request([FORMAT, { name: "storageDetail", part: [{ name: "type", valueString: "aws" }] }]),
      "Value of the following parameter storageDetails is invalid.",
    ],
    ["R-007", request([FORMAT]), "Value of the following parameter input is invalid."],
    [
      "D-09",
      request([FORMAT, file("a"), file("b"), file("c")]),
      "Number of input files must not exceed 2.",
      { maxInputs: 2 },
    ],
    [
      "R-008",
      request([FORMAT, file("a"), file("a")]),
      "The import storage account is not configured correctly on the server. Import operations require a valid storage account.",
      { sources: nothing },
    ],
    [
      "R-009",
      request([FORMAT, file("a", [{ name: "type", valueString: "x" }]), file("b"), file("a"), file("b"), file("c")]),
      `Import request cannot have duplicate files. Found duplicates: ${ACCOUNT}/in/a, ${ACCOUNT}/in/b. `,
    ],
    [
      "R-009 without URLs",
      request([FORMAT, { name: "input" }, { name: "input", part: [] }]),
      "Import request cannot have duplicate files. Found duplicates: . ",
    ],
    [
      "R-009 D-18 two signatures",
      request([FORMAT, file("a?sv=1&sig=secret1"), file("a?sv=1&sig=secret2")]),
      `Import request cannot have duplicate files. Found duplicates: ${ACCOUNT}/in/a. `,
    ],
    [
      "R-010",
      request([FORMAT, file("a"), file("b?x=1", [{ name: "type", valueString: "patient" }])]),
      "Requested operation does not support resource type: patient.",
    ],
    ["R-011 missing", request([FORMAT, { name: "input", part: [] }]), bad],
    ["R-011 relative", request([FORMAT, { name: "input", part: [{ name: "url", valueUri: "in/a.ndjson" }] }]), bad],
    ["R-011 D-25 query", request([FORMAT, file("a?snapshot=1")]), bad],
    [
      "R-012",
      request([
        FORMAT,
        { name: "input", part: [{ name: "url", valueUri: "https://other.blob.core.windows.net/a/b" }] },
      ]),
      foreign,
    ],
    [
      "R-012 D-24 blob on a server with a file root only",
      request([FORMAT, file("a")]),
      foreign,
      { sources: createSources({ fileRoot: "/" }) },
    ],
    [
      "R-013",
      request([
        FORMAT,
        file("a", [{ name: "type", valueString: "SearchParameter" }]),
        { name: "mode", valueCode: "x" },
      ]),
      "Requested operation does not support resource type: SearchParameter.",
    ],
    [
      "R-014",
      request([FORMAT, file("a"), { name: "mode", valueString: "Full" }]),
      'Import mode can be either "InitialLoad"or "IncrementalLoad". Please add appropriate mode value to parameters.',
    ],
    [
      "R-015",
      request([FORMAT, file("a"), INITIAL]),
      "Initial import mode is not enabled. Please update service configuration to enable initial import mode.",
    ],
    [
      "1.3: a negative unit size",
      request([FORMAT, file("a"), { name: "processingUnitBytesToRead", valueInteger: -1 }]),
      "Value of the following parameter processingUnitBytesToRead is invalid.",
    ],
    [
      "1.3: a repeated singleton",
      request([FORMAT, file("a"), INITIAL, INITIAL]),
      "The parameter mode must not be repeated.",
    ],
  ])("%s", (_name, parts, expected, facts) => {
    expect(refusal(parts, facts)).toBe(expected);
  });

  it.each<[string, Partial<RequestParts>]>([
    ["D-16 several preferences", { prefer: "handling=strict, Respond-Async; wait=10" }],
    ["D-17 plain JSON", { contentType: "application/json" }],
    ["a charset", { contentType: "Application/FHIR+json; charset=utf-8" }],
  ])("%s is accepted", (_name, parts) => {
    expect(readImportRequest(request([FORMAT, file("a")], parts), FACTS).inputs).toHaveLength(1);
  });
});

describe("what a registration says", () => {
  it("has the contract's defaults", () => {
    const empty = ["inputSource", "mode", "errorContainerName", "storageDetail"].map((name) => ({ name }));
    for (const more of [[], empty]) {
      expect(
        readImportRequest(request([FORMAT, file("a", [{ name: "etag", valueString: "" }]), ...more]), FACTS),
      ).toEqual({
        requestUrl: "http://127.0.0.1:8080/fhir/$import",
        definition: {
          inputFormat: "application/fhir+ndjson",
          inputSource: null,
          storageType: "azure-blob",
          mode: "IncrementalLoad",
          allowNegativeVersions: false,
          eventualConsistency: false,
          errorContainerName: null,
          processingUnitBytesToRead: 10_000_000,
        },
        inputs: [{ type: null, url: `${ACCOUNT}/in/a`, etag: null }],
      });
    }
  });

  it("takes any kind of value, unknown names, and the first of a repeated part", () => {
    const parameters = [
      { name: "inputFormat", valueCode: "APPLICATION/fhir+ndjson" },
      { name: "mode", valueUri: "initialLOAD" },
      { name: "force", valueString: "True" },
      { name: "allowNegativeVersions", valueBoolean: true },
      { name: "processingUnitBytesToRead", valueString: "66" },
      { name: "Mode", valueString: "nonsense" },
      {
        name: "input",
        part: [
          { name: "url", valueUrl: `${ACCOUNT}/in/a` },
          { name: "url", valueUri: "x" },
        ],
      },
      file("b", [
        { name: "type", valueCode: "Resource" },
        { name: "etag", valueUri: '"0x8D"' },
      ]),
    ];
    const { definition, inputs } = readImportRequest(request(parameters), FACTS);
    expect(definition).toMatchObject({
      mode: "InitialLoad",
      allowNegativeVersions: true,
      processingUnitBytesToRead: 66,
    });
    expect(inputs).toEqual([
      { type: null, url: `${ACCOUNT}/in/a`, etag: null },
      { type: "Resource", url: `${ACCOUNT}/in/b`, etag: '"0x8D"' },
    ]);
  });

  it.each([
    [0, 10_000_000],
    ["x", 10_000_000],
    [1.5, 10_000_000],
    [2_147_483_648, 10_000_000],
    [2_147_483_647, 2_147_483_647],
    ["10", 10],
  ])("reads a unit size of %j as %i", (value, expected) => {
    const parameter = { name: "processingUnitBytesToRead", valueInteger: value };
    const { definition } = readImportRequest(request([FORMAT, file("a"), parameter]), FACTS);
    expect(definition.processingUnitBytesToRead).toBe(expected);
  });

  it("never keeps a signature (D-18)", () => {
    const read = readImportRequest(request([FORMAT, file("a?sv=1&sig=secret")]), FACTS);
    expect(JSON.stringify(read)).not.toContain("secret");
  });
});

function identity(parameters: Parameter[], parts: Partial<RequestParts> = {}): string {
  const facts = { ...FACTS, initialImportMode: true };
  return definitionHash(readImportRequest(request(parameters, parts), facts)).toString("hex");
}

describe("identity of a registration (contract 2)", () => {
  const base = identity([FORMAT, file("a"), file("b")]);

  it.each<[string, string]>([
    ["R-025 other order of the inputs", identity([FORMAT, file("b"), file("a")])],
    ["an etag added", identity([FORMAT, file("a", [{ name: "etag", valueString: "1" }]), file("b")])],
    ["a type added", identity([FORMAT, file("a", [{ name: "type", valueString: "Patient" }]), file("b")])],
    ["a query string on the POST", identity([FORMAT, file("a"), file("b")], { query: "?x=1" })],
    ["another container", identity([FORMAT, file("a"), file("b"), { name: "errorContainerName", valueString: "c" }])],
    ["an input source", identity([FORMAT, file("a"), file("b"), { name: "inputSource", valueUri: "http://x" }])],
    ["another mode", identity([FORMAT, file("a"), file("b"), INITIAL])],
    [
      "another unit size",
      identity([FORMAT, file("a"), file("b"), { name: "processingUnitBytesToRead", valueInteger: 9 }]),
    ],
  ])("%s is another import", (_name, other) => {
    expect(other).not.toBe(base);
  });

  it.each<[string, string]>([
    ["R-020 the same again", identity([file("a"), FORMAT, file("b")])],
    ["R-026 force", identity([FORMAT, { name: "force", valueBoolean: true }, file("a"), file("b")])],
    ["headers", identity([FORMAT, file("a"), file("b")], { contentType: "application/json" })],
    ["D-18 a signature", identity([FORMAT, file("a?sig=s"), file("b?sig=t")])],
  ])("%s is the same import", (_name, same) => {
    expect(same).toBe(base);
  });
});
