import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import { entriesOf, linkOf, matchesOf, openSearchServer, type SearchServer } from "./testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.load([
    {
      resource: {
        resourceType: "Patient",
        id: "a",
        name: [{ family: "Holm" }],
        active: true,
        telecom: [{ system: "phone", value: "555" }],
      },
      lastUpdated: Date.UTC(2020, 0, 1),
    },
    { resource: { resourceType: "Patient", id: "b", name: [{ family: "O'Hara" }] }, lastUpdated: Date.UTC(2021, 0, 1) },
    { resource: { resourceType: "Patient", id: "c", name: [{ family: "100%" }] }, lastUpdated: Date.UTC(2022, 0, 1) },
    { resource: { resourceType: "Patient", id: "gone", name: [{ family: "Holm" }] } },
    { resource: { resourceType: "Patient", id: "gone" }, versionId: 2, deleted: true },
    {
      resource:
        '{"resourceType":"Observation","id":"d","valueQuantity":{"value":1.500},"status":"final","subject":{"reference":"Patient/a"}}',
    },
  ]);
});
afterAll(() => server.close());

describe("a modifier that is not supported", () => {
  it.each([
    ["/Patient?birthdate:above=2", "A parameter of type date takes :missing."],
    ["/Patient?name:above=x", "A parameter of type string takes :missing, :exact, :contains."],
    ["/Observation?subject:text=x", "A parameter of type reference takes :missing, :identifier, :[type]."],
    ["/Observation?subject:above=Patient/a", "':below' works for canonical references, tokens and uris"],
    ["/DocumentReference?contenttype:above=text/xml", "not supported for media types, which take ':below'"],
  ])("%s is an error that names those that are", async (path, text) => {
    const { status, body } = await server.get(path);
    expect([status, body]).toEqual([
      400,
      expect.objectContaining({
        issue: [expect.objectContaining({ code: "not-supported", diagnostics: expect.stringContaining(text) })],
      }),
    ]);
  });
});

describe("the searchset", () => {
  it("has links, full URLs and the stored bytes", async () => {
    const { body, text, headers } = await server.get("/Observation?status=final");
    expect(headers["content-type"]).toBe("application/fhir+json; charset=utf-8");
    expect(body).toMatchObject({
      resourceType: "Bundle",
      type: "searchset",
      link: [{ relation: "self", url: "http://stoker.test/fhir/Observation?status=final" }],
      entry: [{ fullUrl: "http://stoker.test/fhir/Observation/d", search: { mode: "match" } }],
    });
    // Known, as all matches are on the page.
    expect(body["total"]).toBe(1);
    expect(text).toContain('"value":1.500');
  });
  it("has no entry when nothing is found, and leaves out what is deleted (C-111)", async () => {
    expect((await server.get("/Patient?family=nobody")).body).not.toHaveProperty("entry");
    expect(await server.ids("/Patient?family=Holm")).toEqual(["a"]);
  });
  it.each([
    ["_count=0", 3, 0],
    ["_summary=count", 3, 0],
    ["_total=accurate&_count=1", 3, 1],
    ["_total=estimate", 3, 3],
    ["_total=none", undefined, 3],
    ["_count=5000", 3, 3],
    ["_count=3", 3, 3],
    ["_count=2", undefined, 2],
    ["_count=2&_total=estimate", 3, 2],
    ["_count=2&_total=none", undefined, 2],
  ])("%s has total %s and %i entries", async (query, total, entries) => {
    const { body } = await server.get(`/Patient?${query}`);
    expect(body["total"]).toBe(total);
    expect(matchesOf(body)).toHaveLength(entries);
  });
  it("can be asked for by POST, with parameters in the form and in the URL", async () => {
    const { status, body } = await server.post("/Patient/_search?family=O", "_id=b,c&_count=5");
    expect(status).toBe(200);
    expect(matchesOf(body).map((resource) => resource["id"])).toEqual(["b"]);
    expect(linkOf(body, "self")).toBe("/Patient?family=O&_id=b,c&_count=5");
  });
  it("takes no other form than a form", async () => {
    const { status } = await server.post("/Patient/_search", '{"family":"O"}', "application/fhir+json");
    expect(status).toBe(415);
    expect((await server.post("/Patient/_search", "", "application/fhir+json")).status).toBe(200);
  });
  it.each([
    ["_sort=_lastUpdated", ["a", "b", "c"]],
    ["_sort=-_lastUpdated", ["c", "b", "a"]],
  ])("%s sorts over pages", async (query, expected) => {
    const seen: unknown[] = [];
    let path: string | undefined = `/Patient?${query}&_count=1`;
    while (path !== undefined) {
      const { body } = await server.get(path);
      seen.push(...matchesOf(body).map((resource) => resource["id"]));
      path = linkOf(body, "next");
    }
    expect(seen).toEqual(expected);
  });
  it.each([
    ["_lastUpdated=2021", "b"],
    ["_lastUpdated=ge2021", "b,c"],
    ["_lastUpdated=lt2021", "a"],
    ["_lastUpdated=ne2021", "a,c"],
    ["_lastUpdated=2021-01-01T00:00:00.000Z", "b"],
    // A + that was not escaped is a space in a query.
    ["_lastUpdated=2021-01-01T01:00:00.000+01:00", "b"],
    ["_lastUpdated=2021-01-01T00:00:00.0000001Z", ""],
    ["_lastUpdated=gt2020-12-31T23:59:59.9999999Z", "b,c"],
    ["_lastUpdated=gt2020-06&_lastUpdated=lt2021-06", "b"],
    ["_lastUpdated=2020,2022", "a,c"],
  ])("%s finds %s", async (query, expected) => {
    expect((await server.ids(`/Patient?${query}`)).join(",")).toBe(expected);
  });
});

describe("what is not understood", () => {
  it("is a warning in the answer and not in the self link", async () => {
    const { status, body } = await server.get("/Patient?family=Holm&shoe-size=43&_contained=true");
    expect(status).toBe(200);
    const outcomes = entriesOf(body).filter((entry) => (entry["search"] as JsonObject)["mode"] === "outcome");
    expect(outcomes).toMatchObject([
      { resource: { resourceType: "OperationOutcome", issue: [{ severity: "warning" }, { severity: "warning" }] } },
    ]);
    expect(JSON.stringify(outcomes)).toContain("shoe-size");
    expect(outcomes[0]?.["fullUrl"]).toMatch(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(matchesOf(body)).toHaveLength(1);
    expect(linkOf(body, "self")).toBe("/Patient?family=Holm");
  });
  it.each(["handling=strict", "respond-async, handling=strict", "return=minimal; handling=strict"])(
    "is an error with Prefer: %s",
    async (prefer) => {
      const { status, body } = await server.get("/Patient?shoe-size=43", { prefer });
      expect(status).toBe(400);
      expect(body).toMatchObject({ issue: [{ expression: ["shoe-size"] }] });
    },
  );
  it("is a parameter that some of the types do not have, in a search over types", async () => {
    const { body } = await server.get("?_type=Patient,Observation&family=Holm");
    expect(JSON.stringify(body)).toContain("family");
    expect(linkOf(body, "self")).toBe("?_type=Patient,Observation");
  });
  it.each([
    "family:phonetic=a",
    "gender:exact=male",
    "family:not=Holm",
    "birthdate:exact=2000",
    "_id:exact=a",
    "organization:Spaceship=1",
    "_filter=x",
    "_query=x",
    "_list=$current-allergies",
    "_has=x",
    "organization._filter=x",
    "organization.name:phonetic=x",
    "_has:Observation:patient:_query=x",
    "_include:recurse=Patient:organization",
    "_revinclude=*",
  ])("%s is always an error, never a wider answer", async (query) => {
    const { status, body } = await server.get(`/Patient?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ issue: [{ severity: "error", code: "not-supported" }] });
  });
});

describe("tokens without a system", () => {
  it.each([
    "telecom=555",
    "telecom=|555",
    "phone=555",
    "active=true",
    "active=http://hl7.org/fhir/special-values|true",
  ])("%s finds the value", async (query) => {
    expect(await server.ids(`/Patient?${query}`)).toEqual(["a"]);
  });
});

describe("parameters without a value", () => {
  const empty = [
    "family=",
    "family:exact=",
    "family=,",
    "gender=",
    "shoe-size=",
    "organization.name=",
    "_id=",
    "_type=",
  ];
  const result = [
    "_sort=",
    "_sort=,",
    "_count=",
    "_total=",
    "_include=",
    "_revinclude=",
    "_summary=",
    "_elements=",
    "_cursor=",
  ];
  it.each([...empty, ...result])("%s is ignored (R4 3.1.1.3)", async (query) => {
    const { status, body } = await server.get(`/Patient?${query}&_id=a,b`);
    expect([status, entriesOf(body).map(({ search }) => (search as JsonObject)["mode"])]).toEqual([
      200,
      ["match", "match"],
    ]);
    expect(linkOf(body, "self")).toBe("/Patient?_id=a,b");
  });
  it.each([...empty, ...result])("%s is an error with Prefer: handling=strict", async (query) => {
    const { status, body } = await server.get(`/Patient?${query}&_id=a,b`, { prefer: "handling=strict" });
    expect(status).toBe(400);
    expect(body).toMatchObject({ issue: [{ expression: [query.split("=")[0]] }] });
  });
  it.each([
    ["family=Holm,", "a"],
    ["family=,O'Hara,,Holm", "a,b"],
    ["_id=c,", "c"],
    ["_lastUpdated=2021,", "b"],
    ["_sort=-_lastUpdated,", "a,b,c"],
    ["_elements=name,", "a,b,c"],
  ])("%s finds %s: empty values among others do not count", async (query, expected) => {
    expect((await server.ids(`/Patient?${query}`)).join(",")).toBe(expected);
    expect((await server.ids(`/Patient?${query}`, { prefer: "handling=strict" })).join(",")).toBe(expected);
  });
  it.each(["/_history", "/Patient/_history", "/Patient/a/_history"])("are ignored in %s", async (path) => {
    for (const name of ["_count", "_since", "_at", "_sort", "_total", "_summary", "_elements"]) {
      expect([name, (await server.get(`${path}?${name}=`)).status]).toEqual([name, 200]);
      expect((await server.get(`${path}?${name}=`, { prefer: "handling=strict" })).status).toBe(400);
    }
  });
});

describe("result parameters", () => {
  it("_sort may come several times (R4 3.1.1.9)", async () => {
    const { body } = await server.get("/Patient?_sort=gender&_sort=-_lastUpdated");
    expect(matchesOf(body).map(({ id }) => id)).toEqual(["c", "b", "a"]);
    expect(linkOf(body, "self")).toBe("/Patient?_sort=gender&_sort=-_lastUpdated");
    expect((await server.get("/Patient?_sort=gender&_sort=-gender")).status).toBe(400);
  });
  it.each([
    ["_lastUpdated=ge2020-01-01T00:00:00+01:00", "_lastUpdated=ge2020-01-01T00:00:00%2B01:00"],
    ["_lastUpdated=ge2020-01-01T00:00:00%2B01:00", "_lastUpdated=ge2020-01-01T00:00:00%2B01:00"],
    ["_lastUpdated=ge2020-01-01T00:00:00.123+01:00,2019", "_lastUpdated=ge2020-01-01T00:00:00.123%2B01:00,2019"],
    ["_format=application/fhir+json", "_format=application/fhir%2Bjson"],
    ["name=a+b", "name=a%20b"],
    ["name=a%2Bb", "name=a%2Bb"],
  ])("of %s the self link keeps the +: %s", async (query, expected) => {
    expect(linkOf((await server.get(`/Patient?${query}`)).body, "self")).toBe(`/Patient?${expected}`);
  });
  it("the self link says the _count that is applied", async () => {
    for (const path of ["/Patient", "/Patient/_history", "/_history", "/Patient/a/_history"]) {
      expect(linkOf((await server.get(`${path}?_count=5000`)).body, "self")).toBe(`${path}?_count=1000`);
    }
  });
  it.each([
    ["_include:recurse=Patient:organization", "_include:iterate"],
    ["_revinclude:recurse=Observation:subject", "_revinclude:iterate"],
    ["_revinclude=*", "_revinclude=Observation:subject"],
    ["_revinclude:iterate=*", "_revinclude:iterate=Observation:subject"],
  ])("%s is refused with R4's form", async (query, form) => {
    const { status, body } = await server.get(`/Patient?${query}`);
    expect(status).toBe(400);
    expect((body["issue"] as JsonObject[])[0]?.["diagnostics"]).toContain(form);
  });
});

describe("_has", () => {
  it.each([
    ["?_has:Observation:subject:status=final", "a"],
    ["?_type=Patient,Observation&_has:Observation:subject:status=final", "a"],
    ["?_type=Observation&_has:Observation:subject:status=final", ""],
    ["/Observation?_has:Observation:subject:status=final", ""],
    ["?_has:Observation:subject:_has:Provenance:target:_id=x", ""],
    ["?_has:Observation:subject:status=final&_has:Encounter:subject:status=finished", ""],
    ["/Observation?_has:Observation:subject:status=final&_total=accurate&_sort=-_lastUpdated", ""],
    ["/Observation?_has:Observation:subject:_has:Observation:subject:_id=d", ""],
  ])("%s finds %s: types that the reference cannot point to do not match", async (path, expected) => {
    expect((await server.ids(path)).join(",")).toBe(expected);
  });
  it("finds in every form the same as with the type named", async () => {
    const { body } = await server.get("?_has:Observation:subject:status=final&_summary=count");
    expect(body["total"]).toBe(1);
  });
  it.each([
    "_has:Observation:shoe:status=final",
    "_has:Observation:status:status=final",
    "_has:Observation:subject:shoe=1",
  ])("%s is an error", async (query) => {
    expect((await server.get(`?${query}`)).status).toBe(400);
    expect((await server.get(`/Patient?${query}`)).status).toBe(400);
  });
});

describe("values that make no sense", () => {
  it.each([
    ["Patient", "birthdate", "yesterday"],
    ["Patient", "birthdate", "xx2012"],
    ["Patient", "birthdate", "2012-13"],
    ["Patient", "gender", "|"],
    ["Patient", "gender:missing", "maybe"],
    ["Patient", "family", "a%00b"],
    ["Patient", "_lastUpdated", "now"],
    ["Patient", "_count", "-1"],
    ["Patient", "_count", "ten"],
    ["Patient", "_total", "some"],
    ["Patient", "_include", "organization"],
    ["Patient", "_include", "Patient:shoe"],
    ["Patient", "_include", "Patient:name"],
    ["Patient", "_include", "Patient:organization:Practitioner"],
    ["Patient", "_include:iterate", "Spaceship:*"],
    ["Patient", "_revinclude", "Observation:patient:Patient:x"],
    ["Patient", "_summary", "short"],
    ["Patient", "_elements", "name.family"],
    ["Patient", "_elements", "shoe"],
    ["Patient", "_cursor", "AQ"],
    ["Patient", "_cursor", "'; select 1"],
    ["Patient", "general-practitioner:Practitioner", "Organization/1"],
    ["Observation", "value-quantity", "many"],
    ["Observation", "value-quantity", "1|a|b|c"],
    ["Observation", "value-quantity", "5.4|mg"],
    ["Observation", "value-quantity", "5.4|mg|"],
    ["Observation", "code-value-quantity", "a$5.4|mg"],
    ["Patient", "family", "xx%5Cxx"],
    ["Patient", "family", "Holm%5C"],
    ["Patient", "identifier", "a%5C%5C%5Cb"],
    ["Patient", "_id", "a%5Cb"],
    ["Patient", "organization.name", "a%5Cb"],
    ["Patient", "telecom", "phone|555"],
    ["Patient", "telecom", "phone|"],
    ["Patient", "phone:not", "urn:x|555"],
    ["Patient", "general-practitioner.telecom", "phone|555"],
    ["Patient", "active", "urn:x|true"],
    ["Observation", "code-value-quantity", "a"],
    ["Observation", "code-value-quantity", "a$b"],
    ["Observation", "code-value-quantity", "a$1$2"],
    ["RiskAssessment", "probability", "1|a"],
    ["RiskAssessment", "probability", "0x10"],
  ])("%s?%s=%s is a 400 that names the parameter", async (type, name, value) => {
    const { status, body } = await server.get(`/${type}?${name}=${value}`);
    expect(status).toBe(400);
    const [issue] = body["issue"] as JsonObject[];
    expect(issue?.["expression"]).toEqual([name]);
    expect(issue?.["diagnostics"]).toContain(name);
  });
  it("are not repeated in the message: they may be somebody's data", async () => {
    expect((await server.get("/Patient?birthdate=Secret")).text).not.toContain("Secret");
  });
});

describe("hostile values", () => {
  const hostile = ["'; drop table head; --", "\\\\'; drop table head", "$1", "%", "_", "O'Hara", "{1,2}", '"', "\\\\"];
  it.each(hostile)("%s is only a value", async (value) => {
    const text = encodeURIComponent(value);
    for (const name of [
      "family",
      "family:contains",
      "family:exact",
      "name",
      "identifier",
      "organization",
      "_id",
      "_tag",
    ]) {
      const ids = await server.ids(`/Patient?${name}=${text}`);
      const expected =
        value === "O'Hara" && /family|name/.test(name)
          ? ["b"]
          : // Punctuation is no part of what is compared: `{1` and `2}` are numbers in a name.
            value === "{1,2}" && /^(?:family|name)(?:$|:contains)/.test(name)
            ? ["c"]
            : [];
      expect([name, ids]).toEqual([name, expected]);
    }
    for (const name of ["url", "url:above", "url:below"])
      expect(await server.ids(`/ValueSet?${name}=${text}`)).toEqual([]);
    expect(await server.ids("/Patient")).toEqual(["a", "b", "c"]);
  });
  it("takes a long list of values", async () => {
    const list = Array.from({ length: 3000 }, (_, index) => `x${index}`).join(",");
    for (const name of ["_id", "family", "birthdate", "identifier"]) {
      const value = name === "birthdate" ? list.replaceAll("x", "").replaceAll(/\d+/g, "2001") : list;
      const { status, body } = await server.post("/Patient/_search", `${name}=${value}`);
      expect([name, status, matchesOf(body)]).toEqual([name, 200, []]);
    }
    expect((await server.post("/Patient/_search", `family=${list},${list}`)).status).toBe(400);
  });
});
