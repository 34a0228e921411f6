import { CapabilityTool, Client } from "fhir-kit-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFullServer, type FullServer, type Json } from "../support/full-server.ts";

let server: FullServer;
let client: Client;

beforeAll(async () => {
  server = await openFullServer();
  client = new Client({ baseUrl: server.base });
});
afterAll(() => server.close());

const patient = (family: string, more: Json = {}): Json => ({ resourceType: "Patient", name: [{ family }], ...more });
const ids = (bundle: Json): string[] => (bundle.entry ?? []).map(({ resource }: Json) => resource.id);

/** The status and OperationOutcome that a request fails with. */
async function failure(work: Promise<unknown>): Promise<{ status: number; data: Json }> {
  return await work.then(
    () => {
      throw new Error("no failure");
    },
    (error: Json) => error.response,
  );
}

describe("fhir-kit-client", () => {
  it("creates, reads, updates, deletes", async () => {
    const created: Json = await client.create({ resourceType: "Patient", body: patient("Crud") });
    const { response } = Client.httpFor(created);
    expect([response?.status, response?.headers.get("etag")]).toEqual([201, 'W/"1"']);
    expect(response?.headers.get("location")).toBe(`${server.base}/Patient/${created.id}/_history/1`);
    const read: Json = await client.read({ resourceType: "Patient", id: created.id });
    expect(read).toEqual(created);

    const body = { ...read, gender: "female" };
    const headers = { "If-Match": 'W/"1"' };
    const updated: Json = await client.update({ resourceType: "Patient", id: created.id, body, options: { headers } });
    expect([updated.meta.versionId, updated.gender]).toEqual(["2", "female"]);
    const stale = await failure(client.update({ resourceType: "Patient", id: created.id, body, options: { headers } }));
    expect([stale.status, stale.data.resourceType]).toEqual([412, "OperationOutcome"]);

    const first: Json = await client.vread({ resourceType: "Patient", id: created.id, version: "1" });
    expect(first.gender).toBeUndefined();
    const history: Json = await client.history({ resourceType: "Patient", id: created.id });
    expect([history.type, history.total, history.entry.length]).toEqual(["history", 2, 2]);

    await client.delete({ resourceType: "Patient", id: created.id });
    expect((await failure(client.read({ resourceType: "Patient", id: created.id }))).status).toBe(410);
    expect((await failure(client.read({ resourceType: "Patient", id: "none" }))).status).toBe(404);
  });

  it("creates and updates by conditions", async () => {
    const identifier = [{ system: "urn:kit", value: "1" }];
    const body = patient("Condition", { identifier });
    const searchParams = { identifier: "urn:kit|1" };
    const created: Json = await client.update({ resourceType: "Patient", searchParams, body });
    expect(created.meta.versionId).toBe("1");
    const updated: Json = await client.update({
      resourceType: "Patient",
      searchParams,
      body: { ...body, active: true },
    });
    expect([updated.id, updated.meta.versionId]).toEqual([created.id, "2"]);
    const headers = { "If-None-Exist": "identifier=urn:kit|1" };
    const kept: Json = await client.create({ resourceType: "Patient", body, options: { headers } });
    expect([Client.httpFor(kept).response?.status, kept.id]).toEqual([200, created.id]);
  });

  it("patches", async () => {
    const { id }: Json = await client.create({ resourceType: "Patient", body: patient("Patch", { active: false }) });
    const jsonPatch = [{ op: "replace" as const, path: "/active", value: true }];
    const patched: Json = await client.patch({ resourceType: "Patient", id, jsonPatch });
    expect([patched.active, patched.meta.versionId]).toEqual([true, "2"]);
  });

  it("sends batches and transactions, and searches in all ways, to the last page", async () => {
    const entry = Array.from({ length: 25 }, (_, index) => ({
      fullUrl: `urn:uuid:00000000-0000-4000-8000-0000000000${String(index).padStart(2, "0")}`,
      resource: patient("Page", { birthDate: `19${String(index + 10)}-01-01` }),
      request: { method: "POST", url: "Patient" },
    }));
    const observation = {
      resource: {
        resourceType: "Observation",
        status: "final",
        code: { coding: [{ system: "http://loinc.org", code: "8302-2" }] },
        subject: { reference: entry[0]?.fullUrl },
      },
      request: { method: "POST", url: "Observation" },
    };
    const body = { resourceType: "Bundle", type: "transaction", entry: [...entry, observation] };
    const answer: Json = await client.transaction({ body });
    expect(answer.entry.map(({ response }: Json) => response.status)).toEqual(
      Array.from(answer.entry, () => "201 Created"),
    );
    const first: string = answer.entry[0].response.location.split("/").at(-3);

    for (const postSearch of [false, true]) {
      const found: string[] = [];
      const searchParams = { family: "page", _count: 10, _sort: "-birthdate", _total: "accurate" };
      let page: Json = await client.search({ resourceType: "Patient", searchParams, options: { postSearch } });
      expect(page.total).toBe(25);
      for (; page !== undefined; page = await client.nextPage({ bundle: page })) found.push(...ids(page));
      expect(found.length).toBe(25);
      expect(new Set(found).size).toBe(25);
      expect(found.at(-1)).toBe(first);
      const all: Json = await client.search({
        searchParams: { _type: "Patient", _id: first },
        options: { postSearch },
      });
      expect(ids(all)).toEqual([first]);
      const compartment = { resourceType: "Patient", id: first };
      const inside: Json = await client.search({ resourceType: "Observation", compartment, options: { postSearch } });
      expect(inside.entry.length).toBe(1);
    }

    const included: Json = await client.search({
      resourceType: "Observation",
      searchParams: { code: "8302-2", _include: ["Observation:subject"], "patient.birthdate": ["ge1910", "lt1911"] },
    });
    expect(included.entry.map(({ search }: Json) => search.mode)).toEqual(["match", "include"]);
    const resolved: Json = await client.resolve({
      reference: included.entry[0].resource.subject.reference,
      context: included,
    });
    expect(resolved.id).toBe(first);

    const everything: Json = await client.operation({
      name: "everything",
      resourceType: "Patient",
      id: first,
      method: "GET",
    });
    expect(everything.entry.length).toBe(2);
    const batch: Json = await client.batch({
      body: {
        resourceType: "Bundle",
        type: "batch",
        entry: [
          { request: { method: "GET", url: `Patient/${first}` } },
          { request: { method: "GET", url: "Patient/none" } },
        ],
      },
    });
    expect(batch.entry.map(({ response }: Json) => response.status)).toEqual(["200 OK", "404 Not Found"]);
  });

  it("reads histories of a type and of the system", async () => {
    for (const resourceType of ["Patient", undefined]) {
      let page: Json = await client.history(resourceType === undefined ? {} : { resourceType });
      let versions = 0;
      for (; page !== undefined; page = await client.nextPage({ bundle: page })) versions += page.entry?.length ?? 0;
      expect(versions).toBeGreaterThan(25);
    }
  });

  it("calls operations by POST", async () => {
    const patient: Json = await client.create({ resourceType: "Patient", body: { resourceType: "Patient" } });
    const { id } = patient;
    const everything: Json = await client.operation({ name: "everything", resourceType: "Patient", id });
    expect(everything.entry.map(({ resource }: Json) => resource.id)).toEqual([id]);
  });

  it("validates", async () => {
    const input = { resourceType: "Patient", gender: "x", birthDate: "y" };
    const outcome: Json = await client.operation({ name: "$validate", resourceType: "Patient", input });
    expect(outcome.issue.map(({ expression }: Json) => expression[0])).toEqual(["Patient.gender", "Patient.birthDate"]);
  });

  it("understands what the server can", async () => {
    const statement = await client.capabilityStatement();
    const tool = new CapabilityTool(statement);
    expect(tool.resourceCan("Patient", "create")).toBe(true);
    expect(tool.resourceCan("SearchParameter", "search-type")).toBe(true);
    expect(tool.resourceSearch("Patient", "birthdate")).toBe(true);
    expect(tool.searchParamsFor({ resourceType: "Patient" }).length).toBeGreaterThan(20);
    expect(tool.serverCan("transaction")).toBe(true);
    expect(await client.smartAuthMetadata()).toEqual({});
  });
});
