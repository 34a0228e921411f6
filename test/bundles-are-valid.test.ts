import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkResource } from "../src/check/check-resource.ts";
import type { LineIssue } from "../src/check/issue.ts";
import { generatePopulation } from "../src/generate/generate.ts";
import { BASE, openWriteServer, type Json, type WriteServer } from "../src/http/testing/write-server.ts";

/* Every page of every Bundle that the server makes is itself a valid Bundle: by the structural checks, and by the rules of
   the Bundle resource that these do not know (http://hl7.org/fhir/R4/bundle.html#invs). */

let server: WriteServer;
/** A patient with a good deal of data. */
let patient: string;

beforeAll(async () => {
  server = await openWriteServer();
  const resources: Json[] = [];
  const options = { patients: 3, seed: 7, conditionalReferences: false };
  await generatePopulation(
    options,
    (_type, resource) => resources.push(resource),
    () => undefined,
  );
  const counts = new Map<string, number>();
  for (const { subject } of resources) {
    const id = /^Patient\/(.+)$/.exec(subject?.reference ?? "")?.[1];
    if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  patient = [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? "";
  for (let from = 0; from < resources.length; from += 200) {
    const entry = resources.slice(from, from + 200).map(putEntry);
    const answer = await server.send("POST", "/", bundle("batch", entry), { prefer: "return=representation" });
    expect(problems(answer.body)).toEqual([]);
    expect(answer.body.entry.every(({ response }: Json) => response.status === "201 Created")).toBe(true);
  }
  const patients: Json[] = resources.filter(({ resourceType }) => resourceType === "Patient");
  for (const each of patients) await server.send("PUT", `/Patient/${each.id}`, { ...each, active: false });
  for (const { id } of patients.filter((each) => each.id !== patient)) await server.send("DELETE", `/Patient/${id}`);
});
afterAll(() => server.close());

function bundle(type: string, entry: Json[]): Json {
  return { resourceType: "Bundle", type, entry };
}

function putEntry(resource: Json): Json {
  return { resource, request: { method: "PUT", url: `${resource.resourceType}/${resource.id}` } };
}

/** What is wrong with a Bundle. */
function problems(page: Json): string[] {
  const issues: LineIssue[] = [];
  checkResource(page, issues, 20);
  const found = issues.map(({ text }) => text);
  const rule = (holds: boolean, text: string): void => {
    if (!holds) found.push(text);
  };
  const { type, total, link = [], entry = [] } = page;
  const isHistory = type === "history";
  const isResponse = String(type).endsWith("-response");
  rule(page.resourceType === "Bundle" && type !== undefined, "a type is needed");
  rule(total === undefined || type === "searchset" || isHistory, "bdl-1: total only of searches and histories");
  rule(!("entry" in page) || entry.length > 0, "arrays are never empty");
  rule(!("link" in page) || link.length > 0, "arrays are never empty");
  for (const { relation, url } of link) rule(Boolean(relation) && URL.canParse(url), `a link needs a URL: ${url}`);
  rule(isResponse || link.some(({ relation }: Json) => relation === "self"), "a self link is needed");
  rule(new Set(link.map(({ relation }: Json) => relation)).size === link.length, "each relation once");
  const full: string[] = [];
  for (const [index, each] of entry.entries()) {
    const at = `entry ${index}`;
    const { fullUrl, resource, search, request, response } = each;
    rule(search === undefined || type === "searchset", `${at}: bdl-2: search only of searches`);
    rule((request !== undefined) === isHistory, `${at}: bdl-3: request of histories`);
    rule((response !== undefined) === (isHistory || isResponse), `${at}: bdl-4: response of histories and responses`);
    rule(resource !== undefined || request !== undefined || response !== undefined, `${at}: bdl-5`);
    rule(fullUrl === undefined || !fullUrl.includes("/_history/"), `${at}: bdl-8: no version in fullUrl`);
    if (isHistory) rule(Boolean(request?.method) && Boolean(request?.url), `${at}: a request needs method and url`);
    if (response !== undefined) rule(/^\d{3}/.test(response.status), `${at}: a response needs a status`);
    if (type === "searchset") rule(/^(?:match|include|outcome)$/.test(search?.mode), `${at}: a search mode is needed`);
    if (resource !== undefined && fullUrl !== undefined) {
      // What is not stored has no address, but a name of its own.
      const isOwn =
        search?.mode === "outcome"
          ? /^urn:uuid:[0-9a-f-]{36}$/.test(fullUrl)
          : fullUrl === `${BASE}/${resource.resourceType}/${resource.id}`;
      rule(isOwn, `${at}: ${fullUrl} is of another resource`);
      full.push(`${fullUrl} ${resource.meta?.versionId}`);
    }
    if (type === "searchset") rule(fullUrl !== undefined, `${at}: a fullUrl is needed`);
    const outcome = resource?.resourceType === "OperationOutcome" ? resource : response?.outcome;
    if (outcome !== undefined) {
      rule(outcome.issue?.length > 0, `${at}: an outcome needs issues`);
      for (const issue of outcome.issue ?? []) rule(Boolean(issue.severity) && Boolean(issue.code), `${at}: issue`);
    }
  }
  rule(new Set(full).size === full.length, "bdl-7: fullUrl and version are unique");
  return found;
}

/** Checks a Bundle and all its next pages; gives the number of entries. */
async function walk(path: string, send: (path: string) => ReturnType<WriteServer["send"]>): Promise<number> {
  let entries = 0;
  for (let next: string | undefined = path, first = true; next !== undefined; first = false) {
    const answer: Awaited<ReturnType<WriteServer["send"]>> = first ? await send(next) : await server.send("GET", next);
    expect(answer.status, `${next}: ${answer.text.slice(0, 300)}`).toBe(200);
    expect(problems(answer.body), next).toEqual([]);
    entries += answer.body.entry?.length ?? 0;
    const url: string | undefined = answer.body.link.find(({ relation }: Json) => relation === "next")?.url;
    next = url?.slice(BASE.length);
  }
  return entries;
}

const get = (path: string): ReturnType<WriteServer["send"]> => server.send("GET", path);

describe("searches", () => {
  it.each([
    ["/Patient", 1],
    ["/Patient?_id=none", 0],
    ["/Observation?_count=100", 100],
    ["/Observation?_count=7&date=ge2020", 1],
    ["/Observation?_summary=count", 0],
    ["/Observation?_count=0&_total=accurate", 0],
    ["/Observation?_count=50&_total=estimate&_summary=true", 50],
    ["/Observation?_count=50&_summary=data", 50],
    ["/Observation?_count=50&_summary=text", 50],
    ["/Observation?_count=50&_elements=value,code", 50],
    ["/Observation?_count=60&_sort=-date,_id", 60],
    ["/Condition?_sort=onset-date&_count=3&_include=*", 3],
    ["/Encounter?_count=20&_include=Encounter:*&_include:iterate=*&_revinclude=Observation:encounter", 20],
    ["/Encounter?_count=20&_include=Encounter:participant&_summary=true", 20],
    ["/Observation?code:text=a&nothing-of-the-kind=1", 1],
    ["/Patient?_has:Observation:patient:status=final&_revinclude=Condition:*", 2],
    ["/Observation?subject:Patient.active=false&combo-code-value-quantity:missing=false&_count=500", 1],
    ["/?_type=Patient,Encounter,Practitioner&_count=40", 40],
    ["/?_lastUpdated=gt2020&_count=100&_sort=_lastUpdated", 590],
  ])("GET %s", async (path, least) => {
    expect(await walk(path, get)).toBeGreaterThanOrEqual(least);
  });

  it.each([
    ["/Observation/_search", "_count=77&_include=Observation:subject"],
    ["/_search", "_type=Observation,Patient&_count=77"],
  ])("POST %s with %s", async (path, form) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    expect(await walk(path, (to) => server.send("POST", to, form, headers))).toBeGreaterThan(77);
  });

  it("in compartments, and everything of a patient", async () => {
    expect(await walk(`/Patient/${patient}/Observation?_count=30`, get)).toBeGreaterThan(30);
    expect(await walk(`/Patient/${patient}/*?_count=100`, get)).toBeGreaterThan(100);
    expect(await walk(`/Patient/${patient}/$everything?_count=40`, get)).toBeGreaterThan(40);
    expect(await walk(`/Patient/${patient}/$everything?_type=Condition`, get)).toBeGreaterThan(1);
  });
});

it("histories, with deletions", async () => {
  expect(await walk(`/Patient/${patient}/_history?_count=1`, get)).toBe(2);
  expect(await walk("/Patient/_history?_count=4", get)).toBe(8);
  expect(await walk("/_history?_count=300", get)).toBeGreaterThan(300);
  expect(await walk("/_history?_since=2100-01-01", get)).toBe(0);
});

function entryOf(method: string, url: string, resource?: Json, more: Json = {}): Json {
  return { ...(resource !== undefined && { resource }), request: { method, url, ...more } };
}

it("batches and transactions with all kinds of entries", async () => {
  const basic = { resourceType: "Basic", code: { text: "a" } };
  const entries = [
    entryOf("POST", "Basic", basic),
    entryOf("POST", "Basic", basic, { ifNoneExist: "_id=kept" }),
    entryOf("PUT", "Basic/kept", { ...basic, id: "kept" }),
    entryOf("PUT", "Basic?_id=none", basic),
    entryOf("DELETE", "Basic/none"),
    entryOf("GET", `Patient/${patient}`),
    entryOf("GET", `Patient/${patient}/_history/1`),
    entryOf("GET", `Patient/${patient}/_history`),
    entryOf("GET", `Patient/${patient}`, undefined, { ifNoneMatch: 'W/"2"' }),
    entryOf("GET", "Patient/none"),
    entryOf("GET", `Patient/${patient}?_elements=name`),
    entryOf("GET", `Patient/${patient}/$everything?_count=5`),
    entryOf("GET", `${BASE}/Patient/${patient}/Observation?_count=3`),
    entryOf("GET", `Patient/${patient}/*?_count=3`),
    entryOf("GET", "Patient/none/$everything"),
    entryOf("GET", "Observation?_count=2&nothing=1"),
  ];
  const wrong = [
    entryOf("POST", `Patient/${patient}/Observation`, basic),
    entryOf("GET", `Basic/1/$everything`),
    entryOf("PUT", "Basic/wrong", { ...basic, id: "wrong", code: 1 }),
    entryOf("GET", "Nothing"),
    {},
  ];
  for (const type of ["batch", "transaction"]) {
    for (const prefer of ["return=minimal", "return=representation", "return=OperationOutcome"]) {
      const sent = type === "batch" ? [...entries, ...wrong] : entries;
      const answer = await server.send("POST", "/", bundle(type, sent), { prefer });
      expect(answer.status, answer.text.slice(0, 300)).toBe(200);
      expect(problems(answer.body), `${type} ${prefer}`).toEqual([]);
      expect(answer.body.entry.length).toBe(sent.length);
      const bundles: Json[] = answer.body.entry
        .map(({ resource }: Json) => resource)
        .filter((resource: Json) => resource?.resourceType === "Bundle");
      expect(bundles.map(problems)).toEqual(Array.from({ length: 5 }, () => []));
      const statuses: string[] = answer.body.entry.map(({ response }: Json) => response.status.slice(0, 3));
      expect(statuses.slice(5, 16)).toEqual("200 200 200 304 404 200 200 200 200 404 200".split(" "));
      expect(statuses.slice(16).every((status) => status === "400")).toBe(true);
    }
    const empty = await server.send("POST", "/", bundle(type, []));
    expect(problems(empty.body)).toEqual([]);
  }
});
