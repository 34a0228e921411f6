import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { BASE, openSearchServer, type SearchServer } from "../testing/search-server.ts";

const URN = "urn:uuid:9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";

const subjects: Readonly<Record<string, JsonObject>> = {
  patient: { reference: "Patient/p1" },
  version: { reference: "Patient/p1/_history/2" },
  group: { reference: "Group/p1" },
  other: { reference: "http://other.example/Patient/p1" },
  own: { reference: `${BASE}/Patient/p1` },
  ownGroup: { reference: `${BASE}/Group/p1` },
  urnPatient: { reference: URN, type: "Patient" },
  urnGroup: { reference: URN, type: "Group" },
  urn: { reference: URN },
  bare: { reference: "p1" },
  barePatient: { reference: "p1", type: "Patient" },
  conditional: { reference: "Patient?identifier=http://x/y|1" },
  logical: { type: "Patient", identifier: { system: "http://i", value: "7" } },
  logicalGroup: { type: "Group", identifier: { system: "http://i", value: "7" } },
};

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    ...Object.entries(subjects).map(([id, subject]) => ({ resourceType: "Observation", id, subject })),
    { resourceType: "Observation", id: "none" },
    { resourceType: "Condition", id: "condition", subject: { reference: "Patient/p1" } },
    { resourceType: "AllergyIntolerance", id: "allergy", patient: { reference: "Patient/p1" } },
    { resourceType: "AllergyIntolerance", id: "another", patient: { reference: "Patient/p2" } },
    observation("code", { code: concept("c1"), valueQuantity: { value: 5 }, valueString: "blue" }),
    observation("component", {
      component: [{ code: concept("c1"), valueQuantity: { value: 7 } }, { valueCodeableConcept: { text: "Warm" } }],
    }),
    { resourceType: "Person", id: "person", name: [{ family: "Holm" }] },
    {
      resourceType: "AppointmentResponse",
      id: "response",
      actor: { reference: "Location/l1" },
    },
  );
});
afterAll(() => server.close());

function observation(id: string, members: JsonObject): JsonObject {
  return { resourceType: "Observation", id, status: "final", ...members };
}

function concept(code: string): JsonObject {
  return { coding: [{ system: "s", code }] };
}

const EVERY = ["barePatient", "conditional", "logical", "other", "own", "patient", "urnPatient", "version"];

describe("a parameter that counts references to one type", () => {
  it.each<[string, string[]]>([
    ["patient=Patient/p1", ["barePatient", "own", "patient", "version"]],
    [`patient=${BASE}/Patient/p1`, ["barePatient", "own", "patient", "version"]],
    ["patient=p1", ["barePatient", "own", "patient", "version"]],
    ["patient:Patient=p1", ["barePatient", "own", "patient", "version"]],
    ["patient=Group/p1", []],
    [`patient=${BASE}/Group/p1`, []],
    ["patient:Group=p1", []],
    ["patient=Group/p1,Patient/p1", ["barePatient", "own", "patient", "version"]],
    ["patient=http://other.example/Patient/p1", ["other"]],
    [`patient=${URN}`, ["urnPatient"]],
    [`subject=${URN}`, ["urn", "urnGroup", "urnPatient"]],
    ["patient=Patient?identifier%3Dhttp://x/y|1", ["conditional"]],
    ["patient:identifier=http://i|7", ["logical"]],
    ["subject:identifier=7", ["logical", "logicalGroup"]],
    ["patient:missing=false", EVERY],
    [
      "patient:missing=true&code:missing=true&_id:not=component",
      ["bare", "group", "logicalGroup", "none", "ownGroup", "urn", "urnGroup"],
    ],
    ["patient=p2", []],
  ])("Observation?%s finds %j", async (query, expected) => {
    expect(await server.ids(`/Observation?${query}`)).toEqual(expected);
  });

  it("is searched over several types, derived or not", async () => {
    expect(await server.ids("/?_type=Observation,Condition,AllergyIntolerance&patient=Patient/p1")).toEqual(
      ["allergy", "barePatient", "condition", "own", "patient", "version"].toSorted(),
    );
    expect(await server.ids("/?_type=Condition,AllergyIntolerance&patient:missing=false")).toEqual(
      ["allergy", "another", "condition"].toSorted(),
    );
  });

  it("has one base for several types of target", async () => {
    expect(await server.ids("/AppointmentResponse?location=l1")).toEqual(["response"]);
    expect(await server.ids("/AppointmentResponse?patient=l1")).toEqual([]);
    expect(await server.ids("/AppointmentResponse?practitioner:missing=true")).toEqual(["response"]);
  });
});

describe("a parameter that is others together", () => {
  it.each<[string, string[]]>([
    ["Observation?combo-code=s|c1", ["code", "component"]],
    ["Observation?combo-code=c2", []],
    ["Observation?combo-code:missing=false", ["code", "component"]],
    ["Observation?combo-value-quantity=5", ["code"]],
    ["Observation?combo-value-quantity=ge5", ["code", "component"]],
    ["Observation?combo-value-quantity=7,5", ["code", "component"]],
    ["Observation?combo-value-quantity:missing=false", ["code", "component"]],
    ["Observation?combo-value-concept:text=warm", ["component"]],
    ["Observation?combo-code-value-quantity=c1$5", ["code"]],
    ["Observation?combo-code-value-quantity=c1$gt5", ["component"]],
    ["Person?phonetic=hol", ["person"]],
    ["Person?phonetic:exact=Holm", ["person"]],
    ["Person?phonetic:contains=olm", ["person"]],
    ["Person?phonetic:missing=true", []],
  ])("%s finds %j", async (query, expected) => {
    expect(await server.ids(`/${query}`)).toEqual(expected);
  });

  it("is all the others with :not", async () => {
    const ids = await server.ids("/Observation?combo-code:not=c1&_id=code,component,none");
    expect(ids).toEqual(["none"]);
  });
});
