import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { type ConditionForm } from "../condition/condition-sql.ts";
import { searchCondition } from "./plan.ts";
import { parseQuery } from "../parse/query.ts";
import { resolveCondition } from "../resolve/resolve.ts";
import { sql, statement } from "../../postgres/sql.ts";
import { BASE, linkOf, openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(
    { resourceType: "Organization", id: "o1", name: "North", partOf: { reference: "Organization/o2" } },
    { resourceType: "Organization", id: "o2", name: "Whole" },
    patient("p1", "peter", "Organization/o1"),
    patient("p2", "paula", "Organization/o2"),
    patient("p3", "peter"),
    { resourceType: "Device", id: "d1", identifier: [{ value: "serial" }] },
    {
      resourceType: "Group",
      id: "g1",
      type: "person",
      actual: true,
      member: [{ entity: { reference: "Patient/p3" } }],
    },
    { resourceType: "List", id: "l1", status: "current", mode: "working", entry: ["p1", "p3"].map(listed) },
    observation("a", "Patient/p1", "1234-5", "Encounter/e1"),
    observation("b", "Patient/p2", "1234-5"),
    observation("c", "Patient/p3", "other"),
    observation("d", "Device/d1", "1234-5"),
    observation("e", "http://elsewhere.test/Patient/p1", "1234-5"),
    observation("f", "Patient/nobody", "1234-5"),
    { resourceType: "Encounter", id: "e1", status: "finished", subject: { reference: "Patient/p1" } },
    {
      resourceType: "Condition",
      id: "c1",
      subject: { reference: "Patient/p1" },
      encounter: { reference: "Encounter/e1" },
    },
  );
});
afterAll(() => server.close());

function patient(id: string, given: string, organization?: string): JsonObject {
  return {
    resourceType: "Patient",
    id,
    name: [{ given: [given] }],
    gender: id === "p2" ? "female" : "male",
    identifier: [{ value: `number-${id}` }],
    ...(organization === undefined ? {} : { managingOrganization: { reference: organization } }),
  };
}

function observation(id: string, subject: string, code: string, encounter?: string): JsonObject {
  return {
    resourceType: "Observation",
    id,
    status: "final",
    code: { coding: [{ system: "s", code }] },
    subject: { reference: subject },
    ...(encounter === undefined ? {} : { encounter: { reference: encounter } }),
  };
}

function listed(id: string): JsonObject {
  return { item: { reference: `Patient/${id}` } };
}

const CASES = [
  ["Observation", "subject:Patient.name=peter", "a,c"],
  ["Observation", "subject:Patient.name=peter&code=1234-5", "a"],
  ["Observation", "patient.name=PAU", "b"],
  ["Observation", "subject.identifier=number-p1,serial", "a,d"],
  ["Observation", "subject:Device.identifier=serial", "d"],
  ["Observation", "subject.name=peter", "a,c"],
  ["Observation", "subject._id=p1,d1", "a,d"],
  ["Observation", "subject:Patient._lastUpdated=gt1990", "a,b,c"],
  ["Observation", "subject:Patient.name:exact=peter", "a,c"],
  ["Observation", "subject:Patient.gender:not=male", "b"],
  ["Observation", "subject:Patient.organization:missing=true", "c"],
  ["Observation", "subject:Patient.organization.name=north", "a"],
  ["Observation", "subject:Patient.organization:Organization.partof.name=whole", "a"],
  ["Observation", "subject:Patient.name=peter,paula&subject:Patient.gender=female", "b"],
  ["Observation", "subject:Patient.name=nobody", ""],
  ["Observation", "encounter.patient.name=peter", "a"],
  ["Observation", "subject:Patient._has:Group:member:_id=g1", "c"],
  ["Patient", "_has:Observation:patient:code=1234-5", "p1,p2"],
  ["Patient", "_has:Observation:subject:code=s|1234-5", "p1,p2"],
  ["Patient", "_has:Observation:patient:code:not=1234-5", "p3"],
  ["Patient", "_has:Observation:patient:code=1234-5,other&name=peter", "p1,p3"],
  ["Patient", "_has:Observation:patient:code=1234-5&_has:Condition:patient:_id=c1", "p1"],
  ["Encounter", "_has:Condition:encounter:subject.name=peter", "e1"],
  ["Patient", "_has:Encounter:patient:_has:Condition:encounter:_id=c1", "p1"],
  ["Patient", "_has:Encounter:patient:_has:Observation:encounter:code=1234-5", "p1"],
  ["Organization", "_has:Patient:organization:_has:Observation:patient:code=1234-5", "o1,o2"],
  ["Patient", "_list=l1", "p1,p3"],
  ["Patient", "_list=List/l1&gender=female", ""],
  ["Observation", "patient._list=l1", "a,c"],
] as const;

describe("chains, _has and _list", () => {
  it.each(CASES)("%s?%s finds %s", async (type, query, expected) => {
    expect((await server.ids(`/${type}?${query}`)).join()).toBe(expected);
  });

  it.each(CASES)("%s?%s finds %s in every form", async (type, query, expected) => {
    const parameters = [...new URLSearchParams(query)];
    const { groups } = parseQuery({ type, parameters, strict: true, baseUrl: BASE });
    const condition = searchCondition(groups, { dateEquality: "contain", now: 0 });
    const { pool } = server.database;
    const nothing = { targets: -1, sources: -1, planSize: 1_000_000, forced: 0 };
    const variants = [
      condition,
      await resolveCondition(pool, condition),
      await resolveCondition(pool, condition, undefined, nothing),
      // Every other step must be looked up.
      await resolveCondition(pool, condition, undefined, { ...nothing, planSize: 1, forced: 1000 }),
    ];
    for (const each of variants) {
      for (const form of ["lookup", "set", "walk"] as ConditionForm[]) {
        const found = await server.database.pool.query<{ id: string }>(
          statement(sql`select h.id from search_resource r join resource_current h on h.key = r.key
              where ${conditionSql(each, form)} order by h.id`),
        );
        expect([form, found.rows.map(({ id }) => id).join()]).toEqual([form, expected]);
      }
    }
  });

  it("that must be looked up lead to a bounded number of resources", async () => {
    const limits = { targets: -1, sources: -1, planSize: 1, forced: 1 };
    for (const [type, name] of [
      ["Observation", "subject:Patient.organization._id:not"],
      ["Organization", "_has:Patient:organization:_has:Observation:patient:_id:not"],
    ] as const) {
      const { groups } = parseQuery({ type, parameters: [[name, "x"]], strict: true, baseUrl: BASE });
      const condition = searchCondition(groups, { dateEquality: "contain", now: 0 });
      const resolving = resolveCondition(server.database.pool, condition, undefined, limits);
      await expect(resolving).rejects.toMatchObject({ code: "too-costly", status: 400 });
    }
  });

  it("lead over 32 references", async () => {
    const ids = Array.from({ length: 33 }, (_, index) => `deep${index}`);
    const encounters = ids.map((id, index) => ({
      resourceType: "Encounter",
      id,
      ...(index === 0 ? {} : { partOf: { reference: `Encounter/deep${index - 1}` } }),
    }));
    await server.loadLive(...encounters);
    expect(await server.ids(`/Encounter?${"part-of:Encounter.".repeat(32)}_id=deep0`)).toEqual(["deep32"]);
    expect(await server.ids(`/Encounter?${"_has:Encounter:part-of:".repeat(32)}_id=deep32`)).toEqual(["deep0"]);
    const there = "_has:Encounter:part-of:part-of:Encounter.".repeat(16);
    expect(await server.ids(`/Encounter?_count=50&_id:not=deep32&${there}_id:not=x`)).toEqual(
      ids.slice(0, 32).toSorted(),
    );
  });

  it("are in the self link as they were asked", async () => {
    const { body } = await server.get("/Observation?subject:Patient.name=peter");
    expect(linkOf(body, "self")).toBe("/Observation?subject:Patient.name=peter");
  });

  it.each([
    ["Observation", "code.name=x"],
    ["Observation", "subject.shoe-size=x"],
    ["Observation", "subject:Organization.name=x"],
    ["Observation", "subject:Spaceship.name=x"],
    ["Observation", "nothing.name=x"],
    ["Patient", "_has:Observation:code:code=x"],
    ["Patient", "_has:Spaceship:patient:code=x"],
    ["Patient", "_has:Observation:patient=x"],
    ["Patient", "_has:Observation:patient:shoe-size=x"],
    ["Observation", "subject:Patient.birthdate=yesterday"],
    ["Observation", `encounter:Encounter.${"part-of:Encounter.".repeat(32)}_id=x`],
    ["Encounter", `${"_has:Encounter:part-of:".repeat(33)}_id=x`],
    ["Basic", `${"subject.".repeat(8)}_id=x`],
    ["Observation", `${"based-on.".repeat(32)}_id=x`],
  ])("%s?%s is an error, never a wider answer", async (type, query) => {
    const { status, body } = await server.get(`/${type}?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ resourceType: "OperationOutcome" });
  });

  it("find by current versions only, while rows of others are still there", async () => {
    await server.load([{ resource: patient("moved", "anna"), versionId: 1 }], false);
    await server.load([{ resource: observation("m", "Patient/moved", "m-1"), versionId: 1 }], false);
    await server.load([{ resource: patient("moved", "bertha"), versionId: 2 }], false);
    await server.load([{ resource: observation("m", "Patient/p1", "m-2"), versionId: 2 }], false);
    await server.load([{ resource: observation("n", "Patient/moved", "m-3"), versionId: 1 }], false);
    expect(await server.ids("/Observation?subject:Patient.name=anna")).toEqual([]);
    expect(await server.ids("/Observation?subject:Patient.name=bertha")).toEqual(["n"]);
    expect(await server.ids("/Patient?_has:Observation:patient:code=m-1")).toEqual([]);
    expect(await server.ids("/Patient?_has:Observation:patient:code=m-2")).toEqual(["p1"]);
  });
});
