import { afterAll, beforeAll, expect, it } from "vitest";
import { openSearchServer, type SearchServer } from "../testing/search-server.ts";

const URL = "http://forms.example/intake";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    { resourceType: "Questionnaire", id: "q", url: URL, version: "2", title: "Intake" },
    { resourceType: "QuestionnaireResponse", id: "r", questionnaire: `${URL}|2`, subject: { reference: "Patient/p" } },
    { resourceType: "Patient", id: "p", name: [{ family: "Holm" }] },
    {
      resourceType: "Bundle",
      id: "b",
      type: "document",
      entry: [{ resource: { resourceType: "Composition", id: "c" } }],
    },
    { resourceType: "Composition", id: "c", title: "Another" },
  );
});
afterAll(() => server.close());

it.each([
  "QuestionnaireResponse?questionnaire.title=Intake",
  "QuestionnaireResponse?questionnaire:Questionnaire.title=Intake",
  "Questionnaire?_has:QuestionnaireResponse:questionnaire:patient=p",
  "Patient?_has:QuestionnaireResponse:patient:questionnaire.title=Intake",
  "QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire",
  "Questionnaire?_revinclude:iterate=QuestionnaireResponse:questionnaire",
  "Bundle?composition.title=Another",
])("%s cannot be followed, and says so", async (search) => {
  const { status, body } = await server.get(`/${search}`);
  expect(status).toBe(400);
  expect(body).toMatchObject({ resourceType: "OperationOutcome", issue: [{ code: "not-supported" }] });
});

it.each([
  [`QuestionnaireResponse?questionnaire=${encodeURIComponent(URL)}`, ["r"]],
  [`QuestionnaireResponse?questionnaire=${encodeURIComponent(`${URL}|2`)}`, ["r"]],
  ["QuestionnaireResponse?questionnaire:missing=false", ["r"]],
  ["QuestionnaireResponse?subject:Patient.name=Holm", ["r"]],
  ["Patient?_has:QuestionnaireResponse:patient:questionnaire:missing=false", ["p"]],
  ["QuestionnaireResponse?_include=QuestionnaireResponse:*", ["r"]],
  ["Bundle?composition=Composition/c", ["b"]],
])("%s is answered", async (search, expected) => {
  expect(await server.ids(`/${search}`)).toEqual(expected);
});
