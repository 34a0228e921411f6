import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { BASE, entriesOf, linkOf, matchesOf, openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.load([
    ...["p1", "p2"].map((id) => ({
      resource: { resourceType: "Patient", id, generalPractitioner: [{ reference: "Practitioner/d1" }] },
    })),
    {
      resource: {
        resourceType: "Patient",
        id: "linked",
        link: [{ other: { reference: "Patient/p1" }, type: "seealso" }],
      },
    },
    { resource: { resourceType: "Practitioner", id: "d1" } },
    { resource: { resourceType: "Organization", id: "org" } },
    { resource: { resourceType: "Observation", id: "a", status: "final", subject: { reference: "Patient/p1" } } },
    {
      resource: {
        resourceType: "Observation",
        id: "b",
        status: "amended",
        subject: { reference: "Patient/p2" },
        performer: [{ reference: "Patient/p1" }, { reference: "Organization/org" }],
      },
      lastUpdated: Date.UTC(2025, 0, 1),
    },
    { resource: { resourceType: "Observation", id: "c", status: "final", subject: { reference: "Patient/p2" } } },
    {
      resource: {
        resourceType: "Condition",
        id: "d",
        subject: { reference: "Patient/p1" },
        asserter: { reference: "Practitioner/d1" },
      },
    },
    { resource: { resourceType: "Encounter", id: "e", status: "finished", subject: { reference: "Patient/p1" } } },
    { resource: { resourceType: "Observation", id: "f", status: "final", encounter: { reference: "Encounter/e" } } },
    // A focus is no reference that puts an Observation into the compartment.
    { resource: { resourceType: "Observation", id: "g", status: "final", focus: [{ reference: "Patient/p1" }] } },
    { resource: { resourceType: "Patient", id: "gone" } },
    { resource: { resourceType: "Patient", id: "gone" }, versionId: 2, deleted: true },
  ]);
});
afterAll(() => server.close());

async function all(path: string): Promise<string> {
  const ids: string[] = [];
  for (let next: string | undefined = path; next !== undefined;) {
    const { status, body, text } = await server.get(next);
    if (status !== 200) throw new Error(text);
    ids.push(...matchesOf(body).map((resource) => resource["id"] as string));
    next = linkOf(body, "next");
  }
  expect(new Set(ids).size).toBe(ids.length);
  return ids.toSorted().join();
}

describe("a compartment search", () => {
  it.each([
    ["Patient/p1/Observation", "a,b"],
    ["Patient/p1/Observation?status=final", "a"],
    ["Patient/p1/Observation?subject=Patient/p2", "b"],
    ["Patient/p1/Observation?_count=1", "a,b"],
    ["Patient/p1/Observation?_sort=-_id", "a,b"],
    ["Patient/p1/Condition", "d"],
    ["Patient/p1/*", "a,b,d,e,linked"],
    ["Patient/p1/*?_count=2", "a,b,d,e,linked"],
    ["Patient/p1/*?_type=Observation,Encounter", "a,b,e"],
    ["Patient/p1/*?_lastUpdated=ge2025", "b"],
    ["Patient/nobody/Observation", ""],
    ["Practitioner/d1/Condition", "d"],
    ["Practitioner/d1/Patient", "p1,p2"],
    ["Encounter/e/Observation", "f"],
    ["Encounter/e/Encounter", "e"],
    ["Encounter/e/*", "e,f"],
  ])("%s finds %s", async (path, expected) => {
    expect(await all(`/${path}`)).toBe(expected);
  });

  it("has its own path in its links, and takes forms", async () => {
    const { body } = await server.get("/Patient/p1/*?_count=1");
    expect(linkOf(body, "self")).toBe("/Patient/p1/*?_count=1");
    expect(linkOf(body, "next")).toMatch(/^\/Patient\/p1\/\*\?_count=1&_cursor=/);
    const posted = await server.post("/Patient/p1/Observation/_search", "status=final");
    expect(matchesOf(posted.body).map(({ id }) => id)).toEqual(["a"]);
  });

  it.each([
    ["Patient/p1/Practitioner", 400],
    ["Organization/org/Observation", 400],
    ["Patient/p1/Spaceship", 404],
    ["Spaceship/p1/Observation", 404],
    ["Patient/p1/$unknown", 404],
  ])("%s is refused with %i", async (path, status) => {
    expect((await server.get(`/${path}`)).status).toBe(status);
  });
});

/** The ids of what a patient's $everything includes. */
async function included(query: string): Promise<unknown[]> {
  return entriesOf((await server.get(`/Patient/p1/$everything${query}`)).body)
    .filter((entry) => (entry["search"] as JsonObject)["mode"] === "include")
    .map((entry) => (entry["resource"] as JsonObject)["id"]);
}

function observationOf(id: string, subject: string): JsonObject {
  return { resourceType: "Observation", id, subject: { reference: subject } };
}

describe("$everything", () => {
  it.each([
    ["", "a,b,d,e,linked,p1"],
    ["?_count=2", "a,b,d,e,linked,p1"],
    ["?_type=Observation,Patient", "a,b,linked,p1"],
    ["?_since=2025-01-01", "b"],
  ])("%s finds the patient and what is in its compartment, over pages", async (query, expected) => {
    expect(await all(`/Patient/p1/$everything${query}`)).toBe(expected);
  });

  it.each([
    ["", "a,b,c,d,e,linked,p1,p2"],
    ["?_count=2", "a,b,c,d,e,linked,p1,p2"],
    ["?_type=Observation", "a,b,c"],
    ["?_type=Patient", "linked,p1,p2"],
    ["?_since=2025-01-01", "b"],
    ["?start=2030&_type=Encounter,Patient", "e,linked,p1,p2"],
  ])("of all patients%s finds them and what is in their compartments", async (query, expected) => {
    expect(await all(`/Patient/$everything${query}`)).toBe(expected);
  });

  it("includes what these refer to", async () => {
    expect(new Set(await included(""))).toEqual(new Set(["d1", "org"]));
    expect(await included("?_type=Observation,Organization,Patient")).toEqual(["org"]);
    expect(await included("?_type=Observation")).toEqual([]);
  });

  it("has its own path in its links", async () => {
    const { body } = await server.get("/Patient/p1/%24everything?_count=1");
    expect(linkOf(body, "self")).toBe("/Patient/p1/$everything?_count=1");
    expect(linkOf(body, "next")).toMatch(/^\/Patient\/p1\/\$everything\?_count=1&_cursor=/);
    const { body: all } = await server.get("/Patient/p1/$everything?_count=5000");
    expect(linkOf(all, "self")).toBe("/Patient/p1/$everything?_count=1000");
  });

  it.each([
    ["nobody/$everything", 404],
    ["gone/$everything", 410],
    ["p1/$everything?start=yesterday", 400],
    ["p1/$everything?start=ge2020", 400],
    ["p1/$everything?start=2020&end=2019", 400],
    ["p1/$everything?start=2020&start=2021", 400],
    ["p1/$everything?shoe=42", 400],
    ["p1/$everything?_since=yesterday", 400],
    ["p1/$everything?_type=Spaceship", 400],
  ])("of %s is refused with %i", async (path, status) => {
    expect((await server.get(`/Patient/${path}`)).status).toBe(status);
  });

  it.each(["yesterday", "ge2020", "2020,2021", ""])(
    "with _since=%s is refused, and the outcome names it",
    async (date) => {
      const { status, body } = await server.get(`/Patient/p1/$everything?_since=${date}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ issue: [{ expression: ["_since"] }] });
    },
  );

  it("of all patients follows references by URL, leaves out those to what is not stored, and has its own links", async () => {
    await server.loadLive(
      observationOf("any1", `${BASE}/Patient/p1`),
      observationOf("any2", "Patient/never"),
      observationOf("any3", "Patient/gone"),
      observationOf("any4", "http://elsewhere.example/fhir/Patient/p1"),
    );
    expect(await all("/Patient/$everything?_type=Observation")).toBe("a,any1,b,c");
    const { body } = await server.get("/Patient/$everything?_count=1");
    expect(linkOf(body, "self")).toBe("/Patient/$everything?_count=1");
    expect(linkOf(body, "next")).toMatch(/^\/Patient\/\$everything\?_count=1&_cursor=/);
    const entries = entriesOf((await server.get("/Patient/$everything")).body);
    for (const id of ["d1", "org"]) {
      expect(entries).toContainEqual(
        expect.objectContaining({ resource: expect.objectContaining({ id }), search: { mode: "include" } }),
      );
    }
  });
});

describe("$everything with start and end", () => {
  const subject = { reference: "Patient/care" };
  const observation = (id: string, rest: JsonObject): JsonObject => ({
    resourceType: "Observation",
    id,
    subject,
    ...rest,
  });
  beforeAll(() =>
    server.loadLive(
      { resourceType: "Patient", id: "care", birthDate: "1950-01-01" },
      observation("o2019", { effectiveDateTime: "2019-12-31" }),
      observation("o2020", { effectiveDateTime: "2020" }),
      observation("o2021", { effectivePeriod: { start: "2020-12-30", end: "2021-02-01" } }),
      observation("o-since", { effectivePeriod: { start: "2018" } }),
      observation("o-none", { valueDateTime: "2019" }),
      { resourceType: "Condition", id: "c2010", subject, onsetDateTime: "2010", abatementDateTime: "2020-06" },
      { resourceType: "Condition", id: "c2012", subject, onsetDateTime: "2012" },
      { resourceType: "Coverage", id: "coverage", beneficiary: subject },
    ),
  );

  it.each([
    ["start=2020&end=2020", "c2010,care,coverage,o-none,o-since,o2020,o2021"],
    ["start=2021-01-15", "care,coverage,o-none,o-since,o2021"],
    ["end=2019", "c2010,c2012,care,coverage,o-none,o-since,o2019"],
    ["end=2015&_type=Condition", "c2010,c2012"],
    ["start=2020-01-01&end=2020-01-01&_count=2", "care,coverage,o-none,o-since,o2020"],
  ])("%s finds what has a date of care in the period, or none", async (query, expected) => {
    expect(await all(`/Patient/care/$everything?${query}`)).toBe(expected);
  });
});

describe("_summary and _elements over HTTP", () => {
  it("shorten matches, and leave what is included whole for _elements", async () => {
    const { body } = await server.get(
      "/Observation?_id=b&_elements=subject&_include=Observation:performer:Organization",
    );
    expect(entriesOf(body)).toMatchObject([
      { resource: { id: "b", subject: {}, meta: { tag: [{ code: "SUBSETTED" }] } }, search: { mode: "match" } },
      { resource: { id: "org" }, search: { mode: "include" } },
    ]);
    expect(matchesOf(body)[0]).not.toHaveProperty("performer");
    expect(linkOf(body, "self")).toContain("_elements=subject");
  });
  it.each([
    "_summary=text&_include=Observation:subject",
    "_summary=true&_elements=code",
    "_elements=code&_elements=status",
  ])("%s is an error", async (query) => {
    expect((await server.get(`/Observation?${query}`)).status).toBe(400);
  });
});
