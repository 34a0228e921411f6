import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWriteServer, type Json, type WriteServer } from "../../http/testing/write-server.ts";
import { openBatchImport, patient } from "../../import/testing/batch-import.ts";
import { historyEntries } from "../testing/history-model.ts";
import { BASE, linkOf } from "../testing/search-server.ts";

describe("histories, case by case", () => {
  let server: WriteServer;
  const created: string[] = [];
  beforeAll(async () => {
    server = await openWriteServer();
    const load = await openBatchImport(server.database, { negatives: true, live: false });
    // C-104: a negative version dated after the current one; C-101: nothing is current.
    const lines = ["a v1@2000", "a v2@2002!", "a v3@2004", "late v4@2001", "late v-100@2003", "none v-5@2001"];
    await load.commit(
      lines.map((text) => {
        const [id = "", version = ""] = text.split(" ");
        return patient(id, version);
      }),
    );
    load.close();
    await server.send("PUT", "/Basic/b", { resourceType: "Basic", id: "b" });
    await server.send("DELETE", "/Basic/b");
    const { body } = await server.send("POST", "/Basic", { resourceType: "Basic" });
    created.push(body.id);
  });
  afterAll(() => server.close());

  const get = async (path: string): Promise<Json> => {
    const { status, body } = await server.send("GET", path);
    expect(status).toBe(200);
    return body;
  };

  it("have for each entry what R4 asks, deletions without a resource", async () => {
    const body = await get("/Basic/_history");
    const { resourceType, type, total, link } = body;
    expect({ resourceType, type, total, link }).toEqual({
      resourceType: "Bundle",
      type: "history",
      total: undefined,
      link: [{ relation: "self", url: `${BASE}/Basic/_history` }],
    });
    const [id = ""] = created;
    expect(body.entry).toEqual([
      {
        fullUrl: `${BASE}/Basic/${id}`,
        resource: expect.objectContaining({ id, meta: expect.objectContaining({ versionId: "1" }) }),
        request: { method: "POST", url: "Basic" },
        response: response("201 Created", 1),
      },
      {
        fullUrl: `${BASE}/Basic/b`,
        request: { method: "DELETE", url: "Basic/b" },
        response: response("204", 2),
      },
      {
        fullUrl: `${BASE}/Basic/b`,
        resource: expect.objectContaining({ id: "b", meta: expect.objectContaining({ versionId: "1" }) }),
        request: { method: "PUT", url: "Basic/b" },
        response: response("201 Created", 1),
      },
    ]);
  });

  it("tell a create from an update also when it was conditional or in a Bundle, and when it was superseded", async () => {
    const { body } = await server.send("POST", "/", {
      resourceType: "Bundle",
      type: "transaction",
      entry: [entry("POST", "Flag", {}), entry("PUT", "Flag/put", { id: "put" })],
    });
    const id = body.entry[0].response.location.split("/").at(-3);
    await server.send("PUT", `/Flag/${id}`, { resourceType: "Flag", id });
    await server.send("POST", "/Flag", { resourceType: "Flag" }, { "if-none-exist": "_id=nothing" });
    const history = await get("/Flag/_history");
    expect(history.entry.map(({ request }: Json) => `${request.method} ${request.url}`).toSorted()).toEqual([
      "POST Flag",
      "POST Flag",
      `PUT Flag/${id}`,
      "PUT Flag/put",
    ]);
  });

  it.each([
    ["1999", []],
    ["2000", ["a 1"]],
    ["2001-06", ["late 4", "a 1"]],
    ["2001-12-31T23:59:59.999Z", ["late 4", "a 1"]],
    ["2002", ["a 2 deleted", "late 4"]],
    ["2002-01-02", ["a 2 deleted", "late 4"]],
    ["2003-06", ["a 2 deleted", "late 4"]],
    ["2005", ["a 3", "late 4"]],
    ["1999-12-31T23:59:59.999Z", []],
    ["1999-12-31T23:59:59.9999Z", []],
    ["1999-12-31T23:59:60Z", []],
    ["2000-01-01T00:59:00+01:00", []],
    ["2000-01-01T01:00:00+01:00", ["a 1"]],
    ["ge2002-01-02", ["a 3", "a 2 deleted", "late 4"]],
    ["sa2002", ["a 3", "a 2 deleted", "late 4"]],
    ["gt2005", ["a 3", "late 4"]],
    ["lt2000", []],
    ["eb2000-01-01T00:00:00.001Z", ["a 1"]],
    ["le2000", ["a 1"]],
  ])("_at=%s: what was current then (C-101, C-104)", async (at, expected) => {
    const body = await get(`/Patient/_history?_at=${encodeURIComponent(at)}`);
    expect(historyEntries(body).map((name) => name.replace("Patient/", ""))).toEqual(expected);
    const one = await get(`/Patient/a/_history?_at=${encodeURIComponent(at)}`);
    expect(historyEntries(one).map((name) => name.replace("Patient/", ""))).toEqual(
      expected.filter((name) => name.startsWith("a")),
    );
    expect(one.total).toBe(expected.filter((name) => name.startsWith("a")).length);
  });

  it("_at twice is a period (C-104)", async () => {
    const period = "_at=ge2002-01-02&_at=lt2003";
    const body = await get(`/Patient/_history?${period}`);
    expect(historyEntries(body)).toEqual(historyEntries(await get("/Patient/_history?_at=2002-02")));
    expect(body.link[0].url).toBe(`${BASE}/Patient/_history?${period}`);
  });

  it("have negative versions, and those of a resource without a current one", async () => {
    expect(historyEntries(await get("/Patient/_history?_since=2001&_count=3"))).toEqual([
      "Patient/a 3",
      "Patient/late -100",
      "Patient/a 2 deleted",
    ]);
    expect(historyEntries(await get("/Patient/_history"))).toContain("Patient/none -5");
  });

  it("understand a time zone whose + was not escaped", async () => {
    const date = "2001-01-01T00:00:00+00:00";
    for (const parameter of ["_since", "_at"]) {
      const escaped = await get(`/Patient/_history?${parameter}=${encodeURIComponent(date)}`);
      expect(historyEntries(await get(`/Patient/_history?${parameter}=${date}`))).toEqual(historyEntries(escaped));
    }
  });

  it("leave out rows of searches that are stale because their segment is still loading", async () => {
    const load = await openBatchImport(server.database, { live: false });
    await load.commit([patient("stale", "bare"), patient("stale-too", "bare")]).finally(() => load.close());
    await server.send("PUT", "/Patient/stale", { resourceType: "Patient", id: "stale" });
    await server.send("DELETE", "/Patient/stale-too");
    const { rows } = await server.database.pool.query("select from stale_row");
    expect(rows.length).toBeGreaterThanOrEqual(2);
    const names = historyEntries(await get("/Patient/_history?_count=4")).toSorted();
    expect(names).toEqual(["Patient/stale 1", "Patient/stale 2", "Patient/stale-too 1", "Patient/stale-too 2 deleted"]);
    for (const id of ["stale", "stale-too"]) await server.send("DELETE", `/Patient/${id}?hardDelete=true`);
  });

  it("count when they are asked to", async () => {
    expect((await get("/Patient/_history?_total=accurate&_count=1")).total).toBe(6);
    expect((await get("/Patient/_history?_total=estimate&_at=2002")).total).toBe(2);
    expect(await get("/Patient/_history?_count=0")).toEqual({
      resourceType: "Bundle",
      type: "history",
      total: 6,
      link: [{ relation: "self", url: `${BASE}/Patient/_history?_count=0` }],
    });
    expect((await get("/Patient/_history?_total=none")).total).toBeUndefined();
  });

  it.each([
    "/Patient/_history?_since=yesterday",
    "/Patient/_history?_since=ge2001",
    "/_history?_at=2001-13",
    "/_history?_at=ne2001",
    "/_history?_at=ap2001",
    "/Patient/_history?_at=ge2002&_at=lt2001",
    "/_history?_count=-1",
    "/_history?_total=all",
    "/_history?_list=1",
    "/_history?_sort=_lastUpdated",
    "/_history?_type=Spaceship",
    "/_history?_since=2001&_since=2002",
    "/_history?_cursor=AAAA",
    "/Patient/a/_history?_list=1",
  ])("refuse %s", async (path) => {
    const { status, body } = await server.send("GET", path);
    expect(status).toBe(400);
    expect(body).toMatchObject({ resourceType: "OperationOutcome", issue: [{ severity: "error" }] });
  });

  it("shorten resources", async () => {
    const body = await get("/Patient/a/_history?_elements=birthDate&_count=1");
    const [{ resource }] = body.entry;
    expect(Object.keys(resource)).toEqual(["resourceType", "id", "meta"]);
    expect(resource.meta.tag[0].code).toBe("SUBSETTED");
    expect((await get("/_history?_summary=text")).entry.length).toBeGreaterThan(5);
    expect((await get("/_history?_summary=count")).entry).toBeUndefined();
    for (const wrong of ["_summary=short", "_elements=nothing", "_summary=true&_elements=id"]) {
      expect((await server.send("GET", `/_history?${wrong}`)).status).toBe(400);
    }
  });

  it("refuse a page link of another history", async () => {
    const next = linkOf(await get("/_history?_count=1"), "next") ?? "";
    expect((await server.send("GET", next.replace("/_history", "/Patient/a/_history"))).status).toBe(400);
    const own = linkOf(await get("/Patient/a/_history?_count=1"), "next") ?? "";
    expect((await server.send("GET", own.replace("/Patient/a/", "/"))).status).toBe(400);
  });

  it("leave out names that mean nothing, also from the links, and refuse them when the request is strict", async () => {
    for (const path of ["/_history?color=red&_sort=-_lastUpdated", "/Patient/a/_history?color=red&_type=Basic"]) {
      const body = await get(path);
      expect(linkOf(body, "self")).not.toMatch(/color|_type/);
      expect((await server.send("GET", path, undefined, { prefer: "handling=strict" })).status).toBe(400);
    }
  });

  it("answer 404 for what is no type, and an empty Bundle for a type without resources", async () => {
    expect((await server.send("GET", "/Spaceship/_history")).status).toBe(404);
    expect(historyEntries(await get("/Account/_history"))).toEqual([]);
  });

  it("come in batches, too", async () => {
    const urls = ["_history?_count=2", "Patient/_history?_since=2004", "Patient/a/_history", "Patient/a/_history/1"];
    const { body } = await server.send("POST", "/", {
      resourceType: "Bundle",
      type: "batch",
      entry: [...urls, "Patient/_history/1"].map((url) => ({ request: { method: "GET", url } })),
    });
    const statuses = body.entry.map(({ response }: Json) => response.status);
    expect(statuses).toEqual(["200 OK", "200 OK", "200 OK", "200 OK", "400 Bad Request"]);
    expect(historyEntries(body.entry[0].resource)).toHaveLength(2);
    expect(historyEntries(body.entry[1].resource)).toEqual(["Patient/a 3"]);
    expect(historyEntries(body.entry[2].resource)).toHaveLength(3);
  });

  it("forget what is erased", async () => {
    await server.send("PUT", "/Flag/gone", { resourceType: "Flag", id: "gone" });
    await server.send("DELETE", "/Flag/gone");
    expect(historyEntries(await get("/Flag/_history"))).toContain("Flag/gone 2 deleted");
    await server.send("DELETE", "/Flag/gone?hardDelete=true");
    expect(historyEntries(await get("/Flag/_history")).join()).not.toContain("gone");
  });

  it("keep versions of before 1970 in place", async () => {
    const at = "1940-03-01T12:00:00.001Z";
    const load = await openBatchImport(server.database);
    const old = { resourceType: "Patient", id: "old", meta: { versionId: "1", lastUpdated: at } };
    await load.commit([JSON.stringify(old)]).finally(() => load.close());
    expect(historyEntries(await get(`/Patient/_history?_at=${at}`))).toEqual(["Patient/old 1"]);
    expect(historyEntries(await get("/Patient/_history")).at(-1)).toBe("Patient/old 1");
  });
});

function response(status: string, version: number): Json {
  return { status, etag: `W/"${version}"`, lastModified: expect.stringMatching(/^20\d\d-.*Z$/) };
}

function entry(method: string, url: string, more: object): object {
  return { resource: { resourceType: "Flag", ...more }, request: { method, url } };
}
