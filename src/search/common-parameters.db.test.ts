import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import { entriesOf, linkOf, openSearchServer, type SearchServer } from "./testing/search-server.ts";

const V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    {
      resourceType: "Patient",
      id: "p1",
      meta: {
        source: "http://ehr.example/feed#17",
        profile: ["http://profiles.example/patient|1.2", "http://profiles.example/other"],
        security: [{ system: V3, code: "R", display: "Restricted" }],
        tag: [{ system: "urn:t", code: "a" }],
      },
    },
    { resourceType: "Patient", id: "p2", meta: { source: "urn:feed", security: [{ system: V3, code: "N" }] } },
    { resourceType: "Patient", id: "p3" },
    { resourceType: "Observation", id: "o1", meta: { tag: [{ code: "a" }] }, subject: { reference: "Patient/p1" } },
    {
      resourceType: "List",
      id: "l1",
      entry: [{ item: { reference: "Patient/p1" } }, { item: { reference: "Observation/o1" } }],
    },
    { resourceType: "List", id: "l2", entry: [{ item: { reference: "Patient/p3" } }] },
    {
      resourceType: "ValueSet",
      id: "open",
      compose: { include: [{ system: V3, concept: [{ code: "N" }, { code: "L" }] }] },
    },
  );
});
afterAll(() => server.close());

const q = encodeURIComponent;

describe("parameters of every type", () => {
  it.each([
    [`Patient?_source=${q("http://ehr.example/feed#17")}`, "p1"],
    [`Patient?_source=${q("http://ehr.example/feed")}`, ""],
    [`Patient?_source:below=${q("http://ehr.example/")}`, "p1"],
    [`Patient?_source:above=${q("http://ehr.example/feed#17/x")}`, "p1"],
    ["Patient?_source:missing=true", "p3"],
    ["Patient?_source=urn:feed", "p2"],
    [`Patient?_security=${q(`${V3}|R`)}`, "p1"],
    ["Patient?_security=N,R", "p1 p2"],
    ["Patient?_security:not=R", "p2 p3"],
    ["Patient?_security:text=restr", "p1"],
    ["Patient?_security:in=ValueSet/open", "p2"],
    ["Patient?_security:not-in=ValueSet/open", "p1 p3"],
    ["Patient?_tag=urn:t%7Ca", "p1"],
    ["Patient?_tag=%7Ca", ""],
    ["Patient?_tag:missing=false", "p1"],
    [`Patient?_profile=${q("http://profiles.example/patient")}`, "p1"],
    [`Patient?_profile=${q("http://profiles.example/patient|1.2")}`, "p1"],
    [`Patient?_profile=${q("http://profiles.example/patient|1.3")}`, ""],
    [`Patient?_profile:below=${q("http://profiles.example")}`, "p1"],
    ["Patient?_profile:missing=true", "p2 p3"],
    ["Patient?_list=l1", "p1"],
    ["Patient?_list=List/l1,l2", "p1 p3"],
    ["Patient?_list=l1&_security=N", ""],
    ["Patient?_list=nowhere", ""],
    ["?_list=l1", "o1 p1"],
    ["?_list=l1&_type=Observation", "o1"],
    ["?_tag=a", "o1 p1"],
    ["?_type=Patient,List&_tag:missing=true", "l1 l2 p2 p3"],
    ["?_type:not=Patient,ValueSet,List", "o1"],
    ["?_type=Patient,Observation&_type=Observation,List", "o1"],
    ["?_type=Patient,Observation&_security=R,N", "p1 p2"],
    ["?_type=Patient&_lastUpdated=gt2000", "p1 p2 p3"],
    ["?_type=Patient&_lastUpdated=lt2000", ""],
    ["?_id=p1,o1,nobody", "o1 p1"],
    ["Observation?subject._security=R", "o1"],
    ["Patient?_has:Observation:subject:_tag=a", "p1"],
    ["Patient?_has:List:item:_id=l2", "p3"],
    [`Observation?subject:Patient._source:below=${q("http://ehr")}`, "o1"],
  ])("%s finds %s", async (path, expected) => {
    expect((await server.ids(`/${path}`)).join(" ")).toBe(expected);
  });

  it.each([
    ["Patient?_filter=x", "not-supported"],
    ["Patient?_query=x", "not-supported"],
    ["Patient?_list=$current-problems", "not-supported"],
    ["Patient?_list:not=l1", "not-supported"],
    ["Patient?_lastUpdated:not=2020", "not-supported"],
    ["Patient?_source:exact=x", "not-supported"],
    ["Patient?_security:exact=x", "not-supported"],
    ["?_type=Spaceship", "invalid"],
    ["Patient?_count=-1", "invalid"],
  ])("%s is an error", async (path, code) => {
    const { status, body } = await server.get(`/${path}`);
    expect([status, (body["issue"] as JsonObject[])[0]?.["code"]]).toEqual([400, code]);
  });

  it.each(["_count=0", "_summary=count", "_count=0&_sort=gender", "_count=0&_include=*"])(
    "%s answers with the number of matches only",
    async (control) => {
      const { status, body } = await server.get(`/Patient?_security=R,N&${control}`);
      expect([status, body["total"], entriesOf(body)]).toEqual([200, 2, []]);
      expect(linkOf(body, "next")).toBeUndefined();
      expect(linkOf(body, "self")).toContain("_security=R,N");
    },
  );

  it("counts what is asked for by _total, whatever the page", async () => {
    for (const [total, expected] of [
      ["accurate", 3],
      ["estimate", 3],
      ["none", undefined],
    ] as const) {
      const { body } = await server.get(`/Patient?_total=${total}&_count=1`);
      expect([total, body["total"], entriesOf(body).length]).toEqual([total, expected, 1]);
    }
  });
});
