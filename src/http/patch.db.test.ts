import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resourceKeyOf } from "../fhir/resource-key.ts";
import { BASE, openWriteServer, type Answer, type Json, type WriteServer } from "./testing/write-server.ts";
import { pathPatch, storePatient, versionOf, withoutMeta } from "./testing/patches.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

const JSON_PATCH = { "content-type": "application/json-patch+json" };

function patch(path: string, operations: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return server.send("PATCH", path, operations, { ...JSON_PATCH, ...headers });
}

/** Resolves when so many writers wait for a lock. */
async function waiting(count: number): Promise<void> {
  for (;;) {
    const { rows } = await server.database.pool.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and application_name = 'stoker writer'`,
    );
    if (rows[0]?.count === count) return;
    await sleep(10);
  }
}

describe("patch", () => {
  it("makes the next version, which is answered, read and found", async () => {
    const family = `P${randomUUID().slice(0, 8)}`;
    const id = await storePatient(server, '"name":[{"family":"Alder"}]');
    const answer = await patch(`/Patient/${id}`, [{ op: "replace", path: "/name/0/family", value: family }]);
    expect(answer.status).toBe(200);
    expect(answer.headers["etag"]).toBe('W/"2"');
    expect(answer.headers["location"]).toBe(`${BASE}/Patient/${id}/_history/2`);
    expect(answer.headers["last-modified"]).toBe(new Date(answer.body.meta.lastUpdated).toUTCString());
    expect((await server.send("GET", `/Patient/${id}`)).text).toBe(answer.text);
    expect((await server.send("GET", `/Patient/${id}/_history/1`)).body.name[0].family).toBe("Alder");
    expect(await server.ids(`/Patient?family=${family}`)).toEqual([id]);
    expect(await server.ids(`/Patient?_id=${id}&family=Alder`)).toEqual([]);
  });

  it("keeps bytes: white space, order and digits, of the resource and of the patch", async () => {
    const id = randomUUID();
    const before = `{ "resourceType": "Observation", "id": "${id}",\n  "status": "final", "code": { "text": "\\u0061" },
  "valueQuantity": { "value": 1.10, "unit": "kg" }, "component": [ { "code": { "text": "b" }, "valueQuantity": {"value":2.0} } ] }`;
    await server.send("PUT", `/Observation/${id}`, before);
    const path = `/Observation/${id}`;
    const json = await patch(path, '[{"op":"replace","path":"/component/0/valueQuantity/value","value":7.000}]');
    expect(json.status).toBe(200);
    expect(withoutMeta(json.text)).toBe(before.replace("2.0", "7.000"));
    const body = `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},
      {"name":"path","valueString":"Observation.value.value"},{"name":"value","valueDecimal":0.100}]}]}`;
    const fhirpath = await server.send("PATCH", path, body);
    expect(withoutMeta(fhirpath.text)).toBe(before.replace("2.0", "7.000").replace("1.10", "0.100"));
  });

  it("takes a FHIRPath Patch as application/json, too", async () => {
    const id = await storePatient(server);
    const operations = pathPatch({
      type: "add",
      path: "Patient",
      name: "birthDate",
      value: { valueDate: "1990-01-01" },
    });
    const headers = { "content-type": "application/json; charset=utf-8" };
    const answer = await server.send("PATCH", `/Patient/${id}`, operations, headers);
    expect([answer.status, answer.body.birthDate]).toEqual([200, "1990-01-01"]);
  });

  it("is applied to the resource as it is read, and takes no notice of a changed version or date", async () => {
    const id = await storePatient(server);
    const { body } = await server.send("GET", `/Patient/${id}`);
    const answer = await patch(`/Patient/${id}`, [
      { op: "test", path: "/meta/versionId", value: "1" },
      { op: "test", path: "/meta/lastUpdated", value: body.meta.lastUpdated },
      { op: "replace", path: "/meta/versionId", value: "77" },
      { op: "replace", path: "/meta/lastUpdated", value: "2001-01-01T00:00:00Z" },
      { op: "add", path: "/meta/tag", value: [{ code: "x" }] },
    ]);
    expect(answer.status).toBe(200);
    expect(answer.body.meta.versionId).toBe("2");
    expect(Date.parse(answer.body.meta.lastUpdated)).toBeGreaterThan(Date.parse(body.meta.lastUpdated));
    expect(await server.ids(`/Patient?_id=${id}&_tag=x`)).toEqual([id]);
    const removed = await patch(`/Patient/${id}`, [{ op: "remove", path: "/meta" }]);
    expect(Object.keys(removed.body.meta).toSorted()).toEqual(["lastUpdated", "versionId"]);
  });

  it("makes a version also when it changes nothing, like an update", async () => {
    const id = await storePatient(server);
    expect((await patch(`/Patient/${id}`, [])).headers["etag"]).toBe('W/"2"');
    const empty = await server.send("PATCH", `/Patient/${id}`, { resourceType: "Parameters" });
    expect([empty.status, empty.headers["etag"]]).toEqual([200, 'W/"3"']);
  });

  it.each([
    ["return=minimal", ""],
    ["return=representation", "Patient"],
    ["return=OperationOutcome", "OperationOutcome"],
  ])("Prefer: %s", async (prefer, expected) => {
    const id = await storePatient(server);
    const answer = await patch(`/Patient/${id}`, [{ op: "remove", path: "/active" }], { prefer });
    expect(answer.status).toBe(200);
    expect(answer.body?.resourceType ?? "").toBe(expected);
    expect(answer.headers["etag"]).toBe('W/"2"');
  });

  it("If-Match: 412 for another version, after 404 and 410, before 422", async () => {
    const id = await storePatient(server);
    const wrong = [{ op: "remove", path: "/nothing" }];
    const other = { "if-match": 'W/"7"' };
    expect((await patch(`/Patient/${id}`, wrong, other)).status).toBe(412);
    expect((await patch(`/Patient/${id}`, wrong, { "if-match": 'W/"1"' })).status).toBe(422);
    expect((await patch(`/Patient/${id}`, [], { "if-match": 'W/"1"' })).status).toBe(200);
    expect((await patch(`/Patient/${id}`, [], { "if-match": 'W/"1"' })).status).toBe(412);
    expect((await patch("/Patient/never", wrong, other)).status).toBe(404);
    await server.send("DELETE", `/Patient/${id}`);
    expect((await patch(`/Patient/${id}`, wrong, other)).status).toBe(410);
    expect((await server.send("GET", `/Patient/${id}/_history`)).body.total).toBe(3);
  });

  it.each<[string, unknown, string, string]>([
    [
      "nothing at the path",
      [
        { op: "test", path: "/active", value: true },
        { op: "remove", path: "/x" },
      ],
      "Operation 2 (remove /x)",
      "processing",
    ],
    ["a failed test", [{ op: "test", path: "/active", value: false }], "Operation 1 (test /active)", "processing"],
    ["another id", [{ op: "replace", path: "/id", value: "other" }], "cannot change the id", "processing"],
    ["no id", [{ op: "remove", path: "/id" }], "cannot change the id", "processing"],
    [
      "another type",
      [{ op: "replace", path: "/resourceType", value: "Basic" }],
      "cannot change the type",
      "processing",
    ],
    ["an unknown element", [{ op: "add", path: "/shoe", value: 1 }], "invalid: Unknown element", "structure"],
    ["a prototype", '[{"op":"add","path":"/__proto__","value":{"a":1}}]', "invalid: Unknown element", "structure"],
    ["a wrong value", [{ op: "add", path: "/birthDate", value: "soon" }], "invalid: Patient.birthDate", "value"],
    [
      "no resource at all",
      [{ op: "replace", path: "", value: [] }],
      "invalid: A resource must be a JSON object",
      "structure",
    ],
    [
      "too deep",
      [{ op: "add", path: "/contact", value: JSON.parse("[".repeat(100) + "]".repeat(100)) }],
      "invalid: Patient.contact",
      "structure",
    ],
  ])("422 for %s, and nothing is written", async (_name, operations, text, code) => {
    const id = await storePatient(server);
    const answer = await patch(`/Patient/${id}`, operations);
    expect(answer.status).toBe(422);
    expect(answer.body.issue[0].diagnostics).toContain(text);
    expect(answer.body.issue[0].code).toBe(code);
    expect(await versionOf(server, id)).toBe("1");
  });

  it("422 for a FHIRPath Patch names operation, path and parameter", async () => {
    const id = await storePatient(server);
    const answer = await server.send(
      "PATCH",
      `/Patient/${id}`,
      pathPatch({ type: "replace", path: "Patient.birthDate", value: { valueDate: "1990" } }),
    );
    expect(answer.status).toBe(422);
    expect(answer.body.issue[0].diagnostics).toBe(
      "Operation 1 (replace Patient.birthDate): there is no element at this path.",
    );
    expect(answer.body.issue[0].expression).toEqual(["Parameters.parameter[0]"]);
  });

  it.each<[string, unknown, Record<string, string>]>([
    ["no JSON", "[", JSON_PATCH],
    ["no UTF-8", Buffer.from([0x5b, 0xff, 0x5d]), JSON_PATCH],
    ["nothing", "", JSON_PATCH],
    ["no array", "{}", JSON_PATCH],
    ["a JSON Patch as FHIR", "[]", { "content-type": "application/fhir+json" }],
    ["another resource", { resourceType: "Patient" }, { "content-type": "application/fhir+json" }],
    [
      "Parameters with unknown elements",
      { resourceType: "Parameters", shoe: 1 },
      { "content-type": "application/fhir+json" },
    ],
  ])("400 for %s", async (_name, body, headers) => {
    const id = await storePatient(server);
    expect((await server.send("PATCH", `/Patient/${id}`, body, headers)).status).toBe(400);
  });

  it.each(["application/xml-patch+xml", "application/fhir+xml", "text/plain"])(
    "415 for %s, which names what is taken",
    async (type) => {
      const id = await storePatient(server);
      const answer = await server.send("PATCH", `/Patient/${id}`, "<diff/>", { "content-type": type });
      expect(answer.status).toBe(415);
      const accepted =
        "application/json-patch+json, application/merge-patch+json, application/fhir+json, application/json";
      expect(answer.headers["accept-patch"]).toBe(accepted);
      expect(answer.body.issue[0].diagnostics).toContain(accepted);
    },
  );

  it("404 for what is no type", async () => {
    expect((await patch("/Shoe/1", [])).status).toBe(404);
    expect((await patch("/Shoe?x=1", [])).status).toBe(404);
  });

  it("is in the CapabilityStatement", async () => {
    const { body } = await server.send("GET", "/metadata");
    expect(body.patchFormat).toEqual([
      "application/json-patch+json",
      "application/merge-patch+json",
      "application/fhir+json",
    ]);
    const codes = (type: string): string[] =>
      body.rest[0].resource.find((each: Json) => each.type === type).interaction.map(({ code }: Json) => code);
    expect(codes("Patient")).toContain("patch");
    expect(codes("SearchParameter")).toContain("patch");
  });
});

describe("conditional patch", () => {
  it("of the one match; 404 for none, 412 for several and without a condition", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const path = `/Patient?identifier=${system}|1`;
    const add = [{ op: "add", path: "/gender", value: "female" }];
    const resource = { resourceType: "Patient", identifier: [{ system, value: "1" }] };
    expect((await patch(path, add)).status).toBe(404);
    const { body } = await server.send("POST", "/Patient", resource);
    const answer = await patch(path, add);
    expect([answer.status, answer.body.id, answer.body.gender]).toEqual([200, body.id, "female"]);
    expect((await patch(path, add, { "if-match": 'W/"1"' })).status).toBe(412);
    await server.send("POST", "/Patient", resource);
    expect((await patch(path, add)).status).toBe(412);
    expect((await patch("/Patient", add)).status).toBe(412);
    expect((await patch("/Patient?shoe=1", add)).status).toBe(400);
  });
});

describe("patches at the same time", () => {
  it("all take effect, whatever they change and however the resource is found", async () => {
    const id = await storePatient(server, '"active":true,"extension":[]');
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, index) => {
        const value = { url: `http://example.org/${index}`, valueInteger: index };
        if (index % 3 === 2) return patch(`/Patient?_id=${id}`, [{ op: "add", path: "/extension/-", value }]);
        if (index % 3 === 1) return patch(`/Patient/${id}`, [{ op: "add", path: "/extension/0", value }]);
        const parts = {
          part: [
            { name: "url", valueUri: value.url },
            { name: "value", valueInteger: index },
          ],
        };
        return server.send(
          "PATCH",
          `/Patient/${id}`,
          pathPatch({ type: "add", path: "Patient", name: "extension", value: parts }),
        );
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const { body } = await server.send("GET", `/Patient/${id}`);
    const values: number[] = body.extension.map((each: Json) => each.valueInteger);
    expect(values.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, index) => index));
    expect(body.meta.versionId).toBe("25");
  });

  it("a patch that was planned on a version that is replaced meanwhile is planned again", async () => {
    const id = await storePatient(server, '"active":true');
    const client = await server.database.pool.connect();
    try {
      await client.query("begin");
      await client.query("select 1 from resource_current where key = $1 for update", [resourceKeyOf("Patient", id)]);
      // Which resource this one writes is not known when the patch comes.
      const update = server.send("PUT", `/Patient?_id=${id}`, { resourceType: "Patient", id, gender: "male" });
      await waiting(1);
      // It sees version 1, and waits behind the update.
      const patching = patch(`/Patient/${id}`, [{ op: "add", path: "/birthDate", value: "1990-01-01" }]);
      await waiting(2);
      await client.query("commit");
      expect((await update).headers["etag"]).toBe('W/"2"');
      const { status, body } = await patching;
      expect([status, body.meta.versionId, body.gender, body.birthDate, body.active]).toEqual([
        200,
        "3",
        "male",
        "1990-01-01",
        undefined,
      ]);
    } finally {
      await client.query("rollback");
      client.release();
    }
  });
});
