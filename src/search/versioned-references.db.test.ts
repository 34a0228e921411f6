import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import { BASE, entriesOf, openSearchServer, type SearchServer } from "./testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.load([
    { resource: organization("x", "First") },
    { resource: organization("x", "Second"), versionId: 2 },
    { resource: organization("x", "Third"), versionId: 3 },
    { resource: organization("whole", "Whole") },
    { resource: organization("gone", "Gone") },
    { resource: organization("gone", "Gone"), versionId: 2, deleted: true },
    { resource: patient("plain", "Organization/x") },
    { resource: patient("v1", "Organization/x/_history/1") },
    { resource: patient("v2", "Organization/x/_history/2") },
    { resource: patient("v2-url", `${BASE}/Organization/x/_history/2`) },
    { resource: patient("v3", "Organization/x/_history/3") },
    { resource: patient("v9", "Organization/x/_history/9") },
    { resource: patient("deleted", "Organization/gone/_history/2") },
    { resource: patient("other", "https://other.example/fhir/Organization/x/_history/2") },
    { resource: patient("whole", "Organization/whole") },
    { resource: observation("o1", "Patient/plain/_history/1") },
    { resource: observation("o2", "Patient/whole") },
    { resource: observation("o3", "Patient/v2") },
  ]);
});
afterAll(() => server.close());

function organization(id: string, name: string): JsonObject {
  return { resourceType: "Organization", id, name };
}

function patient(id: string, reference: string): JsonObject {
  return { resourceType: "Patient", id, managingOrganization: { reference } };
}

function observation(id: string, reference: string): JsonObject {
  return { resourceType: "Observation", id, status: "final", code: { text: "x" }, subject: { reference } };
}

interface Answer {
  matches: string;
  /** With their versions and names. */
  included: string;
  warnings: string[];
}

async function answer(path: string): Promise<Answer> {
  const { status, body, text } = await server.get(`/${path}`);
  if (status !== 200) throw new Error(text);
  const ofMode = (mode: string): JsonObject[] =>
    entriesOf(body)
      .filter((entry) => (entry["search"] as JsonObject)["mode"] === mode)
      .map((entry) => entry["resource"] as JsonObject);
  const issues = ofMode("outcome").flatMap((outcome) => outcome["issue"] as JsonObject[]);
  expect(issues.every(({ severity }) => severity === "warning")).toBe(true);
  return {
    matches: ofMode("match")
      .map(({ id }) => id as string)
      .toSorted()
      .join(" "),
    included: ofMode("include")
      .map(({ id, meta, name = "" }) =>
        `${id as string} ${(meta as JsonObject)["versionId"] as string} ${name as string}`.trim(),
      )
      .toSorted()
      .join(", "),
    warnings: issues.map(({ diagnostics }) => diagnostics as string),
  };
}

describe("references to a version (R4 search, 3.1.1.4.13)", () => {
  it.each([
    ["organization=Organization/x", "plain v1 v2 v2-url v3 v9"],
    ["organization=x", "plain v1 v2 v2-url v3 v9"],
    ["organization=Organization/x/_history/2", "v2 v2-url"],
    [`organization=${BASE}/Organization/x/_history/2`, "v2 v2-url"],
    ["organization:Organization=Organization/x/_history/2", "v2 v2-url"],
    ["organization=Organization/x/_history/4", ""],
    ["organization=https://other.example/fhir/Organization/x", "other"],
    ["organization=https://other.example/fhir/Organization/x/_history/2", "other"],
    ["organization=https://other.example/fhir/Organization/x/_history/1", ""],
    ["organization=Organization/x/_history/1,Organization/x/_history/3", "v1 v3"],
  ])("Patient?%s finds %s", async (query, expected) => {
    expect(await answer(`Patient?${query}&_count=50`)).toEqual({ matches: expected, included: "", warnings: [] });
  });

  it.each([
    ["v1", "x 1 First"],
    ["v2", "x 2 Second"],
    ["v2-url", "x 2 Second"],
    ["v3", "x 3 Third"],
    ["plain", "x 3 Third"],
    ["plain,v1,v3", "x 1 First, x 3 Third"],
    ["other", ""],
  ])("of %s the include is %s", async (ids, expected) => {
    const { included, warnings } = await answer(`Patient?_id=${ids}&_include=Patient:organization`);
    expect({ included, warnings }).toEqual({ included: expected, warnings: [] });
  });

  it.each([
    ["v9", "Organization/x/_history/9"],
    ["deleted", "Organization/gone/_history/2"],
  ])("of %s nothing is included, and a warning names %s", async (id, name) => {
    for (const include of ["Patient:organization", "Patient:*", "*", "Patient:organization:Organization"]) {
      const { included, warnings } = await answer(`Patient?_id=${id}&_include=${include}`);
      expect(included).toBe("");
      expect(warnings).toEqual([expect.stringContaining(name)]);
    }
    expect((await answer(`Patient?_id=${id}&_include=Patient:general-practitioner`)).warnings).toEqual([]);
  });

  it("are followed on from what is included", async () => {
    const path = "Observation?_id=o3&_include=Observation:subject&_include:iterate=Patient:organization";
    expect((await answer(path)).included).toBe("v2 1, x 2 Second");
  });

  it("lead back by _revinclude, whatever version is meant", async () => {
    const { included } = await answer("Organization?_id=x&_revinclude=Patient:organization&_elements=id");
    expect(included).toBe("plain 1, v1 1, v2 1, v2-url 1, v3 1, v9 1");
  });
});

/** A warning that names a parameter. */
function warning(name: string): unknown[] {
  return [expect.stringContaining(`'${name}'`)];
}

describe("chains over references to a version are answered by the current one, with a warning where there are any", () => {
  it.each([
    ["Patient?organization.name=third&_count=50", "plain v1 v2 v2-url v3 v9", warning("organization")],
    ["Patient?organization.name=whole", "whole", []],
    ["Patient?organization.name=third&_id=plain", "plain", []],
    // The version that is meant might have been found.
    ["Patient?organization.name=second", "", warning("organization")],
    ["Observation?subject:Patient.organization.name=whole", "o2", []],
    ["Observation?subject:Patient.organization.name=third&_id=o3", "o3", warning("organization")],
    ["Observation?subject:Patient.organization.name=third&_id=o1", "o1", warning("subject")],
    ["Patient?_has:Observation:subject:_id=o1", "plain", warning("subject")],
    ["Patient?_has:Observation:subject:_id=o2", "whole", []],
    ["Organization?_has:Patient:organization:_has:Observation:subject:_id=o2", "whole", []],
    ["Organization?_has:Patient:organization:_id=v1", "x", warning("organization")],
    ["Patient?organization=Organization/x", "plain v1 v2 v2-url v3 v9", []],
  ])("%s finds %s", async (path, matches, warnings) => {
    expect(await answer(path)).toEqual({ matches, included: "", warnings });
  });
});
