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

/** Waits until a unit is being worked on that was begun so many times and has a checkpoint. */
async function begun(times: number): Promise<void> {
  for (let running = 0; running === 0; await sleep(10)) {
    const { rows } = await server.database.pool.query<{ units: number }>(
      "select count(*)::int as units from import_unit where state = 1 and fence >= $1 and position is not null",
      [times],
    );
    running = rows[0]?.units ?? 0;
  }
}

test("D-05: stopped, and cut off from the database, in the middle of units", async () => {
  const files = ["a", "b"].map((name) => ({ name, ...contentOf(name) }));
  const urls = await Promise.all(files.map(({ name, text }) => server.file(`${name}.ndjson`, text)));
  const { pool } = server.database;
  // However quick the machine is: a batch of 8,192 lines takes long enough for the next blow to meet it.
  await pool.query(
    `create function pause_batch() returns trigger language plpgsql as 'begin perform pg_sleep(0.3); return null; end';
     create trigger pause_batch after update of position on import_unit for each row execute function pause_batch()`,
  );
  const registered = await server.register({ inputs: urls, mode: "InitialLoad" });
  const id = /\d+$/.exec(registered.headers.get("content-location") ?? "")?.[0] ?? "";
  await begun(1);
  await server.restart();
  await begun(2);
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name like 'stoker import worker%'`,
  );
  // Units of workers that were cut off are free when their leases end: now instead of in half a minute
  await sleep(200);
  await pool.query("update import_unit set lease_until = clock_timestamp() where lease_until is not null");
  await begun(3);
  await server.restart();
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
