import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toBigInt } from "../base/hash.ts";
import { storedParameters } from "../fhir/derived-parameters.ts";
import { resourceKeyOf } from "../fhir/resource-key.ts";
import { searchParameter } from "../fhir/search-parameters.ts";
import { EqualityForm, equalityValue, referenceConstant } from "../fhir/search-value.ts";
import { openWriteServer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;
beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(async () => {
  await server.close();
});

/** Two texts that MurmurHash3, which was here before, gives one hash. */
const MINE = "MRN-瞔秶瀖何";
const OTHER = "MRN-혼蓕瀖謆";

function patient(value: string, more: Json = {}): Json {
  return { resourceType: "Patient", identifier: [{ system: "urn:x", value }], ...more };
}

function query(value: string): string {
  return `/Patient?identifier=${encodeURIComponent(`urn:x|${value}`)}`;
}

/** Makes the values of one resource those of another, too, as if their texts had the same hash. */
async function confuse(type: string, id: string, values: readonly bigint[]): Promise<void> {
  const { rowCount } = await server.database.pool.query(
    "update search_resource set equality = equality || $2::bigint[] where key = $1",
    [resourceKeyOf(type, id), values],
  );
  expect(rowCount).toBe(1);
}

function parametersOf(type: string, code: string): number[] {
  const parameter = searchParameter(type, code);
  if (parameter === undefined) throw new TypeError(`${type} has no ${code}`);
  return storedParameters(parameter, [type]).map((each) => each.parameter);
}

function valuesOf(type: string, code: string, form: EqualityForm, text: string): bigint[] {
  return parametersOf(type, code).map((parameter) => {
    const out = { high: 0, low: 0 };
    equalityValue(parameter, form, text, out);
    return toBigInt(out);
  });
}

describe("two texts whose unkeyed hashes were the same", () => {
  it("are two identifiers", async () => {
    const created = await server.send("PUT", "/Patient/mine", patient(MINE, { id: "mine" }));
    expect(created.status).toBe(201);
    expect(await server.ids(query(MINE))).toEqual(["mine"]);
    expect(await server.ids(query(OTHER))).toEqual([]);
    const other = await server.send("PUT", query(OTHER), patient(OTHER));
    expect(other.status).toBe(201);
    expect(other.body.id).not.toBe("mine");
    expect((await server.send("GET", "/Patient/mine")).body.meta.versionId).toBe("1");
  });

  it("are two ids", async () => {
    for (const id of ["MHf9DViVXD", "my-jpchtAD"]) {
      expect((await server.send("PUT", `/Patient/${id}`, patient(id, { id }))).status).toBe(201);
      expect(await server.ids(`/Patient?_id=${id}`)).toEqual([id]);
      expect((await server.send("GET", `/Patient/${id}`)).body.id).toBe(id);
    }
  });
});

describe("what a hash finds wrongly", () => {
  const cases: { criteria: string; code: string; form: EqualityForm; text: string }[] = [
    { criteria: "identifier=urn:y|1", code: "identifier", form: EqualityForm.systemCode, text: "urn:y|1" },
    { criteria: "identifier=2", code: "identifier", form: EqualityForm.code, text: "2" },
    { criteria: "identifier=|3", code: "identifier", form: EqualityForm.noSystemCode, text: "3" },
    { criteria: "identifier=urn:z|", code: "identifier", form: EqualityForm.system, text: "urn:z" },
    { criteria: "_tag=urn:t|4", code: "_tag", form: EqualityForm.systemCode, text: "urn:t|4" },
    { criteria: "family:exact=Five", code: "family", form: EqualityForm.stringExact, text: "Five" },
    {
      criteria: "_profile=http://example.org/six",
      code: "_profile",
      form: EqualityForm.uri,
      text: "http://example.org/six",
    },
  ];

  it.each(cases)("is no match of the condition $criteria", async ({ criteria, code, form, text }) => {
    const id = `wrong-${form}-${code.replace("_", "")}`;
    await server.send("PUT", `/Patient/${id}`, { resourceType: "Patient", id, active: true });
    await confuse("Patient", id, valuesOf("Patient", code, form, text));
    const write = { resourceType: "Patient", active: false };
    const created = await server.send("POST", "/Patient", write, { "if-none-exist": criteria });
    expect([created.status, created.body.id === id]).toEqual([201, false]);
    const updated = await server.send("PUT", `/Patient?${criteria}`, write);
    expect([updated.status, updated.body.id === id]).toEqual([201, false]);
    const patch = [{ op: "replace", path: "/active", value: false }];
    const headers = { "content-type": "application/json-patch+json" };
    expect((await server.send("PATCH", `/Patient?${criteria}`, patch, headers)).status).toBe(404);
    await server.send("DELETE", `/Patient?${criteria}`);
    const entry = {
      resource: {
        resourceType: "Flag",
        status: "active",
        code: { text: "x" },
        subject: { reference: `Patient?${criteria}` },
      },
      request: { method: "POST", url: "Flag" },
    };
    const bundle = { resourceType: "Bundle", type: "transaction", entry: [entry] };
    expect((await server.send("POST", "", bundle)).status).toBe(412);
    expect((await server.send("GET", `/Patient/${id}`)).body).toMatchObject({ active: true, meta: { versionId: "1" } });
  });

  it("does not hide what is asked for, though it comes first", async () => {
    const values = valuesOf("Patient", "identifier", EqualityForm.systemCode, "urn:many|1");
    for (let number = 0; number < 5; number++) {
      await server.send("PUT", `/Patient/many-${number}`, { resourceType: "Patient", id: `many-${number}` });
      await confuse("Patient", `many-${number}`, values);
    }
    const right = { resourceType: "Patient", id: "right", identifier: [{ system: "urn:many", value: "1" }] };
    await server.send("PUT", "/Patient/right", right);
    const answer = await server.send("POST", "/Patient", right, { "if-none-exist": "identifier=urn:many|1" });
    expect([answer.status, answer.body.id]).toEqual([200, "right"]);
  });

  it.each([
    "code:in=http://example.org/ValueSet/asked",
    "code:below=urn:cs|parent",
    "code:text=heart",
    "code:missing=false",
    "value-quantity=5|http://unitsofmeasure.org|mg",
    "value-quantity=0.005|http://unitsofmeasure.org|g",
    "value-quantity=5||mg",
    "code-value-quantity=urn:cs|child$5|http://unitsofmeasure.org|mg",
    "component-code-value-concept=urn:c|a$urn:c|b",
    "subject:Patient.identifier=urn:x|chained",
    "patient.name=Chained",
    "subject:Patient._has:Flag:patient:identifier=urn:f|1",
    "_has:DiagnosticReport:result:identifier=urn:r|1",
    "_has:DiagnosticReport:result:subject:Patient.identifier=urn:x|chained",
  ])("is no match of the condition %s, of which another resource is one", async (criteria) => {
    await storeAsked();
    const observation = { resourceType: "Observation", status: "final", code: { text: "new" } };
    const answer = await server.send("POST", "/Observation", observation, { "if-none-exist": criteria });
    expect([answer.status, answer.body.id], answer.text).toEqual([200, "met"]);
  });

  it("is no resource that refers to another one", async () => {
    await server.send("PUT", "/Patient/asked", { resourceType: "Patient", id: "asked" });
    for (const [id, target] of [
      ["to-asked", "asked"],
      ["to-other", "other"],
    ]) {
      const observation = { resourceType: "Observation", id, status: "final", code: { text: "x" } };
      await server.send("PUT", `/Observation/${id}`, { ...observation, subject: { reference: `Patient/${target}` } });
    }
    const values = parametersOf("Observation", "subject").map((parameter) => {
      const out = { high: 0, low: 0 };
      referenceConstant(parameter, out);
      return toBigInt(out) ^ resourceKeyOf("Patient", "asked");
    });
    await confuse("Observation", "to-other", values);
    for (const path of [
      "/Observation?subject=Patient/asked",
      "/Observation?patient=asked",
      "/Observation?subject=http://stoker.test/fhir/Patient/asked",
      "/Patient/asked/Observation",
      "/Observation?subject=Patient/asked&_sort=-date",
    ]) {
      expect(await server.ids(path), path).toEqual(["to-asked"]);
    }
    const { body } = await server.send("GET", "/Observation?subject=Patient/asked&_total=accurate");
    expect(body.total).toBe(1);
  });
});

/** `met` has all that is asked for; `unmet` has nothing of it, and the search values of the other. */
async function storeAsked(): Promise<void> {
  if ((await server.send("GET", "/Observation/met")).status === 200) return;
  const concepts = [{ code: "parent", concept: [{ code: "child" }] }];
  const include = [{ system: "urn:cs", concept: [{ code: "child" }] }];
  const common = { status: "active", content: "complete" };
  const child = { coding: [{ system: "urn:cs", code: "child" }], text: "Heart rate" };
  const patientLink = { reference: "Patient/chained" };
  const bare = { resourceType: "Observation", status: "final" };
  for (const resource of [
    { resourceType: "CodeSystem", id: "cs", url: "urn:cs", ...common, concept: concepts },
    {
      resourceType: "ValueSet",
      id: "vs",
      url: "http://example.org/ValueSet/asked",
      status: "active",
      compose: { include },
    },
    { ...patient("chained", { id: "chained", name: [{ family: "Chained" }] }) },
    {
      resourceType: "Flag",
      id: "f",
      status: "active",
      code: child,
      identifier: [{ system: "urn:f", value: "1" }],
      subject: patientLink,
    },
    {
      ...bare,
      id: "met",
      code: child,
      subject: patientLink,
      valueQuantity: { value: 5, system: "http://unitsofmeasure.org", code: "mg", unit: "mg" },
      component: [{ code: concept("a"), valueCodeableConcept: concept("b") }],
    },
    { ...bare, id: "unmet" },
    {
      resourceType: "DiagnosticReport",
      id: "r",
      status: "final",
      code: child,
      identifier: [{ system: "urn:r", value: "1" }],
      subject: patientLink,
      result: [{ reference: "Observation/met" }],
    },
  ]) {
    const { status } = await server.send("PUT", `/${resource.resourceType}/${resource.id}`, resource);
    expect(status).toBe(201);
  }
  const [met, unmet] = [resourceKeyOf("Observation", "met"), resourceKeyOf("Observation", "unmet")];
  const { pool } = server.database;
  await pool.query(
    "update search_resource r set equality = m.equality from search_resource m where r.key = $2 and m.key = $1",
    [met, unmet],
  );
  for (const { table, columns } of [
    { table: "search_quantity", columns: "system, code, qualifier, parameter, low, high" },
    { table: "search_string", columns: "qualifier, parameter, value, folded" },
  ]) {
    await pool.query(
      `insert into ${table} (segment, key, stamp, ${columns})
       select r.segment, r.key, r.stamp, ${columns
         .split(", ")
         .map((each) => `s.${each}`)
         .join()}
       from ${table} s, search_resource r where s.key = $1 and r.key = $2`,
      [met, unmet],
    );
  }
  const values = parametersOf("DiagnosticReport", "result").map((parameter) => {
    const out = { high: 0, low: 0 };
    referenceConstant(parameter, out);
    return toBigInt(out) ^ unmet;
  });
  await confuse("DiagnosticReport", "r", values);
  expect(await server.ids("/Observation?code:below=urn:cs|parent")).toEqual(["met", "unmet"]);
}

function concept(code: string): Json {
  return { coding: [{ system: "urn:c", code }] };
}
