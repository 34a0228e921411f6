import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import { entriesOf, linkOf, openSearchServer, type SearchServer } from "./testing/search-server.ts";

const HOUR = 3_600_000;
const T = Date.UTC(2000, 0, 1);

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.load([
    // C-110: live, then deleted.
    { resource: { resourceType: "Patient", id: "c110", birthDate: "1950-01-01" }, lastUpdated: T },
    { resource: { resourceType: "Patient", id: "c110" }, versionId: 2, lastUpdated: T + HOUR, deleted: true },
    // Dates and versions in another order, and versions older than the first.
    { resource: { resourceType: "Patient", id: "mixed" }, versionId: 9, lastUpdated: T + 3 * HOUR },
    { resource: { resourceType: "Patient", id: "mixed" }, versionId: -1, lastUpdated: T, current: false },
    { resource: { resourceType: "Patient", id: "mixed" }, versionId: 1, lastUpdated: T + 2 * HOUR, current: false },
    { resource: { resourceType: "Patient", id: "mixed" }, versionId: 8, lastUpdated: T + HOUR, current: false },
    { resource: { resourceType: "Patient", id: "past" }, versionId: -2, lastUpdated: T, current: false },
    {
      resource:
        '{"resourceType":"Observation","id":"digits","meta":{"lastUpdated":"2000-01-01T10:00:00.000+10:00"},"valueQuantity":{"value":1.50}}',
      lastUpdated: T,
    },
  ]);
});
afterAll(() => server.close());

describe("read", () => {
  it("serves the stored bytes with version and date (C-042: the date's own text)", async () => {
    const { status, headers, text } = await server.get("/Observation/digits");
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      etag: 'W/"1"',
      "last-modified": "Sat, 01 Jan 2000 00:00:00 GMT",
      "content-type": "application/fhir+json; charset=utf-8",
    });
    expect(text).toContain('"value":1.50');
    expect(JSON.parse(text)).toMatchObject({ meta: { versionId: "1", lastUpdated: "2000-01-01T10:00:00.000+10:00" } });
  });
  it("answers 304 when the client has the version", async () => {
    const answer = await server.get("/Observation/digits", { "if-none-match": 'W/"1"' });
    expect([answer.status, answer.text]).toEqual([304, ""]);
    expect((await server.get("/Observation/digits", { "if-none-match": 'W/"2"' })).status).toBe(200);
  });
  it("C-110: answers 410 with the version for a deleted resource", async () => {
    const { status, headers, body } = await server.get("/Patient/c110");
    expect(status).toBe(410);
    expect(headers["etag"]).toBe('W/"2"');
    expect(body).toMatchObject({ resourceType: "OperationOutcome", issue: [{ code: "deleted" }] });
  });
  it.each(["/Patient/none", "/Patient/past", "/Spaceship/1", "/Observation/c110", "/Patient/..%2F..", "/patient/c110"])(
    "answers 404 for %s",
    async (path) => {
      const { status, body } = await server.get(path);
      expect(status).toBe(404);
      expect(body).toMatchObject({ resourceType: "OperationOutcome", issue: [{ severity: "error" }] });
    },
  );
  it.each(["/Patient/mixed", "/Patient", "/Patient/mixed/_history", "/Patient/mixed/_history/9"])(
    "answers 406 for %s in XML",
    async (path) => {
      expect((await server.get(path, { accept: "application/fhir+xml" })).status).toBe(406);
      expect((await server.get(`${path}?_format=xml`)).status).toBe(406);
      expect((await server.get(`${path}?_format=application/fhir+json`, { accept: "text/html" })).status).toBe(200);
    },
  );
});

describe("vread", () => {
  it.each([
    ["mixed/_history/9", 200],
    ["mixed/_history/1", 200],
    ["mixed/_history/-1", 200],
    ["past/_history/-2", 200],
    ["c110/_history/1", 200],
    ["c110/_history/2", 410],
    ["c110/_history/3", 404],
    ["c110/_history/x", 404],
    ["c110/_history/01", 404],
    ["c110/_history/99999999999", 404],
  ])("answers %s with %i", async (path, expected) => {
    const { status, headers, body } = await server.get(`/Patient/${path}`);
    expect(status).toBe(expected);
    const version = path.split("/").at(-1) ?? "";
    if (expected === 200) expect(body).toMatchObject({ meta: { versionId: version } });
    if (expected !== 404) expect(headers["etag"]).toBe(`W/"${version}"`);
  });
});

describe("history", () => {
  it("C-110, 5.6: lists deletions and versions with their requests and responses", async () => {
    const { status, body } = await server.get("/Patient/c110/_history");
    expect(status).toBe(200);
    expect(body).toEqual({
      resourceType: "Bundle",
      type: "history",
      total: 2,
      link: [{ relation: "self", url: "http://stoker.test/fhir/Patient/c110/_history" }],
      entry: [
        {
          fullUrl: "http://stoker.test/fhir/Patient/c110",
          request: { method: "DELETE", url: "Patient/c110" },
          response: { status: "204", etag: 'W/"2"', lastModified: "2000-01-01T01:00:00.000Z" },
        },
        {
          fullUrl: "http://stoker.test/fhir/Patient/c110",
          resource: {
            resourceType: "Patient",
            id: "c110",
            meta: { versionId: "1", lastUpdated: "2000-01-01T00:00:00.000Z" },
            birthDate: "1950-01-01",
          },
          request: { method: "PUT", url: "Patient/c110" },
          response: { status: "201 Created", etag: 'W/"1"', lastModified: "2000-01-01T00:00:00.000Z" },
        },
      ],
    });
  });
  it("10.1: is sorted by lastUpdated descending, not by version", async () => {
    const { body } = await server.get("/Patient/mixed/_history");
    expect(versionsOf(body)).toEqual(["9", "1", "8", "-1"]);
    expect(statusesOf(body)).toEqual(["200 OK", "201 Created", "200 OK", "200 OK"]);
  });
  it("has a history even if nothing is current", async () => {
    expect(versionsOf((await server.get("/Patient/past/_history")).body)).toEqual(["-2"]);
  });
  it("comes in pages", async () => {
    const seen: string[] = [];
    let path: string | undefined = "/Patient/mixed/_history?_count=1";
    while (path !== undefined) {
      const { body } = await server.get(path);
      expect(body["total"]).toBe(4);
      seen.push(...versionsOf(body));
      path = linkOf(body, "next");
    }
    expect(seen).toEqual(["9", "1", "8", "-1"]);
  });
  it("takes _since and answers 404 for what was never there", async () => {
    const { body } = await server.get("/Patient/mixed/_history?_since=2000-01-01T02:00:00Z");
    expect(versionsOf(body)).toEqual(["9", "1"]);
    expect(versionsOf((await server.get("/Patient/mixed/_history?_since=2020")).body)).toEqual([]);
    expect((await server.get("/Patient/none/_history")).status).toBe(404);
    expect((await server.get("/Patient/mixed/_history?_since=yesterday")).status).toBe(400);
    expect((await server.get("/Patient/mixed/_history?_cursor=AAAA")).status).toBe(400);
  });
});

function versionsOf(bundle: JsonObject): string[] {
  return entriesOf(bundle).map(
    (entry) => ((entry["resource"] as JsonObject)["meta"] as JsonObject)["versionId"] as string,
  );
}

function statusesOf(bundle: JsonObject): unknown[] {
  return entriesOf(bundle).map((entry) => (entry["response"] as JsonObject)["status"]);
}
