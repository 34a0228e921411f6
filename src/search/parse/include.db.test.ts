import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { entriesOf, linkOf, openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    organization("o1", "o2"),
    organization("o2", "o3"),
    organization("o3", "o1"),
    organization("other"),
    patient("p1", "Organization/o1", "Practitioner/d1"),
    patient("p2", "Organization/o1", "Practitioner/d2"),
    { resourceType: "Practitioner", id: "d1" },
    observation("a", "Patient/p1", "Practitioner/d1"),
    observation("b", "Patient/p1", "Organization/other"),
    observation("c", "Patient/p2", "Practitioner/gone"),
    observation("d", "Group/none", "http://elsewhere.test/Practitioner/d1"),
    {
      resourceType: "Provenance",
      id: "v1",
      recorded: "2020-01-01T00:00:00Z",
      target: [{ reference: "Observation/a" }],
    },
  );
  await server.load([
    { resource: { resourceType: "Practitioner", id: "gone" } },
    { resource: { resourceType: "Practitioner", id: "gone" }, versionId: 2, deleted: true },
  ]);
});
afterAll(() => server.close());

function organization(id: string, partOf?: string): JsonObject {
  return {
    resourceType: "Organization",
    id,
    ...(partOf === undefined ? {} : { partOf: { reference: `Organization/${partOf}` } }),
  };
}

function patient(id: string, organization: string, practitioner: string): JsonObject {
  return {
    resourceType: "Patient",
    id,
    managingOrganization: { reference: organization },
    generalPractitioner: [{ reference: practitioner }],
  };
}

function observation(id: string, subject: string, performer: string): JsonObject {
  return {
    resourceType: "Observation",
    id,
    status: "final",
    subject: { reference: subject },
    performer: [{ reference: performer }],
  };
}

/** `match:…` and `include:…` of a search's entries. */
async function answer(path: string): Promise<{ matches: string; includes: string }> {
  const { status, body, text } = await server.get(path);
  if (status !== 200) throw new Error(text);
  const of = (mode: string): string =>
    entriesOf(body)
      .filter((entry) => (entry["search"] as JsonObject)["mode"] === mode)
      .map((entry) => (entry["resource"] as JsonObject)["id"] as string)
      .toSorted()
      .join();
  return { matches: of("match"), includes: of("include") };
}

describe("_include and _revinclude", () => {
  it.each([
    ["Observation?_id=a&_include=Observation:subject", "a", "p1"],
    ["Observation?_id=a,b&_include=Observation:subject", "a,b", "p1"],
    ["Observation?_id=a,b&_include=Observation:patient", "a,b", "p1"],
    ["Observation?_include=Observation:performer", "a,b,c,d", "d1,other"],
    ["Observation?_include=Observation:performer:Practitioner", "a,b,c,d", "d1"],
    ["Observation?_id=a&_include=Observation:subject&_include=Observation:performer", "a", "d1,p1"],
    ["Observation?_id=a&_include=Observation:*", "a", "d1,p1"],
    ["Observation?_id=a&_include=*", "a", "d1,p1"],
    ["Observation?_id=a&_include=Patient:organization", "a", ""],
    ["Observation?_id=a&_include=Observation:subject&_include=Patient:organization", "a", "p1"],
    ["Observation?_id=a&_include=Observation:subject&_include:iterate=Patient:organization", "a", "o1,p1"],
    [
      "Observation?_id=a&_include=Observation:subject&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
      "a",
      "o1,o2,o3,p1",
    ],
    ["Organization?_id=o1&_include=Organization:partof", "o1", "o2"],
    ["Organization?_id=o1&_include:iterate=Organization:partof", "o1", "o2,o3"],
    ["Organization?_id=o1,o2&_include=Organization:partof", "o1,o2", "o3"],
    ["Patient?_id=p1&_revinclude=Observation:subject", "p1", "a,b"],
    ["Patient?_id=p1&_revinclude=Observation:patient:Patient", "p1", "a,b"],
    ["Patient?_id=p1&_revinclude=Observation:patient&_revinclude:iterate=Provenance:target", "p1", "a,b,v1"],
    ["Practitioner?_id=d1&_revinclude=Observation:*", "d1", "a"],
    ["Patient?_id=p1&_revinclude=Observation:patient&_include=Patient:organization", "p1", "a,b,o1"],
    ["Patient?_id=p1&_revinclude=Observation:patient&_include:iterate=Observation:performer", "p1", "a,b,d1,other"],
    ["?_type=Patient&_id=p2&_include=*", "p2", "o1"],
    ["Patient?_id=nobody&_revinclude=Observation:patient", "", ""],
  ])("%s finds %s and includes %s", async (path, matches, includes) => {
    expect(await answer(`/${path}`)).toEqual({ matches, includes });
  });

  it("come after the matches, count as no match, and are in the links", async () => {
    const { body } = await server.get("/Observation?_include=Observation:subject&_count=1&_total=accurate");
    expect(body["total"]).toBe(4);
    expect(linkOf(body, "self")).toBe("/Observation?_include=Observation:subject&_count=1&_total=accurate");
    expect(linkOf(body, "next")).toContain("_include=Observation:subject");
    const modes = entriesOf(body).map((entry) => (entry["search"] as JsonObject)["mode"]);
    expect(modes[0]).toBe("match");
    expect(modes.slice(1).every((mode) => mode === "include")).toBe(true);
    expect((await server.get("/Observation?_include=*&_summary=count")).body).not.toHaveProperty("entry");
  });

  it("include current versions only", async () => {
    await server.load([{ resource: observation("m", "Patient/p1", "Practitioner/d1"), versionId: 1 }], false);
    await server.load([{ resource: observation("m", "Patient/p2", "Practitioner/d1"), versionId: 2 }], false);
    expect(await answer("/Patient?_id=p1&_revinclude=Observation:patient")).toEqual({ matches: "p1", includes: "a,b" });
    expect(await answer("/Observation?_id=m&_include=Observation:subject")).toEqual({ matches: "m", includes: "p2" });
  });

  it("take no number for a reference that the source does not have", async () => {
    // The equality array of a source is forged so that it leads to a resource that the body does not name.
    await server.database.pool.query(
      `update search_resource r set equality = (select o.equality from search_resource o join resource_current h on h.key = o.key
         where h.id = 'a' and o.equality is not null limit 1)
       from resource_current d where d.key = r.key and d.id = 'd'`,
    );
    expect(await answer("/Observation?_id=d&_include=Observation:subject")).toEqual({ matches: "d", includes: "" });
  });

  it("are refused when there are too many, never cut off", async () => {
    const path = "/Organization?_id=chain-0&_include:iterate=Organization:partof";
    await server.loadLive(
      ...Array.from({ length: 40 }, (_, index) => organization(`chain-${index}`, `chain-${index + 1}`)),
    );
    const { status, body } = await server.get(path);
    expect(status).toBe(400);
    expect(body).toMatchObject({ issue: [{ code: "too-costly" }] });
  });
});
