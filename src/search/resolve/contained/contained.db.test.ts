import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { JsonObject } from "../../../base/json.ts";
import { searchCondition } from "../../compile/plan.ts";
import { resolveCondition } from "../resolve.ts";
import { parseQuery } from "../../parse/query.ts";
import { BASE, entriesOf, openSearchServer, type SearchServer } from "../../testing/search-server.ts";

let server: SearchServer;
/** Without contained resources. */
let plain: SearchServer;
/** Without references from a contained resource to another one in the same resource. */
let other: SearchServer;
beforeAll(async () => {
  plain = await openSearchServer();
  await plain.loadLive({ resourceType: "Patient", id: "p1" }, request("mr1", [], "Medication/m1"));
  other = await openSearchServer();
  await other.loadLive(
    { resourceType: "Organization", id: "o1", name: "North" },
    request("mr", [medication("med", "x", { manufacturer: { reference: "Organization/o1" } })]),
  );
  server = await openSearchServer();
  await server.loadLive(
    { resourceType: "Patient", id: "p1", name: [{ family: "Holm" }] },
    { resourceType: "Patient", id: "p2", name: [{ family: "Ås" }] },
    { resourceType: "Organization", id: "o1", name: "North" },
    ...OBSERVATIONS.flatMap((members, index) => twins(index, members)),
    medication("stored", "x"),
    request("plain", [], "Medication/stored"),
    request("mr-x", [medication("med", "x")]),
    request("mr-y", [medication("med", "y")]),
    request("mr-none", [medication("other", "x")]),
    // The id of a stored one.
    request("mr-stored", [medication("stored", "z", { status: "active" })], "#stored"),
    request("mr-sibling", [
      medication("med", "s", { manufacturer: { reference: "#org" } }),
      { resourceType: "Organization", id: "org", name: "Sibling works", partOf: { reference: "Organization/o1" } },
    ]),
    request("mr-maker", [medication("med", "s", { manufacturer: { reference: "Organization/o1" } })]),
    request("mr-own-url", [medication("med", "s", { manufacturer: { reference: `${BASE}/Organization/o1` } })]),
    {
      resourceType: "MedicationDispense",
      id: "md1",
      status: "completed",
      medicationCodeableConcept: { text: "any" },
      authorizingPrescription: [{ reference: "MedicationRequest/mr-x" }, { reference: "MedicationRequest/mr-maker" }],
    },
    {
      resourceType: "Provenance",
      id: "pr1",
      recorded: "2020-01-01T00:00:00Z",
      target: [{ reference: "Patient/p1" }],
      contained: [
        { resourceType: "Provenance", id: "inner", target: [{ reference: "#" }], recorded: "2020-01-01T00:00:00Z" },
      ],
      agent: [{ who: { reference: "Patient/p1" } }],
      entity: [{ role: "source", what: { reference: "#inner" } }],
    },
  );
});
afterAll(async () => {
  await server.close();
  await plain.close();
  await other.close();
});

function medication(id: string, code: string, members: JsonObject = {}): JsonObject {
  return { resourceType: "Medication", id, code: { coding: [{ system: "s", code }] }, ...members };
}

function request(id: string, contained: JsonObject[], reference = "#med"): JsonObject {
  return {
    resourceType: "MedicationRequest",
    id,
    status: "active",
    intent: "order",
    subject: { reference: "Patient/p1" },
    medicationReference: { reference },
    ...(contained.length === 0 ? {} : { contained }),
  };
}

const REQUESTS = "mr-maker,mr-own-url,mr-sibling,mr-stored,mr-x,mr-y,plain";

/** A value of 50 mg, where nothing that is stored by itself has the unit. */
const RARE_UNIT = { value: 5, unit: "cg", system: "http://unitsofmeasure.org", code: "cg" };

/** Observations, each stored once by itself and once inside of the report that refers to it. */
const OBSERVATIONS: JsonObject[][] = [
  [{ code: coded("a", "alpha reading"), valueQuantity: quantity(5, "mg"), effectiveDateTime: "2020-01-01" }],
  [
    {
      code: coded("b", "beta reading"),
      valueQuantity: quantity(0.005, "g"),
      effectiveDateTime: "2020-01-02T10:00:00Z",
    },
  ],
  [{ code: coded("a"), valueString: "Élan vital", effectivePeriod: { start: "2019-12-01", end: "2020-02-01" } }],
  [{ code: coded("c"), valueCodeableConcept: coded("v"), subject: { reference: "Patient/p1" } }],
  [{ code: coded("c"), component: [component("k1", 1), component("k2", 2)], subject: { reference: "Patient/p2" } }],
  [{ code: coded("c"), component: [component("k1", 2), component("k2", 1)] }],
  // Two of them, each with half of it.
  [
    { code: coded("a"), valueString: "first" },
    { code: coded("d"), valueString: "second" },
  ],
  [
    {
      code: coded("n"),
      valueQuantity: { value: 1 },
      text: { status: "generated", div: '<div xmlns="http://www.w3.org/1999/xhtml">narrated words</div>' },
    },
  ],
  [{ code: coded("n"), valueQuantity: quantity(123456789.5, "mg"), status: "amended" }],
  [],
];

function coded(code: string, text?: string): JsonObject {
  return { coding: [{ system: "s", code }], ...(text === undefined ? {} : { text }) };
}

function quantity(value: number, code: string): JsonObject {
  return { value, unit: code, system: "http://unitsofmeasure.org", code };
}

function component(code: string, value: number): JsonObject {
  return { code: coded(code), valueQuantity: quantity(value, "mg") };
}

function twins(index: number, members: JsonObject[]): JsonObject[] {
  const inner = members.map((each, at) => ({
    resourceType: "Observation",
    id: `n${index}-${at}`,
    status: "final",
    ...each,
  }));
  const report = { resourceType: "DiagnosticReport", status: "final", code: coded("report") };
  return [
    ...inner,
    { ...report, id: `out-${index}`, result: inner.map(({ id }) => ({ reference: `Observation/${id}` })) },
    {
      ...report,
      id: `in-${index}`,
      result: inner.map(({ id }) => ({ reference: `#${id}` })),
      ...(inner.length === 0 ? {} : { contained: inner }),
    },
  ];
}

/** Chains from DiagnosticReports, and the numbers of the reports. */
const TWINS = [
  ["result.code=a", "0,2,6"],
  ["result.code=s|b", "1"],
  ["result.code=s|", "0,1,2,3,4,5,6,7,8"],
  ["result.code=nothing", ""],
  ["result.code:not=a", "1,3,4,5,6,7,8"],
  ["result.code:text=beta", "1"],
  ["result.value-quantity=5||mg", "0,1"],
  ["result.value-quantity=5|http://unitsofmeasure.org|mg", "0,1"],
  ["result.value-quantity=1", "7"],
  ["result.value-quantity=gt100000000|http://unitsofmeasure.org|mg", "8"],
  ["result.value-string=elan", "2"],
  ["result.value-string:exact=Élan vital", "2"],
  ["result.value-string:contains=vit", "2"],
  ["result.date=2020-01-01", "0"],
  ["result.date=ge2020-01-02", "1,2"],
  ["result.date:missing=false", "0,1,2"],
  ["result.date:missing=true", "3,4,5,6,7,8"],
  ["result.value-concept=v", "3"],
  ["result.code-value-quantity=a$5||mg", "0"],
  ["result.code-value-quantity=s|a$5000|http://unitsofmeasure.org|ug", "0"],
  ["result.component-code-value-quantity=k1$1", "4"],
  ["result.component-code-value-quantity=k1$2", "5"],
  ["result.component-code-value-quantity=k1$2000|http://unitsofmeasure.org|ug", "5"],
  ["result.combo-code=k2", "4,5"],
  ["result.subject=Patient/p1", "3"],
  ["result.patient=p2", "4"],
  ["result.patient.family=holm", "3"],
  ["result.subject:Patient.family=as", "4"],
  ["result.subject.name:missing=false", "3,4"],
  ["result.patient._has:DiagnosticReport:patient:status=final", ""],
  ["result.patient:missing=true", "0,1,2,5,6,7,8"],
  ["result.status=amended,unknown", "8"],
  ["result._id=n0-0,n4-0,nothing", "0,4"],
  ["result._id:not=n0-0", "1,2,3,4,5,6,7,8"],
  ["result._content=beta", "1"],
  ["result._text=narrated", "7"],
  ["result._has:DiagnosticReport:result:status=final", "0,1,2,3,4,5,6,7,8"],
  ["result._has:DiagnosticReport:result:status=registered", ""],
  ["result:Observation.code=b,c", "1,3,4,5"],
  // Both hold for one resource only within one parameter.
  ["result.code=a&result.value-string=second", "6"],
  ["result.code=d&result.value-string=second&status=final", "6"],
  ["result.code=a&status=registered", ""],
  ["result:missing=true", "9"],
] as const;

function encounter(id: string, members: JsonObject): JsonObject {
  return { resourceType: "Encounter", id, status: "planned", class: { code: "AMB" }, ...members };
}

/** Resolves the search, which may read so many resources. */
async function resolveRequests(query: string, resources: number): Promise<unknown> {
  const parameters = [...new URLSearchParams(query)];
  const { groups } = parseQuery({ type: "MedicationRequest", parameters, strict: true, baseUrl: BASE });
  const readLimits = { resources, bytes: 1_000_000 };
  const rules = { dateEquality: "contain", now: 0, baseUrl: BASE, readLimits } as const;
  return resolveCondition(server.database.pool, searchCondition(groups, rules));
}

describe("chains into contained resources", () => {
  it.each(TWINS)("DiagnosticReport?%s finds reports %s, stored or contained", async (query, expected) => {
    const numbers = expected === "" ? [] : expected.split(",");
    expect(await server.ids(`/DiagnosticReport?_count=100&${query}`)).toEqual(
      [...numbers.map((each) => `in-${each}`), ...numbers.map((each) => `out-${each}`)].toSorted(),
    );
  });

  it.each([
    ["/MedicationRequest?medication.code=x", "mr-x,plain"],
    ["/MedicationRequest?medication.code=s|y,s|x&subject=Patient/p1", "mr-x,mr-y,plain"],
    ["/MedicationRequest?medication.code=x&subject=Patient/p2", ""],
    ["/MedicationRequest?medication:Medication.code=x&patient.family=holm", "mr-x,plain"],
    ["/MedicationRequest?medication._id=med", "mr-maker,mr-own-url,mr-sibling,mr-x,mr-y"],
    ["/MedicationRequest?medication._id=stored", "mr-stored,plain"],
    ["/MedicationRequest?medication._lastUpdated=gt1990", "plain"],
    ["/MedicationRequest?medication._lastUpdated:missing=false", "plain"],
    ["/MedicationRequest?medication._lastUpdated:missing=true", "mr-maker,mr-own-url,mr-sibling,mr-stored,mr-x,mr-y"],
    ["/MedicationRequest?medication._id:missing=true", ""],
    ["/MedicationRequest?medication._id:missing=false&subject:Patient.family=holm", REQUESTS],
    ["/MedicationRequest?medication.manufacturer.name=sibling", "mr-sibling"],
    ["/MedicationRequest?medication.manufacturer:Organization.partof.name=north", "mr-sibling"],
    ["/MedicationRequest?medication.manufacturer.name=north", "mr-maker,mr-own-url"],
    ["/MedicationRequest?medication.manufacturer=Organization/o1", "mr-maker,mr-own-url"],
    ["/MedicationRequest?medication.manufacturer:missing=true", "mr-stored,mr-x,mr-y,plain"],
    ["/MedicationDispense?prescription.medication.code=x", "md1"],
    ["/MedicationDispense?prescription.medication.manufacturer.name=north", "md1"],
    ["/MedicationDispense?prescription.medication.manufacturer.name=sibling", ""],
    ["/Patient/p1/MedicationRequest?medication.code=x", "mr-x,plain"],
    ["/Patient/p2/MedicationRequest?medication.code=x", ""],
    ["/?_type=MedicationRequest&medication.code=x", "mr-x,plain"],
    ["/Provenance?entity:Provenance.target:Provenance.agent.family=holm", "pr1"],
    ["/Patient?_has:MedicationRequest:patient:medication.code=y", "p1"],
  ])("%s finds %s", async (path, expected) => {
    expect((await server.ids(path)).join()).toBe(expected);
  });

  it("find what only contained resources have: texts and units that are stored nowhere else", async () => {
    const rare = { resourceType: "Observation", id: "rare", status: "final", valueQuantity: RARE_UNIT };
    await server.loadLive({
      resourceType: "DiagnosticReport",
      id: "rare",
      code: coded("r"),
      status: "final",
      contained: [{ ...rare, code: { text: "Gamma reading" } }],
      result: [{ reference: "#rare" }],
    });
    expect(await server.ids("/DiagnosticReport?result.code:text=gamma")).toEqual(["rare"]);
    const unit = "http://unitsofmeasure.org|mg";
    expect(await server.ids(`/DiagnosticReport?code=r&result.value-quantity=50|${unit}`)).toEqual(["rare"]);
    // Nothing contained is found by itself.
    expect(await server.ids("/Observation?code:text=gamma")).toEqual([]);
  });

  it("count and page like all others, in any order", async () => {
    const query = "/MedicationRequest?medication.code=x,y&_total=accurate&_count=2";
    for (const sort of ["", "&_sort=-_lastUpdated", "&_sort=status"]) {
      const { body } = await server.get(query + sort);
      expect(body["total"]).toBe(3);
      expect(entriesOf(body)).toHaveLength(2);
    }
  });

  it("read a bounded number of resources, or say what to add", async () => {
    await expect(resolveRequests("medication.code:not=x", 2)).rejects.toMatchObject({
      code: "too-costly",
      status: 400,
      expression: "medication",
      message: expect.stringContaining("contained"),
    });
    // The index knows which ones have the code, and which one refers to the organization: nothing is read.
    await expect(resolveRequests("medication.code=x", 0)).resolves.toBeDefined();
    await expect(resolveRequests("medication.manufacturer=Organization/o1", 0)).resolves.toBeDefined();
    // It tells which ones can have a sibling of that name.
    await expect(resolveRequests("medication.manufacturer.name=sibling", 1)).resolves.toBeDefined();
    await expect(resolveRequests("medication.code:not=x&_id=mr-x", 1)).resolves.toBeDefined();
  });

  it("find what has more values than are stored of it", async () => {
    const identifier = Array.from({ length: 2100 }, (_, index) => ({ system: "many", value: `v${index}` }));
    const code = { coding: [{ system: "s", code: "large" }] };
    await server.loadLive(
      request("mr-large", [medication("med", "large", { identifier })]),
      request("mr-small", [medication("med", "large", { identifier: identifier.slice(0, 2) })]),
      request("mr-plain", [{ resourceType: "Medication", id: "med", code, status: "active" }]),
    );
    expect(await server.ids("/MedicationRequest?medication.code=large")).toEqual(["mr-large", "mr-plain", "mr-small"]);
    expect(await server.ids("/MedicationRequest?medication.identifier=v1")).toEqual(["mr-large", "mr-small"]);
    expect(await server.ids("/MedicationRequest?medication.identifier=v2099")).toEqual(["mr-large"]);
    expect(await server.ids("/MedicationRequest?medication.code=large&medication.status=active")).toEqual(["mr-plain"]);
  });

  it("go on to stored resources by the index, where nothing goes on within a resource", async () => {
    const asked = vi.spyOn(other.database.pool, "query");
    const { groups } = parseQuery({
      type: "MedicationRequest",
      parameters: [["medication.manufacturer.name", "north"]],
      strict: true,
      baseUrl: BASE,
    });
    const rules = { dateEquality: "contain", now: 0, baseUrl: BASE, readLimits: { resources: 0, bytes: 0 } } as const;
    try {
      await expect(resolveCondition(other.database.pool, searchCondition(groups, rules))).resolves.toBeDefined();
      expect(
        asked.mock.calls.some(([query]) => (query as unknown as { text: string }).text.includes("from body_block")),
      ).toBe(false);
    } finally {
      asked.mockRestore();
    }
    expect(await other.ids("/MedicationRequest?medication.manufacturer.name=north")).toEqual(["mr"]);
  });

  it("lead over many steps, at each of which something is contained", async () => {
    const inner = encounter("in", { partOf: { reference: "#on" } });
    const next = encounter("on", { partOf: { reference: "Encounter/step-1" }, status: "finished" });
    await server.loadLive(
      encounter("step-1", { contained: [inner, next], partOf: { reference: "#in" } }),
      encounter("step-2", {
        contained: [encounter("in", { partOf: { reference: "#" } })],
        partOf: { reference: "#in" },
      }),
    );
    // Around and around: step-1, #in, #on, step-1 …
    const over = "part-of:Encounter.".repeat(10);
    expect(await server.ids(`/Encounter?${over}_id=on`)).toEqual([]);
    expect(await server.ids(`/Encounter?${over}part-of:Encounter._id=on`)).toEqual(["step-1"]);
    expect(await server.ids(`/Encounter?${over}part-of:Encounter.status=finished`)).toEqual(["step-1"]);
    expect(await server.ids(`/Encounter?${over}_id=step-2`)).toEqual(["step-2"]);
  });

  it("cost nothing where nothing is contained", async () => {
    const { pool } = plain.database;
    const parameters: [string, string][] = [["medication.code", "x"]];
    const { groups } = parseQuery({ type: "MedicationRequest", parameters, strict: true, baseUrl: BASE });
    const condition = searchCondition(groups, { dateEquality: "contain", now: 0, baseUrl: BASE });
    const asked = vi.spyOn(pool, "query");
    try {
      await resolveCondition(pool, condition);
      const texts = asked.mock.calls.map(([query]) => (query as unknown as { text: string }).text);
      // Stale rows, kinds of references, the guess, and the targets.
      expect(texts).toHaveLength(4);
      expect(texts.filter((text) => text.includes("search_dictionary"))).toHaveLength(1);
    } finally {
      asked.mockRestore();
    }
  });

  it("find by current versions only, while rows of others are still there", async () => {
    await server.load([{ resource: request("moving", [medication("med", "old")]), versionId: 1 }], false);
    await server.load([{ resource: request("moving", [medication("med", "new")]), versionId: 2 }], false);
    expect(await server.ids("/MedicationRequest?medication.code=old")).toEqual([]);
    expect(await server.ids("/MedicationRequest?medication.code=new")).toEqual(["moving"]);
  });
});
