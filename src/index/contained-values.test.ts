import { describe, expect, it } from "vitest";
import { fromBigInt, toBigInt, type Int64Halves } from "../base/hash.ts";
import type { JsonObject } from "../base/json.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { CONTAINED_TERMS, containedTerm, containedTermValue, containedValue } from "../fhir/search-value.ts";
import { number, parameterId, record, target, spelling } from "./testing/recorder.ts";

const MEDICATION = "MedicationRequest.medication";
const REQUESTER = "MedicationRequest.requester";

function request(contained: JsonObject[], members: JsonObject): JsonObject & { resourceType: string } {
  return { resourceType: "MedicationRequest", contained, ...members };
}

function inside(name: string, type: string, value: bigint): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  containedValue(parameterId(name), resourceTypeId(type) ?? 0, fromBigInt(value), out);
  return toBigInt(out);
}

function term(name: string, type: string, place?: "nested"): string {
  const out: Int64Halves = { high: 0, low: 0 };
  const text = containedTerm(parameterId(name), type, place);
  containedTermValue(text, out);
  return `term ${CONTAINED_TERMS} ${toBigInt(out)} ${text}`;
}

const MED: JsonObject = {
  resourceType: "Medication",
  id: "med",
  code: { coding: [{ system: "s", code: "x" }] },
  manufacturer: { reference: "Organization/o1" },
};

describe("references to contained resources", () => {
  it("have the type, and the values that the contained resource would have", () => {
    const { equality, rows } = record(request([MED], { medicationReference: { reference: "#med" } }));
    expect(equality).toEqual(
      expect.arrayContaining([
        number(MEDICATION, "present"),
        number(MEDICATION, "referenceText", "#med"),
        number(MEDICATION, "contained", "Medication"),
        inside(MEDICATION, "Medication", number("Medication.code", "systemCode", "s|x")),
        inside(MEDICATION, "Medication", target("Medication.manufacturer", "Organization", "o1")),
      ]),
    );
    // The values of the contained resource are none of its container.
    expect(equality).not.toContain(number("Medication.code", "systemCode", "s|x"));
    expect(rows).toEqual([term(MEDICATION, "Medication"), spelling("s", "x")].toSorted());
  });

  it("that several parameters have stand under each of them, once", () => {
    const contained = [{ resourceType: "Practitioner", id: "p", name: [{ family: "Holm" }] }];
    const reference = { reference: "#p" };
    const { equality, rows } = record(request(contained, { requester: reference, performer: reference }));
    expect(equality).toContain(inside(REQUESTER, "Practitioner", number("Practitioner.family", "present")));
    expect(equality).toContain(number("MedicationRequest.intended-performer", "contained", "Practitioner"));
    expect(new Set(equality).size).toBe(equality.length);
    expect(rows).toEqual(
      [term(REQUESTER, "Practitioner"), term("MedicationRequest.intended-performer", "Practitioner")].toSorted(),
    );
  });

  it.each([
    ["nothing is contained", [], "#med"],
    ["another one is meant", [MED], "#other"],
    ["it is no local reference", [MED], "Medication/med"],
    ["the contained type is unknown", [{ resourceType: "Spaceship", id: "med" }], "#med"],
  ])("have no such values where %s", (_, contained, reference) => {
    const { equality, rows } = record(request(contained, { medicationReference: { reference } }));
    expect(equality).not.toContain(number(MEDICATION, "contained", "Medication"));
    expect(rows).toEqual([]);
  });

  it("with too many values say so", () => {
    const identifier = Array.from({ length: 2000 }, (_, index) => ({ system: "s", value: `v${index}` }));
    const large = { ...MED, identifier };
    const { equality, rows } = record(request([large], { medicationReference: { reference: "#med" } }));
    const terms = [term(MEDICATION, ""), term(MEDICATION, "Medication"), spelling("s", "x")];
    expect(rows).toEqual(terms.toSorted());
    expect(equality).toContain(number(MEDICATION, "contained", "Medication"));
    expect(equality).toContain(number(MEDICATION, "contained"));
    expect(equality).not.toContain(inside(MEDICATION, "Medication", number("Medication.code", "systemCode", "s|x")));
    expect(equality.length).toBeLessThan(100);
  });

  it("tell the type to parameters that count one only, also from within", () => {
    const contained: JsonObject[] = [
      { resourceType: "Patient", id: "pat" },
      { resourceType: "Observation", id: "o", status: "final", subject: { reference: "#pat" } },
    ];
    const report = { resourceType: "DiagnosticReport", contained, result: [{ reference: "#o" }] };
    const { equality, rows } = record(report);
    const type = number("Observation.subject", "referenceType", "Patient");
    expect(equality).toContain(inside("DiagnosticReport.result", "Observation", type));
    // Its own reference to a sibling.
    const marker = number("Observation.subject", "contained", "Patient");
    expect(equality).toContain(inside("DiagnosticReport.result", "Observation", marker));
    expect(equality).not.toContain(marker);
    expect(rows).toEqual(
      [term("DiagnosticReport.result", "Observation"), term("Observation.subject", "Patient", "nested")].toSorted(),
    );
  });
});
