import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BlockCache } from "../../store/resources/body.ts";
import { openSearchParameters } from "../../store/search/search-parameters.ts";
import { readSnapshot, type ReadContext } from "./context.ts";
import { openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
let context: ReadContext;
beforeAll(async () => {
  server = await openSearchServer();
  const { pool } = server.database;
  const searchParameters = openSearchParameters(pool);
  const blocks = new BlockCache(0);
  context = { pool, baseUrl: "http://x/fhir", blocks, dateEquality: "contain", searchParameters, timeout: 50 };
});
afterAll(() => server.close());

describe("readSnapshot", () => {
  it("ends reads that take too long with an error that says so", async () => {
    await expect(readSnapshot(context, (db) => db.query({ text: "select pg_sleep(60)" }))).rejects.toMatchObject({
      code: "too-costly",
      status: 408,
    });
  });
  it("leaves no trace on the connection", async () => {
    await expect(context.pool.query("select pg_sleep(0.2)")).resolves.toBeDefined();
  });
  it("passes other errors on and writes nothing", async () => {
    await expect(readSnapshot(context, (db) => db.query({ text: "select 1 / 0" }))).rejects.toMatchObject({
      code: "22012",
    });
    await expect(
      readSnapshot(context, (db) => db.query({ text: "delete from resource_current" })),
    ).rejects.toMatchObject({
      code: "25006",
    });
  });
});

describe("D-20 with containment", () => {
  it("eq finds only what lies within", async () => {
    const dates = ["2012", "2012-03", "2012-03-14"];
    await server.loadLive(
      ...dates.map((effectiveDateTime) => ({ resourceType: "Observation", id: effectiveDateTime, effectiveDateTime })),
    );
    expect(await server.ids("/Observation?date=2012-03")).toEqual(["2012-03", "2012-03-14"]);
    expect(await server.ids("/Observation?date=2012-03-15")).toEqual([]);
    expect(await server.ids("/Observation?date=2012,2011")).toEqual(dates);
  });
});
