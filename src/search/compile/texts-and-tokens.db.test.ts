import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(...RESOURCES);
});
afterAll(() => server.close());

const q = encodeURIComponent;

function patient(id: string, more: JsonObject): JsonObject {
  return { resourceType: "Patient", id, ...more };
}

function document(id: string, contentType: string): JsonObject {
  const content = [{ attachment: { contentType } }];
  return { resourceType: "DocumentReference", id, status: "current", content };
}

const RESOURCES: JsonObject[] = [
  patient("neil", { name: [{ family: "O'Neil", given: ["Mary  Ann"] }] }),
  patient("neill", { name: [{ family: "O’Neill", given: ["Mary-Ann"] }] }),
  patient("carreno", { name: [{ family: "Carreño-Quiñones" }], address: [{ city: "St. Louis" }] }),
  patient("berg", {
    name: [{ family: "van der  Berg" }],
    address: [{ city: "Łódź", line: ["U.S.A. Street 5, Apt. 4"] }],
  }),
  patient("rikard", { name: [{ family: "Rikard,Noel", text: "Æ. Đorđević Sørensen" }] }),
  patient("mail", { telecom: [{ system: "email", value: "Ann@Example.org" }] }),
  { resourceType: "Medication", id: "lot", batch: { lotNumber: "AB12c" } },
  { resourceType: "ValueSet", id: "beta", status: "draft", url: "http://t.example/vs", version: "1.0-Beta" },
  { resourceType: "ValueSet", id: "two", status: "draft", url: "http://t.example/vs", version: "2" },
  { resourceType: "ValueSet", id: "other", status: "draft", url: "http://t.example/other", version: "2" },
  document("png", "image/PNG"),
  document("jpeg", "image/jpeg"),
  document("xml", "text/xml"),
  document("xml-utf8", "text/xml; charset=UTF-8"),
  document("xml-long", "text/xml-external"),
  { resourceType: "Task", id: "order", status: "draft", intent: "order" },
  { resourceType: "Task", id: "unknown", status: "draft", intent: "unknown" },
  {
    resourceType: "Observation",
    id: "cased",
    status: "final",
    code: { coding: [{ system: "http://t.example/c", code: "AbC" }] },
  },
];

describe("strings ignore punctuation, white space, case and accents (R4 search, 3.1.1.4.8)", () => {
  it.each([
    ["family=oneil", "neil neill"],
    ["family=o'neil", "neil neill"],
    ["family=ONEILL", "neill"],
    ["name=carreno quinones", "carreno"],
    ["name=carreno-quinones", "carreno"],
    ["family=carrenoquinones", "carreno"],
    ["family=quinones", "carreno"],
    ["name=Quiñ", "carreno"],
    ["family=berg", "berg"],
    ["family=der berg", "berg"],
    ["family=van der berg", "berg"],
    ["family=erg", ""],
    ["family=noel", ""],
    ["name=noel", ""],
    ["family=rikard noel", "rikard"],
    ["given=mary ann", "neil neill"],
    ["given=mary   ann", "neil neill"],
    ["given=maryann", "neill"],
    ["given=ann", ""],
    ["name=ae dordevic sor", "rikard"],
    ["address-city=st louis", "carreno"],
    ["address-city=St. Lou", "carreno"],
    ["address-city=lodz", "berg"],
    ["address=usa street", "berg"],
    ["address=u s a street 5 apt 4", "berg"],
    ["family:contains=neil", "neil neill"],
    ["family:contains=o-quin", "carreno"],
    ["family:exact=O'Neil", "neil"],
    ["family:exact=oneil", ""],
    ["family:exact=Quiñones", ""],
    ["given:exact=Mary  Ann", "neil"],
    ["given:exact=Mary Ann", ""],
  ])("Patient?%s finds %s", async (query, expected) => {
    const [name = "", value = ""] = query.split("=");
    const escaped = value.replaceAll(",", String.raw`\,`);
    expect((await server.ids(`/Patient?${name}=${q(escaped)}`)).join(" ")).toBe(expected);
  });

  it("are sorted by the whole of them, not by the parts of a family name", async () => {
    const { body } = await server.get("/Patient?_sort=family&family:missing=false&_elements=id");
    const entries = body["entry"] as { resource: { id: string } }[];
    expect(entries.map(({ resource }) => resource.id)).toEqual(["carreno", "neil", "neill", "rikard", "berg"]);
  });
});

describe("tokens that are strings, or media types, are found whatever their case (R4 search, 3.1.1.4.10)", () => {
  it.each([
    ["Medication?lot-number=AB12c", "lot"],
    ["Medication?lot-number=ab12C", "lot"],
    ["Medication?lot-number=|ab12C", "lot"],
    ["Medication?lot-number:not=ab12c", ""],
    ["ValueSet?url=http://t.example/vs&version=1.0-BETA", "beta"],
    ["Patient?email=ann@example.org", "mail"],
    ["Patient?telecom=ANN@EXAMPLE.ORG", "mail"],
    ["Patient?phone=ann@example.org", ""],
    ["Observation?code=http://t.example/c|AbC", "cased"],
    ["Observation?code=http://t.example/c|abc", ""],
    ["Observation?code=abc", ""],
    ["DocumentReference?contenttype=IMAGE/png", "png"],
    ["DocumentReference?contenttype=urn:ietf:bcp:13|IMAGE/png", "png"],
    ["DocumentReference?contenttype=urn:ietf:bcp:13|", "jpeg png xml xml-long xml-utf8"],
    ["DocumentReference?contenttype=text/xml", "xml"],
  ])("%s finds %s", async (path, expected) => {
    const [type = "", query = ""] = path.split("?");
    expect((await server.ids(`/${type}?${query.replaceAll("|", "%7C")}`)).join(" ")).toBe(expected);
  });
});

describe("media types below another one (R4 search, 3.1.1.4.10.1)", () => {
  it.each([
    ["text/xml", "xml xml-utf8"],
    ["TEXT/XML", "xml xml-utf8"],
    ["urn:ietf:bcp:13|text/xml", "xml xml-utf8"],
    ["text/xml;charset=UTF-8", ""],
    ["text/xml; charset=UTF-8", "xml-utf8"],
    ["image", "jpeg png"],
    ["image/", "jpeg png"],
    ["image/*", "jpeg png"],
    ["image/png,text", "png xml xml-long xml-utf8"],
    ["im", ""],
    ["video", ""],
  ])("contenttype:below=%s finds %s", async (value, expected) => {
    expect((await server.ids(`/DocumentReference?contenttype:below=${q(value)}`)).join(" ")).toBe(expected);
  });

  it.each(["contenttype:below=http://x|text/xml", "contenttype:above=text/xml"])("%s is a 400", async (query) => {
    const { status, text } = await server.get(`/DocumentReference?${query.replaceAll("|", "%7C")}`);
    expect(status).toBe(400);
    expect(text).toContain("contenttype");
  });
});

describe("codes of a binding that draws on several code systems", () => {
  it.each([
    ["http://hl7.org/fhir/request-intent|order", "order"],
    ["http://hl7.org/fhir/request-intent|unknown", ""],
    ["http://hl7.org/fhir/task-intent|unknown", "unknown"],
    ["http://hl7.org/fhir/request-intent|", "order"],
    ["|order", "order"],
    ["order,unknown", "order unknown"],
  ])("Task?intent=%s finds %s", async (value, expected) => {
    expect((await server.ids(`/Task?intent=${q(value)}`)).join(" ")).toBe(expected);
  });
});
