import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type Answer, type Json, type WriteServer } from "../testing/write-server.ts";
import { pathPatch, storePatient, versionOf } from "../testing/patches.ts";

let server: WriteServer;

beforeAll(async () => {
  server = await openWriteServer();
});
afterAll(() => server.close());

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
      await storePatient(server),
      await storePatient(server, '"managingOrganization":{"reference":"Organization?name=kept"}'),
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
    const [id, other] = [await storePatient(server), randomUUID()];
    const put = {
      resource: { resourceType: "Patient", id: other },
      request: { method: "PUT", url: `Patient/${other}` },
    };
    const answer = await send("transaction", ...entries(id), put);
    expect(answer.status).toBe(status);
    if (path !== "") expect(answer.body.issue[0].expression).toEqual([`Bundle.entry[0].${path}`]);
    expect(await versionOf(server, id)).toBe("1");
    expect((await server.send("GET", `/Patient/${other}`)).status).toBe(404);
  });

  it("in a batch, each by itself", async () => {
    const id = await storePatient(server);
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
