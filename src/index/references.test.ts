import { describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import {
  canonicalConstantOf,
  canonicalKeyOf,
  ownCanonicalConstantOf,
  type CanonicalLink,
} from "../fhir/canonical-value.ts";
import { baseNumber, number, numbers, parameterId, record, target, targetAt } from "./testing/recorder.ts";

const PRACTITIONER = "Patient.general-practitioner";
const ORGANIZATION = "Patient.organization";
const SUBJECT = "Observation.subject";

/** The numbers of a Patient beside those every patient has. */
function patient(members: JsonObject): bigint[] {
  const every = new Set(record({ resourceType: "Patient" }).equality);
  return record({ resourceType: "Patient", ...members }).equality.filter((value) => !every.has(value));
}

/** The numbers of the subject of an Observation. */
function observed(subject: JsonObject): bigint[] {
  const every = new Set(record({ resourceType: "Observation" }).equality);
  return record({ resourceType: "Observation", subject }).equality.filter((value) => !every.has(value));
}

function bundle(resourceType: string): bigint[] {
  const entry = [{ resource: { resourceType, id: "x" } }, { resource: { resourceType } }];
  return record({ resourceType: "Bundle", entry }).equality;
}

const FORM = "QuestionnaireResponse.questionnaire";

/** The equality number of a reference by canonical. */
function canonical(name: string, link: CanonicalLink, text: string): bigint {
  return canonicalKeyOf(text) ^ canonicalConstantOf(parameterId(name), link);
}

describe("references (contract 10.7)", () => {
  it("gives a relative reference its target", () => {
    expect(patient({ generalPractitioner: [{ reference: "Practitioner/dr1" }] })).toEqual(
      numbers(number(PRACTITIONER, "present"), target(PRACTITIONER, "Practitioner", "dr1")),
    );
  });

  it("gives a reference to a version its target, and the version", () => {
    const reference = "Practitioner/dr1/_history/3";
    const { rows } = record({ resourceType: "Patient", generalPractitioner: [{ reference }] });
    expect(patient({ generalPractitioner: [{ reference }] })).toEqual(
      numbers(
        number(PRACTITIONER, "present"),
        target(PRACTITIONER, "Practitioner", "dr1"),
        number(PRACTITIONER, "referenceText", reference),
        number(PRACTITIONER, "versionedReference"),
      ),
    );
    expect(rows).toEqual([expect.stringMatching(new RegExp(`^term -5 -?\\d+ ${parameterId(PRACTITIONER)}$`))]);
  });

  it("takes the type of a text that names none from each reference anew", () => {
    const reference = "urn:uuid:0e7e5b6c-5f0e-4d57-9a8a-0a1f3d0c7e11";
    const withType = (type?: string): bigint[] => observed({ reference, ...(type === undefined ? {} : { type }) });
    const plain = numbers(number(SUBJECT, "present"), number(SUBJECT, "referenceText", reference));
    const ofPatient = numbers(...plain, number(SUBJECT, "referenceType", "Patient"));
    expect([withType("Patient"), withType(), withType("Group"), withType("Patient")]).toEqual([
      ofPatient,
      plain,
      plain,
      ofPatient,
    ]);
  });

  it("infers the type of a bare id where one only is possible", () => {
    expect(patient({ managingOrganization: { reference: "zeta" } })).toEqual(
      numbers(number(ORGANIZATION, "present"), target(ORGANIZATION, "Organization", "zeta")),
    );
    expect(patient({ generalPractitioner: [{ reference: "dr2" }] })).toEqual(
      numbers(number(PRACTITIONER, "present"), number(PRACTITIONER, "referenceText", "dr2")),
    );
  });

  it("takes the type of a bare id from Reference.type", () => {
    expect(patient({ generalPractitioner: [{ reference: "dr2", type: "Practitioner" }] })).toContain(
      target(PRACTITIONER, "Practitioner", "dr2"),
    );
  });

  it.each([
    ["Practitioner?identifier=http://x/y|1", "Practitioner?identifier=http://x/y|1"],
    ["http://other.example/NoSuchType/dr1", "http://other.example/NoSuchType/dr1"],
    ["practitioner/dr1", "practitioner/dr1"],
    ["Practitioner/not an id", "Practitioner/not an id"],
    ["urn:uuid:9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "urn:uuid:9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"],
    ["#contained", "#contained"],
  ])("keeps %s as text", (reference, text) => {
    expect(patient({ generalPractitioner: [{ reference }] })).toEqual(
      numbers(number(PRACTITIONER, "present"), number(PRACTITIONER, "referenceText", text)),
    );
  });

  it.each(["http://other.example/fhir/Practitioner/dr1/_history/2", "http://other.example/fhir/Practitioner/dr1"])(
    "gives %s its target, apart by the base",
    (reference) => {
      const recorded = record({ resourceType: "Patient", generalPractitioner: [{ reference }] });
      const base = "http://other.example/fhir";
      expect(recorded.equality).toContain(targetAt(PRACTITIONER, base, "Practitioner", "dr1"));
      expect(recorded.equality).not.toContain(target(PRACTITIONER, "Practitioner", "dr1"));
      expect(recorded.rows).toContain(`term -1 ${baseNumber(base)} ${base}`);
      expect(recorded.equality.includes(number(PRACTITIONER, "referenceText", reference))).toBe(
        reference.includes("_history"),
      );
    },
  );

  it("gives a logical reference its identifier in the four token forms", () => {
    const identifier = { system: "http://i", value: "7" };
    expect(patient({ managingOrganization: { type: "Organization", identifier } })).toEqual(
      numbers(
        number(ORGANIZATION, "present"),
        number(ORGANIZATION, "identifierCode", "7"),
        number(ORGANIZATION, "identifierSystemCode", "http://i|7"),
        number(ORGANIZATION, "identifierSystem", "http://i"),
      ),
    );
    expect(patient({ managingOrganization: { identifier: { value: "7" } } })).toContain(
      number(ORGANIZATION, "identifierNoSystemCode", "7"),
    );
  });

  it("counts for a parameter of one type only what refers to that type", () => {
    const appointment = { resourceType: "Appointment", participant: [{ actor: { reference: "Patient/p" } }] };
    expect(record(appointment).equality).toEqual(
      numbers(
        ...["Appointment.actor", "Appointment.patient"].flatMap((name) => [
          number(name, "present"),
          target(name, "Patient", "p"),
        ]),
      ),
    );
  });

  it.each([
    [{ reference: "Patient/p" }, "Patient"],
    [{ reference: "http://x.example/Patient/p" }, "Patient"],
    [{ reference: "urn:uuid:9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", type: "Patient" }, "Patient"],
    [{ type: "Patient", identifier: { value: "7" } }, "Patient"],
    [{ reference: "Group/g" }, undefined],
    [{ reference: "Group/g", type: "Patient" }, undefined],
    [{ reference: "p" }, undefined],
  ])("notes of subject %j the type %s, which the derived patient asks for", (subject, type) => {
    const { equality } = record({ resourceType: "Observation", subject });
    for (const each of ["Patient", "Group"]) {
      expect(equality.includes(number(SUBJECT, "referenceType", each))).toBe(each === type);
    }
    expect(equality).toContain(number(SUBJECT, "present"));
    expect(equality).not.toContain(number("Observation.patient", "present"));
  });

  it("gives a canonical with and without its version", () => {
    const name = "Measure.depends-on";
    const { equality } = record({
      resourceType: "Measure",
      relatedArtifact: [
        { type: "depends-on", resource: "http://c.example/l|1.0" },
        { type: "citation", resource: "http://c.example/other" },
      ],
    });
    expect(equality).toEqual(
      numbers(
        number(name, "present"),
        canonical(name, "versioned", "http://c.example/l|1.0"),
        canonical(name, "url of versioned", "http://c.example/l"),
      ),
    );
  });

  it.each([
    ["http://c.example/l", [canonical(FORM, "unversioned", "http://c.example/l")]],
    ["urn:oid:1.2", [canonical(FORM, "unversioned", "urn:oid:1.2")]],
    ["Questionnaire/x", [target(FORM, "Questionnaire", "x")]],
    ["Questionnaire/x|2", [target(FORM, "Questionnaire", "x"), canonical(FORM, "versioned", "Questionnaire/x|2")]],
    [
      "http://h.example/fhir/Questionnaire/x",
      [
        targetAt(FORM, "http://h.example/fhir", "Questionnaire", "x"),
        canonical(FORM, "unversioned", "http://h.example/fhir/Questionnaire/x"),
      ],
    ],
    ["#q", [number(FORM, "referenceText", "#q")]],
    ["q|", [number(FORM, "referenceText", "q"), canonical(FORM, "unversioned", "q")]],
  ])("gives the canonical %s its target, if it is a place, and its text", (questionnaire, expected) => {
    const { equality } = record({ resourceType: "QuestionnaireResponse", questionnaire });
    expect(equality).toEqual(numbers(number(FORM, "present"), ...expected));
  });

  it("gives a resource with a canonical URL what it is referred to by", () => {
    const own = record({ resourceType: "Questionnaire", url: "http://c.example/q", version: "2" }).equality;
    expect(own).toContain(canonicalKeyOf("http://c.example/q") ^ ownCanonicalConstantOf("url"));
    expect(own).toContain(canonicalKeyOf("http://c.example/q|2") ^ ownCanonicalConstantOf("url|version"));
    // Questionnaires have a number for the parameter, one for the uri, two for the version; and these two.
    expect(own).toHaveLength(6);
  });

  it("finds the composition or message header at the head of a Bundle", () => {
    expect(bundle("Composition")).toContain(target("Bundle.composition", "Composition", "x"));
    expect(bundle("MessageHeader")).toContain(target("Bundle.message", "MessageHeader", "x"));
    expect(bundle("Patient")).toEqual([]);
  });
});
