import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BASE, openWriteServer, type Answer, type WriteServer, type Json } from "./testing/write-server.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

const UUID = "[0-9a-f]{8}-[0-9a-f-]{27}";

function patient(id: string | undefined, family = "Alder"): Record<string, unknown> {
  return { resourceType: "Patient", ...(id === undefined ? {} : { id }), name: [{ family }] };
}

function put(id: string, family = "Alder", headers: Record<string, string> = {}): Promise<Answer> {
  return server.send("PUT", `/Patient/${id}`, patient(id, family), headers);
}

function identified(system: string, more: object = {}): Record<string, unknown> {
  return { resourceType: "Patient", identifier: [{ system, value: "1" }], ...more };
}

/** The status of a conditional create. */
async function create(resource: Json, condition: string): Promise<number> {
  return (await server.send("POST", `/${resource.resourceType}`, resource, { "if-none-exist": condition })).status;
}

describe("create", () => {
  it("assigns an id, whatever the body says, and a first version", async () => {
    const answer = await server.send("POST", "/Patient", patient("mine"));
    expect(answer.status).toBe(201);
    const { id, meta } = answer.body;
    expect(id).toMatch(new RegExp(`^${UUID}$`));
    expect(meta.versionId).toBe("1");
    expect(answer.headers["location"]).toBe(`${BASE}/Patient/${id}/_history/1`);
    expect(answer.headers["etag"]).toBe('W/"1"');
    expect(answer.headers["last-modified"]).toBe(new Date(meta.lastUpdated).toUTCString());
    expect((await server.send("GET", `/Patient/${id}`)).text).toBe(answer.text);
    expect((await server.send("GET", "/Patient/mine")).status).toBe(404);
  });

  it("is found by a search at once", async () => {
    const family = `Q${randomUUID().slice(0, 8)}`;
    const { body } = await server.send("POST", "/Patient", patient(undefined, family));
    expect(await server.ids(`/Patient?family=${family}`)).toEqual([body.id]);
  });

  it("finds what a search finds, whatever the case of strings, and a canonical URL by its version", async () => {
    const url = "http://conditional.example/vs";
    const valueSet = (version: string): Json => ({ resourceType: "ValueSet", status: "draft", url, version });
    expect(await create(valueSet("1"), `url=${url}|1`)).toBe(201);
    expect(await create(valueSet("2-B"), `url=${url}|2-B`)).toBe(201);
    expect(await create(valueSet("2-B"), `url=${url}|2-b`)).toBe(200);
    const mail = { resourceType: "Patient", telecom: [{ system: "email", value: "One@Conditional.example" }] };
    expect(await create(mail, "email=one@conditional.example")).toBe(201);
    expect(await create(mail, "email=ONE@conditional.example")).toBe(200);
    const response = { resourceType: "QuestionnaireResponse", status: "completed", questionnaire: `${url}|7` };
    expect(await create(response, `questionnaire=${url}|7`)).toBe(201);
    expect(await create(response, `questionnaire=${url}`)).toBe(200);
    expect(await create(response, `questionnaire=${url}|7`)).toBe(200);
  });

  it("makes nothing when If-None-Exist finds one, and 412 when it finds several", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const resource = { resourceType: "Patient", identifier: [{ system, value: "1" }] };
    const headers = { "if-none-exist": `identifier=${system}|1` };
    const first = await server.send("POST", "/Patient", resource, headers);
    expect(first.status).toBe(201);
    const second = await server.send("POST", "/Patient", resource, headers);
    expect(second.status).toBe(200);
    expect(second.body).toEqual(first.body);
    expect(second.headers["location"]).toBe(first.headers["location"]);
    await server.send("POST", "/Patient", resource);
    const third = await server.send("POST", "/Patient", resource, headers);
    expect(third.status).toBe(412);
    expect(third.body.issue[0].code).toBe("multiple-matches");
    expect(await server.ids(`/Patient?identifier=${system}|1`)).toHaveLength(2);
  });

  it("makes one resource of many conditional creates at the same time", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const resource = { resourceType: "Patient", identifier: [{ system, value: "1" }] };
    const headers = { "if-none-exist": `identifier=${system}|1` };
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => server.send("POST", "/Patient", resource, headers)),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(11);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  });

  it("reads criteria that are not escaped as UTF-8", async () => {
    const family = `Müller${randomUUID()}`;
    const headers = { "if-none-exist": Buffer.from(`family:exact=${family}`).toString("latin1") };
    expect((await server.send("POST", "/Patient", patient(undefined, family), headers)).status).toBe(201);
    expect((await server.send("POST", "/Patient", patient(undefined, family), headers)).status).toBe(200);
    const latin = { "if-none-exist": `family:exact=${family}` };
    expect((await server.send("POST", "/Patient", patient(undefined, family), latin)).status).toBe(200);
  });

  it("knows the same criteria in other spellings and another order", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const resource = { resourceType: "Patient", active: true, identifier: [{ system, value: "1" }] };
    const spellings = [
      `identifier=${system}|1&active=true`,
      `active=true&identifier=${encodeURIComponent(`${system}|1`)}`,
      `Patient?identifier=${system}%7C1&active=true`,
    ];
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        server.send("POST", "/Patient", resource, { "if-none-exist": spellings[index % 3] ?? "" }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(11);
  });
});

const PAST = "Mon, 01 Jan 2001 00:00:00 GMT";
const FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT";

describe("update", () => {
  it("creates with the client's id, then makes further versions", async () => {
    const created = await put("u1");
    expect([created.status, created.headers["etag"]]).toEqual([201, 'W/"1"']);
    expect(created.headers["location"]).toBe(`${BASE}/Patient/u1/_history/1`);
    const updated = await put("u1", "Birch");
    expect([updated.status, updated.headers["etag"]]).toEqual([200, 'W/"2"']);
    expect(Date.parse(updated.body.meta.lastUpdated)).toBeGreaterThan(Date.parse(created.body.meta.lastUpdated));
    expect((await server.send("GET", "/Patient/u1")).body.name[0].family).toBe("Birch");
    expect((await server.send("GET", "/Patient/u1/_history/1")).body.name[0].family).toBe("Alder");
    expect(await server.ids("/Patient?_id=u1&family=Alder")).toEqual([]);
    expect(await server.ids("/Patient?_id=u1&family=Birch")).toEqual(["u1"]);
  });

  it.each<[string, Record<string, string>, string | undefined, number]>([
    ["If-Match of the current version", { "if-match": 'W/"2"' }, "there", 200],
    ["If-Match, strong and one of several", { "if-match": '"7", "2"' }, "there", 200],
    ["If-Match of an older version", { "if-match": 'W/"1"' }, "there", 412],
    ["If-Match of what is not there", { "if-match": 'W/"1"' }, undefined, 412],
    ["If-Match: * of what is there", { "if-match": "*" }, "there", 200],
    ["If-Match: * of what is not there", { "if-match": "*" }, undefined, 412],
    ["If-Match that makes no sense", { "if-match": "abc" }, "there", 400],
    ["If-None-Match: * of what is there", { "if-none-match": "*" }, "there", 412],
    ["If-None-Match: * of what is not there", { "if-none-match": "*" }, undefined, 201],
    ["If-None-Match of the current version", { "if-none-match": 'W/"1", W/"2"' }, "there", 412],
    ["If-None-Match of an older version", { "if-none-match": 'W/"1"' }, "there", 200],
    ["If-Unmodified-Since before the last change", { "if-unmodified-since": PAST }, "there", 412],
    ["If-Unmodified-Since after it", { "if-unmodified-since": FUTURE }, "there", 200],
    ["If-Unmodified-Since of what is not there", { "if-unmodified-since": PAST }, undefined, 201],
    ["If-Unmodified-Since that is no date", { "if-unmodified-since": "soon" }, "there", 200],
    ["If-Match with If-Unmodified-Since", { "if-match": 'W/"2"', "if-unmodified-since": PAST }, "there", 200],
  ])("%s", async (_name, headers, there, status) => {
    const id = randomUUID();
    if (there !== undefined) {
      await put(id);
      await put(id);
    }
    const answer = await put(id, "Cedar", headers);
    expect(answer.status).toBe(status);
    if (status >= 400) expect(answer.body.resourceType).toBe("OperationOutcome");
  });

  it("ignores the version and date of the client", async () => {
    const meta = { versionId: "77", lastUpdated: "2001-01-01T00:00:00Z", tag: [{ code: "t" }] };
    const answer = await server.send("PUT", "/Patient/meta", { ...patient("meta"), meta });
    expect(answer.body.meta.versionId).toBe("1");
    expect(Date.parse(answer.body.meta.lastUpdated)).toBeGreaterThan(Date.parse("2026-01-01"));
    expect(answer.body.meta.tag).toEqual([{ code: "t" }]);
  });

  it("makes versions without a gap out of updates at the same time", async () => {
    const id = randomUUID();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => put(id, `F${index}`)));
    const versions = answers.map(({ body }) => Number(body.meta.versionId)).toSorted((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    const { body } = await server.send("GET", `/Patient/${id}/_history?_count=100`);
    expect(body.total).toBe(20);
    const dates = body.entry.map((entry: { resource: { meta: { lastUpdated: string } } }) =>
      Date.parse(entry.resource.meta.lastUpdated),
    );
    expect(new Set(dates).size).toBe(20);
  });

  it("lets one of several updates with the same If-Match through", async () => {
    const id = randomUUID();
    await put(id);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => put(id, `F${index}`, { "if-match": 'W/"1"' })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(7);
  });
});

describe("conditional update", () => {
  it("creates, updates, and refuses what is not clear", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const path = `/Patient?identifier=${encodeURIComponent(`${system}|1`)}`;
    const created = await server.send("PUT", path, identified(system));
    expect(created.status).toBe(201);
    const { id } = created.body;
    const updated = await server.send("PUT", path, identified(system, { active: true }));
    expect([updated.status, updated.body.id, updated.body.meta.versionId]).toEqual([200, id, "2"]);
    expect((await server.send("PUT", path, identified(system, { id }))).status).toBe(200);
    expect((await server.send("PUT", path, identified(system, { id: "other" }))).status).toBe(400);
    await server.send("POST", "/Patient", identified(system));
    expect((await server.send("PUT", path, identified(system))).status).toBe(412);
  });

  it("creates with the body's id, unless that is taken", async () => {
    const system = `http://example.org/${randomUUID()}`;
    const id = randomUUID();
    const path = (value: string): string => `/Patient?identifier=${encodeURIComponent(`${system}|${value}`)}`;
    expect((await server.send("PUT", path("1"), identified(system, { id }))).body.id).toBe(id);
    expect((await server.send("PUT", path("2"), identified(system, { id }))).status).toBe(409);
    expect((await server.send("PUT", path("3"), identified(system), { "if-match": "*" })).status).toBe(412);
  });

  it.each(["/Patient", "/Patient?_count=3"])("refuses %s: it asks nothing", async (path) => {
    expect((await server.send("PUT", path, patient(undefined))).status).toBe(412);
  });

  it("refuses a parameter that is not known", async () => {
    expect((await server.send("PUT", "/Patient?shoe=42", patient(undefined))).status).toBe(400);
  });
});

describe("delete", () => {
  it("keeps the history, is not found any more, and can be undone by an update", async () => {
    await put("d1");
    const deleted = await server.send("DELETE", "/Patient/d1");
    expect([deleted.status, deleted.headers["etag"], deleted.text]).toEqual([204, 'W/"2"', ""]);
    const again = await server.send("DELETE", "/Patient/d1");
    expect([again.status, again.headers["etag"]]).toEqual([204, 'W/"2"']);
    const gone = await server.send("GET", "/Patient/d1");
    expect([gone.status, gone.headers["etag"]]).toEqual([410, 'W/"2"']);
    expect((await server.send("GET", "/Patient/d1/_history/2")).status).toBe(410);
    expect((await server.send("GET", "/Patient/d1/_history/1")).status).toBe(200);
    expect(await server.ids("/Patient?_id=d1")).toEqual([]);
    const revived = await put("d1", "Birch");
    expect([revived.status, revived.headers["etag"]]).toEqual([201, 'W/"3"']);
    const { body } = await server.send("GET", "/Patient/d1/_history");
    expect(
      body.entry.map((entry: { request: { method: string }; response: { status: string; etag: string } }) => [
        entry.request.method,
        entry.response.etag,
      ]),
    ).toEqual([
      ["PUT", 'W/"3"'],
      ["DELETE", 'W/"2"'],
      ["PUT", 'W/"1"'],
    ]);
  });

  it("of what was never there is a 204", async () => {
    expect((await server.send("DELETE", "/Patient/never")).status).toBe(204);
    expect((await server.send("GET", "/Patient/never")).status).toBe(404);
  });

  it("honours If-Match", async () => {
    await put("d2");
    expect((await server.send("DELETE", "/Patient/d2", undefined, { "if-match": 'W/"9"' })).status).toBe(412);
    expect((await server.send("DELETE", "/Patient/d2", undefined, { "if-match": 'W/"1"' })).status).toBe(204);
  });

  it("with a condition: none is like any deletion of what is not there, one is deleted, several are a 412", async () => {
    const family = `D${randomUUID().slice(0, 8)}`;
    const path = `/Patient?family=${family}`;
    expect((await server.send("DELETE", path)).status).toBe(204);
    const said = await server.send("DELETE", path, undefined, { prefer: "return=OperationOutcome" });
    expect([said.status, said.body.issue[0].diagnostics]).toEqual([200, "No Patient matches the condition."]);
    expect((await server.send("DELETE", path, undefined, { "if-match": 'W/"1"' })).status).toBe(412);
    await server.send("POST", "/Patient", patient(undefined, family));
    await server.send("POST", "/Patient", patient(undefined, family));
    expect((await server.send("DELETE", path)).status).toBe(412);
    const [id] = await server.ids(path);
    await server.send("DELETE", `/Patient/${id}`);
    expect((await server.send("DELETE", path, undefined, { "if-match": 'W/"2"' })).status).toBe(412);
    expect((await server.send("DELETE", path)).status).toBe(204);
    expect(await server.ids(path)).toEqual([]);
    expect((await server.send("DELETE", "/Patient")).status).toBe(412);
  });
});

describe("reading with conditions", () => {
  it.each<[string, (etag: string, date: string) => Record<string, string>, number]>([
    ["the same ETag", (etag) => ({ "if-none-match": etag }), 304],
    ["the same ETag, strong", () => ({ "if-none-match": '"1"' }), 304],
    ["another ETag", () => ({ "if-none-match": 'W/"2"' }), 200],
    ["the date it has", (_etag, date) => ({ "if-modified-since": date }), 304],
    ["an earlier date", () => ({ "if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT" }), 200],
    ["another ETag with the date", (_etag, date) => ({ "if-none-match": 'W/"2"', "if-modified-since": date }), 200],
    ["no date", () => ({ "if-modified-since": "yesterday" }), 200],
  ])("%s", async (_name, headers, status) => {
    const id = randomUUID();
    const { headers: written } = await put(id);
    for (const path of [`/Patient/${id}`, `/Patient/${id}/_history/1`]) {
      const answer = await server.send(
        "GET",
        path,
        undefined,
        headers(written["etag"] ?? "", written["last-modified"] ?? ""),
      );
      expect(answer.status).toBe(status);
      if (status === 304) expect(answer.text).toBe("");
    }
  });
});

describe("Prefer", () => {
  it.each<[string, string | undefined, (answer: Answer) => void]>([
    ["minimal", "return=minimal", ({ text }) => expect(text).toBe("")],
    ["representation", "respond-sync, return=representation", ({ body }) => expect(body.resourceType).toBe("Patient")],
    ["OperationOutcome", "return=OperationOutcome", ({ body }) => expect(body.issue[0].severity).toBe("information")],
    ["nothing", undefined, ({ body }) => expect(body.resourceType).toBe("Patient")],
  ])("%s", async (_name, prefer, check) => {
    const headers: Record<string, string> = prefer === undefined ? {} : { prefer };
    const answer = await server.send("POST", "/Patient", patient(undefined), headers);
    expect(answer.status).toBe(201);
    expect(answer.headers["location"]).toBeDefined();
    check(answer);
  });

  it("OperationOutcome of a deletion", async () => {
    const answer = await server.send("DELETE", "/Patient/never", undefined, { prefer: "return=OperationOutcome" });
    expect([answer.status, answer.body.resourceType]).toEqual([200, "OperationOutcome"]);
  });
});

describe("the bytes that came in", () => {
  it("come back with only id, versionId and lastUpdated spliced in", async () => {
    const before = '{ "resourceType" : "Observation",\n\t"status":"final", "code":{"text":"é \\u00e9"},';
    const after =
      '"valueQuantity":{"value":1.10,"unit":"mg"}, "component":[{"code":{"text":"b"},"valueQuantity":{"value":1e2}} ] }\n';
    const created = await server.send("POST", "/Observation", before + after);
    const { id, meta } = created.body;
    const head = `{ "resourceType" : "Observation","id":"${id}","meta":{"versionId":"1","lastUpdated":"${meta.lastUpdated}"}`;
    const expected = before.replace('{ "resourceType" : "Observation"', head) + after;
    expect(created.text).toBe(expected);
    expect((await server.send("GET", `/Observation/${id}`)).text).toBe(expected);
    expect((await server.send("GET", `/Observation?_id=${id}`)).text).toContain(expected);
    expect(await server.ids(`/Observation?_id=${id}&value-quantity=1.10`)).toEqual([id]);
  });

  it("replaces the client's id in place on create", async () => {
    const { text, body } = await server.send(
      "POST",
      "/Basic",
      '{"id" : "x", "resourceType":"Basic", "code":{"text":"id"}}',
    );
    expect(text).toBe(
      `{"id" : "${body.id}","meta":{"versionId":"1","lastUpdated":"${body.meta.lastUpdated}"}, "resourceType":"Basic", "code":{"text":"id"}}`,
    );
  });
});
