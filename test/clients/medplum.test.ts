import { MedplumClient, OperationOutcomeError } from "@medplum/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFullServer, type FullServer, type Json } from "../support/full-server.ts";

let server: FullServer;
let medplum: MedplumClient;

beforeAll(async () => {
  server = await openFullServer();
  medplum = new MedplumClient({ baseUrl: new URL(server.base).origin, fhirUrlPath: "fhir", fetch, cacheTime: 0 });
});
afterAll(() => server.close());

const patient = (family: string, more: Json = {}): Json => ({ resourceType: "Patient", name: [{ family }], ...more });

/** The OperationOutcome that a request fails with. */
async function failure(work: Promise<unknown>): Promise<Json> {
  return await work.then(
    () => {
      throw new Error("no failure");
    },
    (error: unknown) => {
      if (error instanceof OperationOutcomeError) return error.outcome;
      throw error;
    },
  );
}

describe("MedplumClient", () => {
  it("creates, reads, updates, deletes", async () => {
    const created: Json = await medplum.createResource(patient("Crud"));
    expect(created.meta.versionId).toBe("1");
    expect(await medplum.readResource("Patient", created.id)).toEqual(created);
    expect(await medplum.readReference({ reference: `Patient/${created.id}` })).toEqual(created);
    const updated: Json = await medplum.updateResource({ ...created, gender: "female" });
    expect([updated.meta.versionId, updated.gender]).toEqual(["2", "female"]);
    expect((await medplum.readVersion("Patient", created.id, "1")) as Json).not.toHaveProperty("gender");
    const history: Json = await medplum.readHistory("Patient", created.id);
    expect(history.entry.map(({ resource }: Json) => resource.meta.versionId)).toEqual(["2", "1"]);

    const wrong = await failure(medplum.createResource(patient("Wrong", { gender: "x", birthDate: "y" })));
    expect(wrong.issue[0].expression).toEqual(["Patient.gender"]);
    await medplum.deleteResource("Patient", created.id);
    expect((await failure(medplum.readResource("Patient", created.id))).issue[0].code).toBe("deleted");
    expect((await failure(medplum.readResource("Patient", "none"))).issue[0].code).toBe("not-found");
  });

  it("creates and updates by conditions", async () => {
    const body = patient("Condition", { identifier: [{ system: "urn:medplum", value: "1" }] });
    const query = "identifier=urn:medplum|1";
    const created: Json = await medplum.createResourceIfNoneExist(body, query);
    expect(await medplum.createResourceIfNoneExist(body, query)).toEqual(created);
    const upserted: Json = await medplum.upsertResource({ ...body, active: true }, query);
    expect([upserted.id, upserted.meta.versionId, upserted.active]).toEqual([created.id, "2", true]);
  });

  it("patches", async () => {
    const created: Json = await medplum.createResource(patient("Patch", { active: false }));
    const patched: Json = await medplum.patchResource("Patient", created.id, [
      { op: "test", path: "/active", value: false },
      { op: "replace", path: "/active", value: true },
    ]);
    expect([patched.active, patched.meta.versionId]).toEqual([true, "2"]);
    const stale = await failure(
      medplum.patchResource("Patient", created.id, [{ op: "test", path: "/active", value: false }]),
    );
    expect(stale.resourceType).toBe("OperationOutcome");
  });

  it("searches to the last page", async () => {
    const entry = Array.from({ length: 23 }, (_, index) => ({
      resource: patient("Page", { birthDate: `19${String(index + 10)}-01-01` }),
      request: { method: "POST", url: "Patient" },
    }));
    const answer: Json = await medplum.executeBatch({ resourceType: "Bundle", type: "transaction", entry } as Json);
    expect(answer.type).toBe("transaction-response");
    const found: Json[] = [];
    const pages = medplum.searchResourcePages("Patient", { family: "Page", _count: "5", _sort: "birthdate" });
    let count = 0;
    for await (const page of pages) {
      count++;
      found.push(...page);
    }
    expect([count, found.length]).toEqual([5, 23]);
    const dates = found.map(({ birthDate }) => birthDate as string);
    expect(dates).toEqual(dates.toSorted());
    const bundle: Json = await medplum.search("Patient", "family=page&_summary=count");
    expect([bundle.total, bundle.entry]).toEqual([23, undefined]);
    const one: Json = await medplum.searchOne("Patient", { birthdate: "1915-01-01" });
    expect(one.birthDate).toBe("1915-01-01");
    const short: Json[] = await medplum.searchResources("Patient", "family=page&_count=2&_elements=name");
    expect(short.map((each) => Object.keys(each))).toEqual(
      Array.from({ length: 2 }, () => ["resourceType", "id", "meta", "name"]),
    );
  });

  it("reads everything of a patient, with includes and batches of its own", async () => {
    const created: Json = await medplum.createResource(patient("Everything"));
    const reference = `Patient/${created.id}`;
    const observation: Json = await medplum.createResource({
      resourceType: "Observation",
      status: "final",
      code: { text: "height" },
      subject: { reference },
    } as Json);
    const everything: Json = await medplum.readPatientEverything(created.id);
    const inside: string[] = everything.entry.map(({ resource }: Json) => resource.id);
    expect(new Set(inside)).toEqual(new Set([created.id, observation.id]));
    const included: Json = await medplum.search("Observation", `subject=${reference}&_include=Observation:subject`);
    expect(included.entry.map(({ search }: Json) => search.mode)).toEqual(["match", "include"]);

    // Requests of the same moment become one batch
    const batching = new MedplumClient({
      baseUrl: new URL(server.base).origin,
      fhirUrlPath: "fhir",
      fetch,
      autoBatchTime: 50,
      cacheTime: 0,
    });
    const [first, second, third, fourth] = await Promise.allSettled([
      batching.readResource("Patient", created.id),
      batching.searchResources("Observation", `subject=${reference}`),
      batching.readResource("Patient", "none"),
      batching.readPatientEverything(created.id),
    ]);
    expect(first).toMatchObject({ status: "fulfilled", value: { id: created.id } });
    expect(second.status === "fulfilled" && second.value.map(({ id }) => id)).toEqual([observation.id]);
    expect(third.status).toBe("rejected");
    expect(fourth.status === "fulfilled" && fourth.value.entry?.length).toBe(2);
  });

  it("exports in bulk", async () => {
    const created: Json = await medplum.createResource(patient("Export"));
    const options = { pollStatusOnAccepted: true, pollStatusPeriod: 100 };
    const manifest: Json = await medplum.bulkExport("", "Patient", undefined, options);
    const files: string[] = manifest.output.map(({ url }: Json) => url);
    const lines = await Promise.all(files.map(async (url) => (await medplum.download(url)).text()));
    expect(lines.join("")).toContain(created.id);
  });

  it("stores files as Binary resources, and reads them back as they were", async () => {
    const binary: Json = await medplum.createBinary({ data: "bytes of a file\n", contentType: "text/plain" });
    expect(binary).toMatchObject({ resourceType: "Binary", contentType: "text/plain" });
    expect(await medplum.readResource("Binary", binary.id)).toEqual(binary);
    const content = await medplum.download(`${server.base}/Binary/${binary.id}`, { headers: { accept: "text/plain" } });
    expect(await content.text()).toBe("bytes of a file\n");
  });

  it("validates", async () => {
    const outcome: Json = await medplum.validateResource(patient("V", { gender: "x", birthDate: "y" }));
    expect(outcome.issue.map(({ expression }: Json) => expression[0])).toEqual(["Patient.gender", "Patient.birthDate"]);
  });

  it("reads the CapabilityStatement", async () => {
    const statement: Json = await medplum.get("fhir/metadata");
    expect(statement.resourceType).toBe("CapabilityStatement");
  });
});
