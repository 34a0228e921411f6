import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { BASE, entriesOf, openSearchServer, type SearchServer } from "../testing/search-server.ts";

const OTHER = "http://other.example/fhir";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
});
afterAll(() => server.close());

const q = encodeURIComponent;

function observation(id: string, reference: string): JsonObject {
  return { resourceType: "Observation", id, code: { coding: [{ code: `c-${id}` }] }, subject: { reference } };
}

async function included(path: string): Promise<string[]> {
  return entriesOf((await server.get(path)).body)
    .filter((entry) => (entry["search"] as JsonObject)["mode"] === "include")
    .map((entry) => (entry["resource"] as JsonObject)["id"] as string)
    .toSorted();
}

describe("references that are URLs of this server (contract 10.7)", () => {
  it("are none before there are any", async () => {
    await server.loadLive(
      { resourceType: "Patient", id: "p", name: [{ family: "Peter" }] },
      observation("relative", "Patient/p"),
      observation("other", `${OTHER}/Patient/p`),
    );
    expect(await server.ids("/Observation?subject.name=peter")).toEqual(["relative"]);
    expect(await included("/Observation?_include=Observation:subject")).toEqual(["p"]);
  });

  describe("when there are", () => {
    beforeAll(() =>
      server.loadLive(
        observation("own", `${BASE}/Patient/p`),
        observation("old", `${BASE}/Patient/p/_history/3`),
        observation("nobody", `${BASE}/Patient/nobody`),
        observation("group", `${BASE}/Group/p`),
        { resourceType: "List", id: "l", entry: [{ item: { reference: `${BASE}/Patient/p` } }] },
        { resourceType: "ValueSet", id: "v", url: "urn:v" },
        { resourceType: "Patient", id: "q", managingOrganization: { reference: `${BASE}/Organization/o` } },
        { resourceType: "Organization", id: "o", name: "North" },
      ),
    );

    it.each([
      ["Observation?subject=Patient/p", "old own relative"],
      [`Observation?subject=${q(`${BASE}/Patient/p`)}`, "old own relative"],
      [`Observation?subject=${q(`${OTHER}/Patient/p`)}`, "other"],
      ["Observation?subject=p", "group old own relative"],
      ["Observation?subject:Patient=p", "old own relative"],
      ["Observation?patient=p", "old own relative"],
      [`Observation?subject=${q(`${OTHER}/Patient/p/_history/2`)}`, ""],
      [`Observation?subject=${q(`${BASE}/Patient/p/_history/3`)}`, "old"],
      ["Observation?subject=Patient/p/_history/3", "old"],
      ["Observation?patient=Patient/p/_history/3", "old"],
      ["Observation?subject=Patient/p/_history/2", ""],
      [`Observation?subject:Patient=${q(`${OTHER}/Patient/p`)}`, "other"],
      [`Observation?subject:Group=${q(`${OTHER}/Patient/p`)}`, undefined],
      ["Observation?subject:not-a-type=p", undefined],
      ["Observation?subject.name=peter", "old own relative"],
      ["Observation?patient.name=peter", "old own relative"],
      ["Patient?organization.name=north", "q"],
      ["Patient?_has:Observation:subject:code=c-own", "p"],
      ["Patient?_has:Observation:patient:code=c-old", "p"],
      ["Patient?_has:Observation:subject:code=c-other", ""],
      ["Patient?_list=l", "p"],
      ["Patient/p/Observation", "old own relative"],
    ])("%s finds %s", async (path, expected) => {
      if (expected === undefined) expect((await server.get(`/${path}`)).status).toBe(400);
      else expect((await server.ids(`/${path}`)).join(" ")).toBe(expected);
    });

    it("are followed by includes", async () => {
      expect(await included("/Observation?_id=own&_include=Observation:subject")).toEqual(["p"]);
      // The version that it means is not stored.
      expect(await included("/Observation?_id=old&_include=*")).toEqual([]);
      expect(await included("/Observation?_id=other&_include=*")).toEqual([]);
      expect(await included("/Patient?_id=p&_revinclude=Observation:subject")).toEqual(["old", "own", "relative"]);
      expect(await included("/Patient?_id=p&_revinclude=Observation:patient")).toEqual(["old", "own", "relative"]);
    });

    it("belong to $everything", async () => {
      expect(await server.ids("/Patient/p/$everything?_count=50")).toEqual(["old", "own", "p", "relative"]);
    });
  });
});
