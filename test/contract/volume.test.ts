import { afterAll, beforeAll, expect, test } from "vitest";
import { openFullServer, type FullServer } from "../support/full-server.ts";

/** Contract 5.8 with decision D-10, and the counts of an import among the metrics. */

const DATE = "2020-03-04T05:06:07.089Z";

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server?.close());

/** Patients `prefix`-1 and so on, all with one lastUpdated. */
function patients(prefix: string, count: number): string {
  let text = "";
  for (let n = 1; n <= count; n++) {
    text += `{"resourceType":"Patient","id":"${prefix}-${String(n)}","meta":{"lastUpdated":"${DATE}"}}\n`;
  }
  return text;
}

test("C-160, D-10: 81 files of 1,000 resources with one lastUpdated are all loaded", { timeout: 120_000 }, async () => {
  const inputs: string[] = [];
  for (let n = 1; n <= 81; n++) {
    const name = `same-date-${String(n)}`;
    inputs.push(await server.file(`${name}.ndjson`, patients(name, 1000)));
  }
  const { status, body } = await server.load({ inputs });
  expect([status, body.error, body.stoker.created]).toEqual([200, [], 81_000]);
  expect(body.output.map((entry: { count: number }) => entry.count)).toEqual(Array.from({ length: 81 }, () => 1000));
  const found = await server.json(`Patient?_lastUpdated=${DATE}&_summary=count`);
  expect(found.total).toBe(81_000);
});

test("C-161: more of the same lastUpdated afterwards, when the sequence of stamps begins anew", async () => {
  const { pool } = server.database;
  const first = await server.load({ inputs: [await server.file("wrap-1.ndjson", patients("wrap-1", 1000))] });
  await pool.query("select setval('row_stamp', (select max_value from pg_sequences where sequencename = 'row_stamp'))");
  const second = await server.load({ inputs: [await server.file("wrap-2.ndjson", patients("wrap-2", 10))] });
  expect([first, second].map(({ status, body }) => [status, body.error, body.stoker.created])).toEqual([
    [200, [], 1000],
    [200, [], 10],
  ]);
  expect(await server.search("Patient?_id=wrap-1-1,wrap-2-10")).toEqual(["Patient/wrap-1-1", "Patient/wrap-2-10"]);
});

test("R-039, C-007: four good lines and a bad one, with and without type, are counted so in the metrics", async () => {
  const before = await lineCounts();
  const good = patients("metric", 4).trimEnd().split("\n");
  const text = [...good.slice(0, 2), "invalid-row", ...good.slice(2)].join("\n");
  for (const mode of ["IncrementalLoad", "InitialLoad"] as const) {
    const renamed = text.replaceAll("metric-", `metric-${mode}-`);
    for (const type of [undefined, "Patient"]) {
      const url = await server.file(
        `${mode}-${String(type)}.ndjson`,
        renamed.replaceAll("metric-", `metric-${String(type)}-`),
      );
      const { status, body } = await server.load({ inputs: [type === undefined ? url : { url, type }], mode });
      expect([status, body.output[0].count, body.error[0].count]).toEqual([200, 4, 1]);
    }
  }
  const after = await lineCounts();
  expect([after.loaded - before.loaded, after.rejected - before.rejected]).toEqual([16, 4]);
});

async function lineCounts(): Promise<{ loaded: number; rejected: number }> {
  const text = await (await fetch(`${new URL(server.base).origin}/metrics`)).text();
  const count = (outcome: string): number =>
    Number(new RegExp(`^stoker_import_lines_total\\{outcome="${outcome}"\\} (\\d+)`, "m").exec(text)?.[1]);
  return { loaded: count("loaded"), rejected: count("rejected") };
}
