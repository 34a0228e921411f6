import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { BASE, entriesOf, openSearchServer, type SearchServer } from "../testing/search-server.ts";

const FORM = "http://forms.example/intake";
const PLACE = "http://acme.example/fhir/Questionnaire/intake";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(...RESOURCES);
});
afterAll(() => server.close());

const q = encodeURIComponent;

function response(id: string, questionnaire: string, more: JsonObject = {}): JsonObject {
  return { resourceType: "QuestionnaireResponse", id, status: "completed", questionnaire, ...more };
}

function form(id: string, url: string, version: string | undefined, title: string): JsonObject {
  return { resourceType: "Questionnaire", id, status: "active", url, ...(version !== undefined && { version }), title };
}

const RESOURCES: JsonObject[] = [
  form("intake", `${BASE}/Questionnaire/intake`, "1", "Here"),
  form("form-1", FORM, "1.0", "First"),
  form("form-11", FORM, "1.1", "Second"),
  form("form-2", FORM, "2", "Third"),
  form("form-10", FORM, "10", "Tenth"),
  form("place", PLACE, undefined, "There"),
  response("rel", "Questionnaire/intake", { subject: { reference: "Patient/p" } }),
  response("abs", `${BASE}/Questionnaire/intake`),
  response("rel-v", "Questionnaire/intake|1"),
  response("canon", PLACE),
  response("any", FORM),
  response("v1.0", `${FORM}|1.0`),
  response("v1.1", `${FORM}|1.1`),
  response("v2", `${FORM}|2`),
  response("v10", `${FORM}|10`),
  response("inside", "#q", {
    contained: [{ resourceType: "Questionnaire", id: "q", status: "active", title: "Within" }],
  }),
  { resourceType: "Measure", id: "m-rel", status: "draft", library: ["Library/lib-1"] },
  {
    resourceType: "Measure",
    id: "m-url",
    status: "draft",
    library: ["http://lib.example/one|3"],
    url: "http://m.example/m",
  },
  { resourceType: "Library", id: "lib-1", status: "active", title: "Relative" },
  {
    resourceType: "Library",
    id: "lib-3",
    status: "active",
    url: "http://lib.example/one",
    version: "3",
    title: "Three",
  },
  { resourceType: "MeasureReport", id: "report", status: "complete", type: "summary", measure: "http://m.example/m" },
  {
    resourceType: "Observation",
    id: "derived",
    status: "final",
    code: { text: "x" },
    derivedFrom: [{ reference: "#r" }],
    contained: [response("r", `${FORM}|1.1`, { authored: "2020-01-01" })],
  },
  { resourceType: "Patient", id: "p", name: [{ family: "Holm" }] },
  {
    resourceType: "Bundle",
    id: "b",
    type: "document",
    entry: [{ resource: { resourceType: "Composition", id: "c" } }],
  },
  { resourceType: "Composition", id: "c", title: "Another" },
];

async function idsOf(path: string): Promise<string> {
  const [type = "", query = ""] = path.split("?");
  return (await server.ids(`/${type}?${query.replaceAll("|", "%7C")}`)).join(" ");
}

async function included(path: string): Promise<string> {
  const { status, body, text } = await server.get(`/${path}`);
  if (status !== 200) throw new Error(text);
  return entriesOf(body)
    .filter((entry) => (entry["search"] as JsonObject)["mode"] === "include")
    .map((entry) => (entry["resource"] as JsonObject)["id"] as string)
    .toSorted()
    .join(" ");
}

describe("canonical references are found, relative and absolute alike (R4 search, 3.1.1.4.12 and 13)", () => {
  it.each([
    ["questionnaire=Questionnaire/intake", "abs rel rel-v"],
    ["questionnaire=intake", "abs rel rel-v"],
    [`questionnaire=${BASE}/Questionnaire/intake`, "abs rel rel-v"],
    ["questionnaire:Questionnaire=intake", "abs rel rel-v"],
    ["questionnaire=Questionnaire/intake|1", "rel-v"],
    ["questionnaire=intake|1", "rel-v"],
    [`questionnaire=${BASE}/Questionnaire/intake|1`, "rel-v"],
    ["questionnaire=Questionnaire/intake|2", ""],
    ["questionnaire=Questionnaire/intak", ""],
    [`questionnaire=${PLACE}`, "canon"],
    [`questionnaire=${FORM}`, "any v1.0 v1.1 v10 v2"],
    [`questionnaire=${FORM}|1.0`, "v1.0"],
    [`questionnaire=${FORM}|1`, ""],
    [`questionnaire=${FORM},${PLACE}`, "any canon v1.0 v1.1 v10 v2"],
    [`questionnaire:below=${FORM}`, "any v1.0 v1.1 v10 v2"],
    [`questionnaire:below=${FORM}|1`, "v1.0 v1.1"],
    [`questionnaire:below=${FORM}|1.1`, "v1.1"],
    [`questionnaire:below=${FORM}|3`, ""],
    ["questionnaire:below=Questionnaire/intake|1", "rel-v"],
    ["questionnaire:below=Questionnaire/intake", "abs rel rel-v"],
    ["questionnaire:missing=true", ""],
    ["questionnaire=#q", "inside"],
  ])("QuestionnaireResponse?%s finds %s", async (query, expected) => {
    expect(await idsOf(`QuestionnaireResponse?${query.replace("#", "%23")}`)).toBe(expected);
  });

  it.each([
    ["Measure?depends-on=Library/lib-1", "m-rel"],
    ["Measure?depends-on=lib-1", "m-rel"],
    ["Measure?depends-on=http://lib.example/one", "m-url"],
    ["Measure?depends-on=http://lib.example/one|3", "m-url"],
    ["Measure?depends-on=http://lib.example/one|4", ""],
    // `url|version` of the resource itself (3.1.1.4.9)
    [`Questionnaire?url=${FORM}`, "form-1 form-10 form-11 form-2"],
    [`Questionnaire?url=${FORM}|2`, "form-2"],
    [`Questionnaire?url=${FORM}|1`, ""],
    [`Questionnaire?url=${FORM}|1.0,${FORM}|1.1`, "form-1 form-11"],
    [`Questionnaire?url=${PLACE}|2`, ""],
    [`Questionnaire?url=${q(String.raw`${FORM}\|2`)}`, ""],
  ])("%s finds %s", async (path, expected) => {
    expect(await idsOf(path)).toBe(expected);
  });

  it.each(["QuestionnaireResponse?questionnaire=%7C2", "Questionnaire?url=%7C2"])("%s is a 400", async (path) => {
    expect((await server.get(`/${path}`)).status).toBe(400);
  });

  it("other references have no modifier :below, and canonicals no :above", async () => {
    for (const query of ["subject:below=Patient/p", `questionnaire:above=${q(FORM)}`]) {
      expect((await server.get(`/QuestionnaireResponse?${query}`)).status).toBe(400);
    }
  });
});

describe("canonical references are followed", () => {
  it.each([
    ["QuestionnaireResponse?questionnaire.title=here", "abs rel rel-v"],
    ["QuestionnaireResponse?questionnaire:Questionnaire.title=there", "canon"],
    ["QuestionnaireResponse?questionnaire.title=first", "any v1.0"],
    ["QuestionnaireResponse?questionnaire.title=third", "any v2"],
    ["QuestionnaireResponse?questionnaire.version=1.1", "any v1.1"],
    ["QuestionnaireResponse?questionnaire.title=within", "inside"],
    ["Observation?derived-from:QuestionnaireResponse.questionnaire.title=second", "derived"],
    ["Observation?derived-from:QuestionnaireResponse.questionnaire.title=third", ""],
    // Those that several conditions can be met by are read.
    ["Observation?derived-from:QuestionnaireResponse.questionnaire:Questionnaire.title:contains=eco", "derived"],
    ["QuestionnaireResponse?questionnaire.title=none", ""],
    ["QuestionnaireResponse?questionnaire.title=first&questionnaire.title=third", "any"],
    ["MeasureReport?measure.depends-on.title=three", "report"],
    ["Patient?_has:QuestionnaireResponse:patient:questionnaire.title=here", "p"],
    ["Questionnaire?_has:QuestionnaireResponse:questionnaire:patient=p", "intake"],
    ["Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=any", "form-1 form-10 form-11 form-2"],
    ["Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=v2", "form-2"],
    ["Questionnaire?_has:QuestionnaireResponse:questionnaire:_id=v10,canon", "form-10 place"],
    ["Library?_has:Measure:depends-on:_has:MeasureReport:measure:status=complete", "lib-3"],
  ])("%s finds %s", async (path, expected) => {
    expect(await idsOf(path)).toBe(expected);
  });

  it.each([
    ["QuestionnaireResponse?_id=rel&_include=QuestionnaireResponse:questionnaire", "intake"],
    ["QuestionnaireResponse?_id=abs&_include=QuestionnaireResponse:questionnaire", "intake"],
    ["QuestionnaireResponse?_id=canon&_include=QuestionnaireResponse:*", "place"],
    ["QuestionnaireResponse?_id=v1.1,v2&_include=QuestionnaireResponse:questionnaire", "form-11 form-2"],
    ["QuestionnaireResponse?_id=any&_include=*", "form-1 form-10 form-11 form-2"],
    ["MeasureReport?_include=MeasureReport:measure&_include:iterate=Measure:depends-on", "lib-3 m-url"],
    ["Measure?_id=m-rel,m-url&_include=Measure:depends-on:Library", "lib-1 lib-3"],
    ["Measure?_id=m-rel,m-url&_include=Measure:depends-on:ActivityDefinition", ""],
    ["Questionnaire?_id=form-1&_revinclude=QuestionnaireResponse:questionnaire", "any v1.0"],
    ["Questionnaire?_id=place,intake&_revinclude=QuestionnaireResponse:questionnaire", "abs canon rel rel-v"],
    ["Library?_id=lib-3&_revinclude=Measure:depends-on&_revinclude:iterate=MeasureReport:measure", "m-url report"],
  ])("%s includes %s", async (path, expected) => {
    expect(await included(path)).toBe(expected);
  });

  it("but not what is inside of a Bundle", async () => {
    expect(await idsOf("Bundle?composition=Composition/c")).toBe("b");
    const { status, body } = await server.get("/Bundle?composition.title=Another");
    expect(status).toBe(400);
    expect(body).toMatchObject({ resourceType: "OperationOutcome", issue: [{ code: "not-supported" }] });
  });
});
