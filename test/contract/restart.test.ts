import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorLog, openFullServer, type FullServer, type Json } from "../support/full-server.ts";

/** Decision D-05: however often the work on a unit is broken off, nothing is repeated and nothing is reported twice. */

let server: FullServer;
beforeAll(async () => {
  server = await openFullServer();
});
afterAll(() => server?.close());

const LINES = 60_000;

function contentOf(file: string): { text: string; expected: { line: number; code: string }[] } {
  let text = "";
  const expected: { line: number; code: string }[] = [];
  for (let n = 1; n <= LINES; n++) {
    const id = n % 1000 === 7 ? `${file}-${String(n - 3)}` : `${file}-${String(n)}`;
    if (n % 1000 === 7) expected.push({ line: n, code: "duplicate" });
    if (n % 900 === 5) expected.push({ line: n, code: "structure" });
    text += n % 900 === 5 ? "oops\n" : `{"resourceType":"Patient","id":"${id}","gender":"female"}\n`;
  }
  return { text, expected };
}

/** Waits until so many lines are loaded, or the import has ended. */
async function loaded(id: string, lines: number): Promise<number> {
  for (;;) {
    const response = await fetch(`${server.base}/_operations/import/${id}`);
    const text = await response.text();
    const count: number = text === "" ? 0 : (JSON.parse(text) as { stoker: { loaded: number } }).stoker.loaded;
    if (count >= lines || response.status !== 202) return count;
    await sleep(10);
  }
}

test("D-05: stopped, and cut off from the database, in the middle of units", async () => {
  const files = ["a", "b"].map((name) => ({ name, ...contentOf(name) }));
  const urls = await Promise.all(files.map(({ name, text }) => server.file(`${name}.ndjson`, text)));
  const registered = await server.register({ inputs: urls, mode: "InitialLoad" });
  const id = /\d+$/.exec(registered.headers.get("content-location") ?? "")?.[0] ?? "";
  const { pool } = server.database;

  const first = await loaded(id, 1);
  await server.restart();
  const second = await loaded(id, first + 20_000);
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name like 'stoker import worker%'`,
  );
  // Units of workers that were cut off are free when their leases end: now instead of in half a minute
  await sleep(200);
  await pool.query("update import_unit set lease_until = clock_timestamp() where lease_until is not null");
  await loaded(id, second + 20_000);
  await server.restart();
  const { rows } = await pool.query<{ claims: number }>("select max(fence)::int as claims from import_unit");
  expect(rows[0]?.claims, "how often a unit was begun").toBeGreaterThan(2);

  const outcome = await server.outcome(`${server.base}/_operations/import/${id}`);
  expect(outcome.status).toBe(200);
  const wanted = files.map(({ expected }) => LINES - expected.length);
  expect(outcome.body.output.map((entry: Json) => entry.count)).toEqual(wanted);
  expect(outcome.body.stoker.created).toBe((wanted[0] ?? 0) + (wanted[1] ?? 0));
  for (const [index, { expected }] of files.entries()) {
    const errors = await errorLog(outcome, urls[index]);
    expect(errors.map(({ line, code }) => ({ line, code }))).toEqual(expected);
  }
  expect((await server.json("Patient?gender=female&_summary=count")).total).toBe((wanted[0] ?? 0) + (wanted[1] ?? 0));
});
