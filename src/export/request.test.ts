import { describe, expect, it } from "vitest";
import { StokerError } from "../base/errors.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { readExportRequest, type ExportRequest, type ReadExport } from "./request.ts";

const BASE = "http://127.0.0.1:8080/fhir";

function read(query: string, more: Partial<ExportRequest> = {}): ReadExport {
  return readExportRequest({
    level: "system",
    prefer: "respond-async",
    query: [...new URLSearchParams(query)],
    body: undefined,
    baseUrl: BASE,
    ...more,
  });
}

function refusal(query: string, more: Partial<ExportRequest> = {}): string {
  try {
    read(query, more);
  } catch (error) {
    if (error instanceof StokerError) return `${String(error.status)} ${error.expression ?? ""}`;
    throw error;
  }
  return "accepted";
}

function body(...parameter: object[]): string {
  return JSON.stringify({ resourceType: "Parameters", parameter });
}

describe("a kick-off", () => {
  it("without parameters asks for everything that is current", () => {
    expect(read("").definition).toEqual({
      level: "system",
      types: RESOURCE_TYPES.toSorted(),
      elements: [],
      filters: [],
      history: false,
      deleted: false,
    });
  });

  it("takes all parameters", () => {
    const query = new URLSearchParams([
      ["_outputFormat", "ndjson"],
      ["_type", "Patient, Observation"],
      ["_type", "Condition"],
      ["_since", "2020-01-01T00:00:00Z"],
      ["_until", "2021-01-01T00:00:00+01:00"],
      ["_typeFilter", "Observation?code=a,b,Observation?status=final&code:not=c"],
      ["_typeFilter", "Patient?gender=female"],
      ["_elements", "id,Patient.name"],
    ]);
    expect(read(query.toString()).definition).toEqual({
      level: "system",
      types: ["Condition", "Observation", "Patient"],
      since: Date.UTC(2020, 0, 1),
      until: Date.UTC(2020, 11, 31, 23),
      elements: [{ name: "id" }, { type: "Patient", name: "name" }],
      filters: [
        { type: "Observation", query: "code=a,b" },
        { type: "Observation", query: "status=final&code:not=c" },
        { type: "Patient", query: "gender=female" },
      ],
      history: false,
      deleted: false,
    });
  });

  it("takes an instant whose plus sign came as a space", () => {
    expect(read("_since=2020-01-01T01:00:00+01:00").definition.since).toBe(Date.UTC(2020, 0, 1));
  });

  it("takes parameters from a body, of any type of value", () => {
    const parameters = body(
      { name: "_type", valueString: "Patient" },
      { name: "_since", valueInstant: "2020-01-01T00:00:00Z" },
      { name: "patient", valueReference: { reference: "Patient/a" } },
      { name: "patient", valueReference: { reference: `${BASE}/Patient/b` } },
      { name: "includeAssociatedData", valueCode: "_history" },
    );
    const { definition } = read("", { level: "patient", body: parameters });
    expect(definition).toMatchObject({ types: ["Patient"], patients: ["a", "b"], history: true, deleted: false });
  });

  it("takes history and deletions", () => {
    const { definition } = read("includeAssociatedData=_history,_deleted");
    expect(definition).toMatchObject({ history: true, deleted: true });
  });

  it("of patients can have the types of their compartments", () => {
    const { types } = read("", { level: "patient" }).definition;
    expect(types).toContain("Patient");
    expect(types).toContain("Observation");
    expect(types).not.toContain("Practitioner_");
    expect(types).not.toContain("Organization");
  });

  const lenient = { prefer: "respond-async; handling=lenient" };
  it.each([
    ["", { prefer: undefined }, "400 Prefer"],
    ["", { prefer: "return=minimal" }, "400 Prefer"],
    ["", { prefer: "return=minimal, Respond-Async" }, "accepted"],
    ["_outputFormat=text/csv", {}, "400 _outputFormat"],
    ["_outputFormat=text/csv", lenient, "400 _outputFormat"],
    ["_outputFormat=application/fhir+ndjson", {}, "accepted"],
    ["_since=2020", {}, "400 _since"],
    ["_since=2020-01-01T00:00:00", {}, "400 _since"],
    ["_type=Spaceship", {}, "400 _type"],
    ["_type=Spaceship", lenient, "400 _type"],
    ["_type=Spaceship,Patient", lenient, "accepted"],
    ["_type=Organization", { level: "patient" }, "400 _type"],
    ["_type=Organization,Practitioner,Location,Medication", { level: "group", group: "g" }, "accepted"],
    ["_type=Questionnaire", { level: "group", group: "g" }, "400 _type"],
    ["_elements=a.b.c", {}, "400 _elements"],
    ["_elements=shoeSize", {}, "400 _elements"],
    ["_elements=Patient.status", {}, "400 _elements"],
    ["_typeFilter=code=x", {}, "400 _typeFilter"],
    ["_typeFilter=Observation", {}, "400 _typeFilter"],
    ["_typeFilter=Observation?", {}, "accepted"],
    ["_typeFilter=Observation?kode=x", {}, "400 _typeFilter"],
    ["_typeFilter=Observation?kode=x", lenient, "400 _typeFilter"],
    ["_typeFilter=Observation?_count=2", {}, "400 _typeFilter"],
    ["_typeFilter=Observation?_include=Observation:subject", {}, "400 _typeFilter"],
    ["_type=Patient&_typeFilter=Observation?code=x", {}, "400 _typeFilter"],
    ["_type=Patient&_typeFilter=Observation?code=x", lenient, "accepted"],
    ["patient=Patient/a", {}, "400 patient"],
    ["patient=Group/a", { level: "patient" }, "400 patient"],
    ["includeAssociatedData=LatestProvenanceResources", {}, "400 includeAssociatedData"],
    ["includeAssociatedData=LatestProvenanceResources", lenient, "accepted"],
    ["includeAssociatedData=_deleted", { level: "group", group: "g" }, "400 includeAssociatedData"],
    ["includeAssociatedData=_deleted&_typeFilter=Patient?active=true", {}, "400 includeAssociatedData"],
    ["includeAssociatedData=_history&_elements=id", {}, "400 _elements"],
    ["organizeOutputBy=Patient", {}, "400 organizeOutputBy"],
    ["organizeOutputBy=Patient", lenient, "accepted"],
    ["", { body: "{" }, "400 Parameters"],
    ["", { body: '{"resourceType":"Patient"}' }, "400 Parameters"],
    ["", { body: '{"resourceType":"Parameters","parameter":{}}' }, "400 Parameters.parameter"],
    ["", { body: body({ valueString: "x" }) }, "400 Parameters.parameter.name"],
    ["", { body: body({ name: "_type" }) }, "400 _type"],
  ] as [string, Partial<ExportRequest>, string][])("%s %j: %s", (query, more, expected) => {
    expect(refusal(query, more)).toBe(expected);
  });

  it("says what a lenient one left out", () => {
    expect(read("_type=Spaceship,Patient&x=1", lenient).warnings).toEqual([
      "_type: 'Spaceship' is not a resource type of FHIR R4. It was ignored.",
      "Parameter 'x' is not supported. It was ignored.",
    ]);
  });
});
