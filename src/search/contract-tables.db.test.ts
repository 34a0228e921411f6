import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import { openSearchServer, type SearchServer } from "./testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
});
afterAll(() => server.close());

const TAG = [{ system: "http://e2e-test", code: "10" }];

/** Loads resources whose ids are their numbers. Those that an earlier table left under other numbers must be gone. */
async function loadNumbered(resources: readonly JsonObject[]): Promise<void> {
  await server.loadLive(...resources.map((resource, index) => ({ ...resource, id: `${index}`, meta: { tag: TAG } })));
}

async function found(type: string, query: string): Promise<string> {
  return (await server.ids(`/${type}?${query}&_tag=10`)).join("");
}

const q = encodeURIComponent;

const coding = (system: string | undefined, code: string, display?: string): JsonObject => ({
  ...(system === undefined ? {} : { system }),
  code,
  ...(display === undefined ? {} : { display }),
});

describe("10.2 basic", () => {
  beforeAll(() =>
    loadNumbered([
      { resourceType: "Patient", address: [{ city: "Xone" }], name: [{ family: "Fone" }] },
      { resourceType: "Patient", address: [{ city: "Xtwo" }] },
      { resourceType: "Patient", address: [{ city: "Xtwo" }] },
      { resourceType: "Patient", gender: "male" },
    ]),
  );
  it.each([
    ["address-city=Xone&family=Fone", "0"],
    ["address-city=Xtwo", "12"],
    ["gender:missing=false", "3"],
    ["gender:missing=true", "012"],
  ])("%s finds %s", async (query, expected) => {
    expect(await found("Patient", query)).toBe(expected);
  });
});

describe.each(["contain", "overlap"] as const)("10.3 dates, D-20 %s", (dateEquality) => {
  const values: JsonObject[] = [
    { effectiveDateTime: "2011-06-30" },
    { effectiveDateTime: "2012" },
    { effectiveDateTime: "2012-03" },
    { effectiveDateTime: "2012-03-14" },
    { effectiveDateTime: "2012-03-14T09:26:53Z" },
    { effectiveDateTime: "2012-03-14T09:26:53.250Z" },
    { effectiveDateTime: "2013-01-01" },
    { effectivePeriod: { start: "2012-03-20", end: "2012-03-22" } },
  ];
  beforeAll(async () => {
    server.setDateEquality(dateEquality);
    await loadNumbered(values.map((value) => ({ resourceType: "Observation", ...value })));
  });
  afterAll(() => server.setDateEquality("contain"));
  const PREFIXES = ["ne", "lt", "gt", "le", "ge", "sa", "eb"];
  /** Without a prefix and `eq`: contained (D-20), and overlapping as in Azure; then `ne` and the others, in which there is no difference. */
  const table: [operand: string, contained: string, overlapping: string, ...others: string[]][] = [
    ["2012", "123457", "123457", "06", "0", "6", "0123457", "1234567", "6", "0"],
    ["2012-02", "", "1", "01234567", "01", "1234567", "01", "1234567", "234567", "0"],
    ["2012-03", "23457", "123457", "016", "01", "16", "0123457", "1234567", "6", "0"],
    ["2012-03-13", "", "12", "01234567", "012", "1234567", "012", "1234567", "34567", "0"],
    ["2012-03-14", "345", "12345", "01267", "012", "1267", "012345", "1234567", "67", "0"],
    ["2012-03-14T09:26:53", "45", "12345", "012367", "0123", "12367", "012345", "1234567", "67", "0"],
    ["2012-03-14T09:26:53.250", "5", "12345", "0123467", "01234", "123467", "012345", "1234567", "67", "0"],
    ["2012-03-14T09:26:53.2500001", "", "1234", "01234567", "012345", "123467", "012345", "123467", "67", "05"],
    ["2012-03-15", "", "12", "01234567", "012345", "1267", "012345", "1267", "67", "0345"],
    ["2012-04", "", "1", "01234567", "0123457", "16", "0123457", "16", "6", "023457"],
    ["2013", "6", "6", "0123457", "0123457", "", "01234567", "6", "", "0123457"],
  ];
  it.each(
    table.flatMap(([operand, contained, overlapping, ...others]) => {
      const equal = dateEquality === "contain" ? contained : overlapping;
      const asked = PREFIXES.map((prefix, index) => [`date=${prefix}${operand}`, others[index] ?? ""] as const);
      return [[`date=${operand}`, equal] as const, [`date=eq${operand}`, equal] as const, ...asked];
    }),
  )("%s finds %s", async (query, expected) => {
    expect(await found("Observation", query)).toBe(expected);
  });
  it("ap widens by a tenth of the distance to now", async () => {
    expect(await found("Observation", "date=ap2011-06-29")).toBe("01234567");
    expect(await found("Observation", "date=ap1900")).toBe("");
  });
});

describe("10.4 numbers", () => {
  beforeAll(() =>
    loadNumbered(
      [0.2, 3, 7, 7.5, 42].map((probabilityDecimal) => ({
        resourceType: "RiskAssessment",
        prediction: [{ probabilityDecimal }],
      })),
    ),
  );
  const PREFIXES = ["", "eq", "ne", "lt", "gt", "le", "ge", "sa", "eb"];
  const table: [string, ...string[]][] = [
    ["7", "2", "0134", "01", "34", "012", "234", "34", "01"],
    ["7.0", "2", "0134", "01", "34", "012", "234", "34", "01"],
    ["7.00", "2", "0134", "01", "34", "012", "234", "34", "01"],
    ["7.5", "3", "0124", "012", "4", "0123", "34", "4", "012"],
    ["6.9", "", "01234", "01", "234", "01", "234", "234", "01"],
    ["7.01", "", "01234", "012", "34", "012", "34", "34", "012"],
    ["3", "1", "0234", "0", "234", "01", "1234", "234", "0"],
    ["40", "", "01234", "0123", "4", "0123", "4", "4", "0123"],
    ["4e1", "", "01234", "0123", "4", "0123", "4", "4", "0123"],
    ["2e-1", "0", "1234", "", "1234", "0", "01234", "1234", ""],
  ];
  it.each(
    table.flatMap(([operand, ...expected]) =>
      PREFIXES.map(
        (prefix, index) => [`probability=${prefix}${operand}`, expected[Math.max(index - 1, 0)] ?? ""] as const,
      ),
    ),
  )("%s finds %s", async (query, expected) => {
    expect(await found("RiskAssessment", query)).toBe(expected);
  });
  it.each([
    ["probability=ap40", "4"],
    // Half open: the end itself does not belong to the number below it.
    ["probability=6", ""],
    ["probability=8", "3"],
    ["probability=ne8", "0124"],
    ["probability=1e-1", ""],
    ["probability=ap3.2", "1"],
    ["probability=lt1e99999", "01234"],
    ["probability=gt-1e99999", "01234"],
    ["probability=1e-99999", ""],
  ])("%s finds %s", async (query, expected) => {
    expect(await found("RiskAssessment", query)).toBe(expected);
  });
});

describe("10.4 quantities", () => {
  const values: [string, string, string][] = [
    ["0.004", "mg", "urn:x:a"],
    ["2.0", "mg", "urn:x:a"],
    ["4.25", "mg", "urn:x:b"],
    ["7.0", "mg", "urn:x:a"],
    ["9.0", "mg", "urn:x:a"],
    ["9.0", "mL", "urn:x:b"],
    ["11.0", "mL", "urn:x:b"],
    ["13.5", "mL", "urn:x:a"],
    ["20.0", "mg", "urn:x:a"],
  ];
  beforeAll(async () => {
    await server.database.pool.query("delete from search_resource; delete from resource_current");
    await loadNumbered(
      values.map(([value, unit, system]) => ({
        resourceType: "Observation",
        valueQuantity: { value: Number(value), unit, system, code: unit },
      })),
    );
  });
  const PREFIXES = ["", "eq", "ne", "lt", "gt", "le", "ge", "sa", "eb"];
  const table: [string, ...string[]][] = [
    ["9", "45", "0123678", "0123", "678", "012345", "45678", "678", "0123"],
    ["9.000", "45", "0123678", "0123", "678", "012345", "45678", "678", "0123"],
    ["4e-3", "0", "12345678", "", "12345678", "0", "012345678", "12345678", ""],
    ["4E-3", "0", "12345678", "", "12345678", "0", "012345678", "12345678", ""],
    ["9|urn:x:a", "4", "01378", "013", "78", "0134", "478", "78", "013"],
    ["9||mL", "5", "67", "", "67", "5", "567", "67", ""],
    ["9|urn:x:a|mL", "", "7", "", "7", "", "7", "7", ""],
    ["9|urn:x:b|mL", "5", "6", "", "6", "5", "56", "6", ""],
    ["0.004|urn:x:a|mg", "0", "1348", "", "1348", "0", "01348", "1348", ""],
    ["60", "", "012345678", "012345678", "", "012345678", "", "", "012345678"],
  ];
  it.each(
    table.flatMap(([operand, ...expected]) =>
      PREFIXES.map(
        (prefix, index) => [`value-quantity=${prefix}${operand}`, expected[Math.max(index - 1, 0)] ?? ""] as const,
      ),
    ),
  )("%s finds %s", async (query, expected) => {
    expect(await found("Observation", query)).toBe(expected);
  });
});

describe("10.5 strings", () => {
  const LONG = `Heather ${"moss and stone ".repeat(20)}quartz ${"fern ".repeat(10)}end`;
  beforeAll(async () => {
    await server.database.pool.query("delete from search_resource; delete from resource_current");
    const people: [string, string, string?][] = [
      ["Bergen", "Holm", "Ida"],
      ["Lille", "Wilhelmsen"],
      ["Viborg", "Andresen"],
      [LONG, "Mork"],
      ["Molde", "Rikard", "Ida"],
      ["Narvik", "Noel"],
      ["Lille", "Noël"],
      ["Turku", "Rikard,Noel"],
    ];
    await loadNumbered(
      people.map(([city, family, given]) => ({
        resourceType: "Patient",
        address: [{ city }],
        name: [{ family, ...(given === undefined ? {} : { given: [given] }) }],
      })),
    );
  });
  it("has a long text as the contract describes it", () => {
    expect(LONG.length).toBeGreaterThan(300);
    expect(LONG.indexOf("quartz")).toBeGreaterThan(260);
  });
  it.each([
    ...["bergen", "BERGEN", "Bergen", "Ber", "ber"].map((city) => [`address-city=${city}`, "0"]),
    ["address-city=123", ""],
    ["address-city:exact=Bergen", "0"],
    ["address-city:exact=bergen", ""],
    ["address-city:exact=BERGEN", ""],
    ["address-city:exact=Ber", ""],
    ["address-city:contains=erg", "0"],
    ["address-city:contains=RGE", "0"],
    ["address-city:contains=123", ""],
    ["address-city=Heather", "3"],
    [`address-city=${q(LONG)}`, "3"],
    [`address-city:exact=${q(LONG)}`, "3"],
    [`address-city:contains=${q(LONG)}`, "3"],
    ["address-city:contains=quartz", "3"],
    ["address-city=NotHeather", ""],
    [`address-city=${q(`Not${LONG}`)}`, ""],
    [`address-city=${q(`${LONG}Not`)}`, ""],
    [`address-city:exact=${q(`${LONG}Not`)}`, ""],
    [`address-city:contains=${q(`${LONG}Not`)}`, ""],
    ["address-city:contains=granite", ""],
    ["family=Holm,Andre", "02"],
    ["name=Ida&name=Holm", "0"],
    ["name=noel", "56"],
    [`name=${q("noël")}`, "56"],
    [`name=${q("Rikard\\,Noel")}`, "7"],
    ["family:exact=Noel", "5"],
  ])("%s finds %s", async (query, expected) => {
    expect(await found("Patient", query ?? "")).toBe(expected);
  });
  it.each(["noel", "noël"])("name=%s with _total=accurate has total 2", async (name) => {
    const { body } = await server.get(`/Patient?name=${q(name)}&_tag=10&_total=accurate`);
    expect(body["total"]).toBe(2);
  });
});

describe("10.6 tokens", () => {
  const all = "012345678";
  const without = (digits: string): string =>
    Array.from(all)
      .filter((digit) => !digits.includes(digit))
      .join("");
  beforeAll(async () => {
    await server.database.pool.query("delete from search_resource; delete from resource_current");
    const values: JsonObject[] = [
      { coding: [coding("s1", "red")] },
      { coding: [coding("s2", "green")] },
      { text: "warm" },
      { coding: [coding("s1", "green", "warmish")] },
      { coding: [coding("s3", "blue", "warm")] },
      { text: "warm", coding: [coding("s1", "red"), coding("s3", "green")] },
      { coding: [coding("s2", "red"), coding("s3", "blue", "warmish")] },
      { coding: [coding(undefined, "blue")] },
    ];
    await loadNumbered([
      ...values.map((valueCodeableConcept) => ({ resourceType: "Observation", valueCodeableConcept })),
      { resourceType: "Observation", category: [{ coding: [coding("sys", "test")] }] },
    ]);
    await server.loadLive({ resourceType: "Patient", id: "p", meta: { tag: TAG } });
  });
  const table: [string, string][] = [
    ["a", ""],
    ["red", "056"],
    ["blue", "467"],
    ["a|b", ""],
    ["a|", ""],
    ["s2|green", "1"],
    ["|green", ""],
    ["|blue", "7"],
    ["s3|", "456"],
    ["red,s2|green", "0156"],
  ];
  it.each(table)("value-concept=%s finds %s", async (value, expected) => {
    expect(await found("Observation", `value-concept=${q(value)}`)).toBe(expected);
  });
  it.each(table)("value-concept:not=%s finds all but %s", async (value, expected) => {
    expect(await found("Observation", `value-concept:not=${q(value)}`)).toBe(without(expected));
  });
  it.each(table)("system-level value-concept:not=%s finds all but %s", async (value, expected) => {
    const ids = await server.ids(`?_type=Observation&value-concept:not=${q(value)}&_tag=10`);
    expect(ids.join("")).toBe(without(expected));
  });
  it.each([
    ["value-concept:text=red", ""],
    ["value-concept:text=warm", "23456"],
    ["value-concept:text=warmish", "36"],
    ["category:not=test", "01234567"],
    ["category:not=test&value-concept:not=red", "12347"],
    ["_id:not=0", "12345678"],
    ["_id:not=0,1", "2345678"],
    ["_id=0,1,77", "01"],
    ["_id:missing=true", ""],
    ["_lastUpdated:missing=false", all],
  ])("%s finds %s", async (query, expected) => {
    expect(await found("Observation", query)).toBe(expected);
  });
  it.each([
    ["_type:not=Patient", all],
    ["_type:not=Patient,Organization", all],
    ["_type=Patient", "p"],
    ["_type=Patient,Observation&_id=p,0", "0p"],
    ["_id=p,0", "0p"],
  ])("system-level %s finds %s", async (query, expected) => {
    expect((await server.ids(`?${query}&_tag=10`)).join("")).toBe(expected);
  });
});

describe("10.7 references", () => {
  beforeAll(async () => {
    await server.database.pool.query("delete from search_resource; delete from resource_current");
    await loadNumbered([
      { resourceType: "Patient", managingOrganization: { reference: "Organization/o-77" } },
      { resourceType: "Patient", managingOrganization: { reference: "Organization/o-78" } },
      { resourceType: "Patient", managingOrganization: { reference: "zeta" } },
      { resourceType: "Patient", generalPractitioner: [{ reference: "Practitioner/dr1" }] },
      { resourceType: "Patient", generalPractitioner: [{ reference: "dr2" }] },
      { resourceType: "Patient", generalPractitioner: [{ reference: "http://other.example/Practitioner/dr5" }] },
      { resourceType: "Patient", generalPractitioner: [{ identifier: { system: "urn:n", value: "12" } }] },
    ]);
  });
  it.each([
    ["organization=Organization/o-77", "0"],
    ["organization=o-77", "0"],
    ["organization=http://stoker.test/fhir/Organization/o-77", "0"],
    ["organization=Organization/o-7", ""],
    ["organization=organization/o-77", ""],
    ["organization=Organization/zeta", "2"],
    ["organization=zeta", "2"],
    ["general-practitioner=Practitioner/dr1", "3"],
    ["general-practitioner:Practitioner=Practitioner/dr1", "3"],
    ["general-practitioner:Practitioner=dr1", "3"],
    ["general-practitioner=Practitioner/dr2", ""],
    ["general-practitioner:Practitioner=dr2", ""],
    ["general-practitioner=dr2", "4"],
    ["general-practitioner=dr1", "3"],
    ["general-practitioner=http://other.example/Practitioner/dr5", "5"],
    ["general-practitioner=Practitioner/dr5", ""],
    ["general-practitioner:identifier=urn:n|12", "6"],
    ["general-practitioner:identifier=12", "6"],
    ["general-practitioner:identifier=urn:m|12", ""],
  ])("%s finds %s", async (query, expected) => {
    expect(await found("Patient", query)).toBe(expected);
  });
});

describe("10.8 uris", () => {
  beforeAll(() =>
    loadNumbered(
      ["http://lib.example/vs/colour", "urn://host/vs", "http://lab.example/t#77", "http://lab.example/t#77-1"].map(
        (url) => ({ resourceType: "ValueSet", url }),
      ),
    ),
  );
  it.each([
    ["url", "http://lib.example/vs/colour", "0"],
    ["url", "http://lib.EXAMPLE/vs/colour", ""],
    ["url", "http://lab.example/t#77", "2"],
    ["url", "urn://host/vs", "1"],
    ["url:above", "http://lib.example/vs/colour/deep", "0"],
    ["url:above", "vs", ""],
    ["url:above", "urn://host/vs", ""],
    ["url:above", "http://lab.example/t#77-1-5", "23"],
    ["url:below", "http", "023"],
    ["url:below", "vs", ""],
    ["url:below", "urn", ""],
  ])("%s=%s finds %s", async (name, value, expected) => {
    expect(await found("ValueSet", `${name}=${q(value)}`)).toBe(expected);
  });
});
