import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resourceKeyOf } from "../fhir/resource-key.ts";
import { BASE, openWriteServer, type Answer, type Json, type WriteServer } from "./testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

const JSON_PATCH = { "content-type": "application/json-patch+json" };

function patch(path: string, operations: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return server.send("PATCH", path, operations, { ...JSON_PATCH, ...headers });
}

function pathPatch(...operations: Record<string, unknown>[]): Json {
  return {
    resourceType: "Parameters",
    parameter: operations.map((operation) => ({
      name: "operation",
      part: Object.entries(operation).map(([name, value]) =>
        typeof value === "string" ? { name, valueString: value } : { name, ...(value as object) },
      ),
    })),
  };
}

/** Stores a patient as it is written, and returns its id. */
async function stored(members = '"active":true'): Promise<string> {
  const id = randomUUID();
  const answer = await server.send("PUT", `/Patient/${id}`, `{"resourceType":"Patient","id":"${id}",${members}}`);
  expect(answer.status).toBe(201);
  return id;
}

async function version(id: string): Promise<string> {
  return (await server.send("GET", `/Patient/${id}`)).body.meta.versionId;
}

function withoutMeta(text: string): string {
  return text.replace(/,?"meta":\{[^}]*\}/, "");
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
    const id = await stored('"name":[{"family":"Alder"}]');
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
    const id = await stored();
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
    const id = await stored();
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
    const id = await stored();
    expect((await patch(`/Patient/${id}`, [])).headers["etag"]).toBe('W/"2"');
    const empty = await server.send("PATCH", `/Patient/${id}`, { resourceType: "Parameters" });
    expect([empty.status, empty.headers["etag"]]).toEqual([200, 'W/"3"']);
  });

  it.each([
    ["return=minimal", ""],
    ["return=representation", "Patient"],
    ["return=OperationOutcome", "OperationOutcome"],
  ])("Prefer: %s", async (prefer, expected) => {
    const id = await stored();
    const answer = await patch(`/Patient/${id}`, [{ op: "remove", path: "/active" }], { prefer });
    expect(answer.status).toBe(200);
    expect(answer.body?.resourceType ?? "").toBe(expected);
    expect(answer.headers["etag"]).toBe('W/"2"');
  });

  it("If-Match: 412 for another version, after 404 and 410, before 422", async () => {
    const id = await stored();
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
    const id = await stored();
    const answer = await patch(`/Patient/${id}`, operations);
    expect(answer.status).toBe(422);
    expect(answer.body.issue[0].diagnostics).toContain(text);
    expect(answer.body.issue[0].code).toBe(code);
    expect(await version(id)).toBe("1");
  });

  it("422 for a FHIRPath Patch names operation, path and parameter", async () => {
    const id = await stored();
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
    const id = await stored();
    expect((await server.send("PATCH", `/Patient/${id}`, body, headers)).status).toBe(400);
  });

  it.each(["application/xml-patch+xml", "application/fhir+xml", "text/plain"])(
    "415 for %s, which names what is taken",
    async (type) => {
      const id = await stored();
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

describe("JSON Merge Patch", () => {
  const MERGE_PATCH = { "content-type": "application/merge-patch+json; charset=utf-8" };
  const merge = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    server.send("PATCH", path, body, { ...MERGE_PATCH, ...headers });

  it("changes and removes elements; the rest keeps its bytes", async () => {
    const id = await stored('"active":true,"gender":"male",  "name":[{"family" : "A"}],"maritalStatus":{"text":"x"}');
    const answer = await merge(
      `/Patient/${id}`,
      '{"gender":null,"birthDate":"1990-01-01","maritalStatus":{"text":"y"}}',
    );
    expect([answer.status, answer.headers["etag"]]).toEqual([200, 'W/"2"']);
    expect(withoutMeta(answer.text)).toBe(
      `{"resourceType":"Patient","id":"${id}","active":true,  "name":[{"family" : "A"}],"maritalStatus":{"text":"y"},"birthDate":"1990-01-01"}`,
    );
    // What the elements under null leave empty is left out.
    const emptied = await merge(`/Patient/${id}`, '{"maritalStatus":{"text":null}}');
    expect([emptied.status, emptied.body.maritalStatus]).toEqual([200, undefined]);
  });

  it.each([
    ["an array", "[]", 400],
    ["nothing", undefined, 400],
    ["no JSON", "{", 400],
    ["a member twice", '{"gender":"male","gender":"female"}', 400],
    ["another id", '{"id":"other"}', 422],
    ["no id", '{"id":null}', 422],
    ["another type", '{"resourceType":"Basic"}', 422],
    ["no type", '{"resourceType":null}', 422],
    ["an unknown element", '{"shoe":1}', 422],
    ["a wrong value", '{"gender":"x"}', 422],
  ])("of %s is refused, and nothing is written", async (_name, body, status) => {
    const id = await stored();
    expect((await merge(`/Patient/${id}`, body)).status).toBe(status);
    expect(await version(id)).toBe("1");
  });

  it("has preconditions and conditions like other patches", async () => {
    const id = await stored();
    expect((await merge(`/Patient/${id}`, '{"gender":"male"}', { "if-match": 'W/"7"' })).status).toBe(412);
    expect((await merge(`/Patient?_id=${id}`, '{"gender":"male"}', { "if-match": 'W/"1"' })).status).toBe(200);
    expect((await merge("/Patient?_id=nobody", '{"gender":"male"}')).status).toBe(404);
    expect((await merge("/Patient/nobody", '{"gender":"male"}')).status).toBe(404);
    expect(await version(id)).toBe("2");
  });

  it.each(["batch", "transaction"])("in a %s, as a Binary", async (type) => {
    const id = await stored();
    const data = Buffer.from('{"active":null,"gender":"female"}').toString("base64");
    const { body } = await server.send("POST", "/", {
      resourceType: "Bundle",
      type,
      entry: [
        {
          resource: { resourceType: "Binary", contentType: "application/merge-patch+json", data },
          request: { method: "PATCH", url: `Patient/${id}` },
        },
      ],
    });
    expect(body.entry[0].response.status).toBe("200 OK");
    const patient = (await server.send("GET", `/Patient/${id}`)).body;
    expect([patient.gender, patient.active]).toEqual(["female", undefined]);
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
    const id = await stored('"active":true,"extension":[]');
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
    const id = await stored('"active":true');
    const client = await server.database.pool.connect();
    try {
      await client.query("begin");
      await client.query("select 1 from head where key = $1 for update", [resourceKeyOf("Patient", id)]);
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

function binary(operations: unknown): Json {
  const data = Buffer.from(JSON.stringify(operations)).toString("base64");
  return { resourceType: "Binary", contentType: "application/json-patch+json", data };
}

function entry(url: string, resource: Json, more: object = {}): Json {
  return { resource, request: { method: "PATCH", url, ...more } };
}

function send(type: string, ...entries: Json[]): Promise<Answer> {
  return server.send("POST", "", { resourceType: "Bundle", type, entry: entries });
}

function statuses({ body }: Answer): string[] {
  return body.entry.map((each: Json) => each.response.status);
}

describe("patches in Bundles", () => {
  it("in a transaction, with references to its entries", async () => {
    const [first, second] = [
      await stored(),
      await stored('"managingOrganization":{"reference":"Organization?name=kept"}'),
    ];
    const fullUrl = `urn:uuid:${randomUUID()}`;
    const answer = await send(
      "transaction",
      entry(`Patient/${first}`, binary([{ op: "add", path: "/managingOrganization", value: { reference: fullUrl } }])),
      entry(
        `Patient?_id=${second}`,
        pathPatch({
          type: "add",
          path: "Patient",
          name: "generalPractitioner",
          value: { valueReference: { reference: fullUrl } },
        }),
        { ifMatch: 'W/"1"' },
      ),
      { fullUrl, resource: { resourceType: "Organization" }, request: { method: "POST", url: "Organization" } },
      { request: { method: "GET", url: `Patient/${first}` } },
    );
    expect(answer.status).toBe(200);
    expect(statuses(answer)).toEqual(["200 OK", "200 OK", "201 Created", "200 OK"]);
    expect(answer.body.entry[0].response.etag).toBe('W/"2"');
    const organization = answer.body.entry[2].response.location.match(/Organization\/[^/]+/)[0];
    expect(answer.body.entry[3].resource.managingOrganization.reference).toBe(organization);
    const { body } = await server.send("GET", `/Patient/${second}`);
    expect(body.generalPractitioner[0].reference).toBe(organization);
    // It stood there before: an import keeps conditional references, and so does a patch of something else.
    expect(body.managingOrganization.reference).toBe("Organization?name=kept");
  });

  it.each<[string, (id: string) => Json[], number, string]>([
    ["a failed test", (id) => [entry(`Patient/${id}`, binary([{ op: "test", path: "/active", value: 1 }]))], 422, ""],
    [
      "a path",
      (id) => [entry(`Patient/${id}`, pathPatch({ type: "delete", path: "Patient.(" }))],
      422,
      "resource.parameter[0]",
    ],
    [
      "an invalid result",
      (id) => [entry(`Patient/${id}`, binary([{ op: "add", path: "/shoe", value: 1 }]))],
      422,
      "resource.shoe",
    ],
    ["no such resource", () => [entry("Patient/never", binary([]))], 404, ""],
    ["another version", (id) => [entry(`Patient/${id}`, binary([]), { ifMatch: 'W/"9"' })], 412, ""],
    ["no match", () => [entry("Patient?identifier=never", binary([]))], 404, ""],
    [
      "another type of Binary",
      (id) => [entry(`Patient/${id}`, { ...binary([]), contentType: "text/plain" })],
      400,
      "resource.contentType",
    ],
    ["no data", (id) => [entry(`Patient/${id}`, { ...binary([]), data: undefined })], 400, "resource.data"],
    ["no patch in it", (id) => [entry(`Patient/${id}`, { ...binary([]), data: "AAAA" })], 400, "resource"],
    ["another resource", (id) => [entry(`Patient/${id}`, { resourceType: "Patient", id })], 400, "resource"],
    [
      "the same resource twice",
      (id) => [entry(`Patient/${id}`, binary([])), entry(`Patient/${id}`, binary([]))],
      400,
      "",
    ],
    [
      "a resource that is deleted, too",
      (id) => [entry(`Patient/${id}`, binary([])), { request: { method: "DELETE", url: `Patient/${id}` } }],
      400,
      "",
    ],
  ])("a transaction writes nothing when there is %s", async (_name, entries, status, path) => {
    const [id, other] = [await stored(), randomUUID()];
    const put = {
      resource: { resourceType: "Patient", id: other },
      request: { method: "PUT", url: `Patient/${other}` },
    };
    const answer = await send("transaction", ...entries(id), put);
    expect(answer.status).toBe(status);
    if (path !== "") expect(answer.body.issue[0].expression).toEqual([`Bundle.entry[0].${path}`]);
    expect(await version(id)).toBe("1");
    expect((await server.send("GET", `/Patient/${other}`)).status).toBe(404);
  });

  it("in a batch, each by itself", async () => {
    const id = await stored();
    const answer = await send(
      "batch",
      entry(`Patient/${id}`, binary([{ op: "add", path: "/gender", value: "male" }])),
      entry(`Patient/${id}`, binary([{ op: "add", path: "/birthDate", value: "1990" }])),
      entry(`Patient/${id}`, binary([{ op: "remove", path: "/name" }])),
      entry("Patient/never", binary([])),
      { request: { method: "GET", url: `Patient/${id}` } },
    );
    expect(statuses(answer)).toEqual(["200 OK", "200 OK", "422 Unprocessable Entity", "404 Not Found", "200 OK"]);
    expect(answer.body.entry[4].resource).toMatchObject({
      gender: "male",
      birthDate: "1990",
      meta: { versionId: "3" },
    });
  });
});
