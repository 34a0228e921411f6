import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseUrl } from "../../src/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../../src/postgres/testing/test-database.ts";
import { loosePieces } from "../support/fingerprints.ts";
import { writeFaultyFiles, type FaultyFiles } from "../support/generated-files.ts";
import {
  ended,
  loadedAtLeast,
  openWorkplace,
  startImport,
  until,
  type StokerRun,
  type Workplace,
} from "../support/stoker-run.ts";

describe.skipIf(process.platform === "win32")("two servers share an import", () => {
  let place: Workplace;
  let input: FaultyFiles;
  let database: TestDatabase;
  let first: StokerRun;
  let second: StokerRun;

  beforeAll(async () => {
    place = await openWorkplace();
    input = await writeFaultyFiles(place.files, 160);
    database = await createTestDatabase();
    const settings = { STOKER_DATABASE_URL: databaseUrl(database.connection), STOKER_WORKERS: "1" };
    first = await place.serve(settings);
    second = await place.serve(settings);
  });

  afterAll(async () => {
    await place?.close();
    await database?.drop();
  });

  /*
   * The worst moment: the frozen server has locked its unit's row, and maybe what the other one waits for. Then nobody
   * can claim the unit, and nothing but the end of its lease, after half a minute, tells that its holder is silent.
   */
  test(
    "one is frozen for longer than a lease, and wakes again: no line is lost or there twice",
    { timeout: 150_000 },
    async () => {
      const { pool } = database;
      await pool.query(
        `create function pause_batch() returns trigger language plpgsql as 'begin perform pg_sleep(0.5); return null; end';
         create trigger pause_batch after update of position on import_unit
           for each row when (new.position is distinct from old.position) execute function pause_batch()`,
      );
      const path = await startImport(second, input.paths, { unitBytes: 2_000_000 });
      const id = path.split("/").at(-1);
      await loadedAtLeast(second, path, input.good / 5);
      const paused = `select from pg_stat_activity
        where application_name like 'stoker import worker unit %' and wait_event = 'PgSleep' and datname = current_database()`;
      await until(
        async () => (await pool.query(paused)).rowCount,
        (sessions) => sessions === 2,
      );
      first.child.kill("SIGSTOP");
      await pool.query(
        "create or replace function pause_batch() returns trigger language plpgsql as 'begin return null; end'",
      );
      const { rows: held } = await pool.query<{ id: string; fence: string }>(
        "select id::text, fence::text from import_unit where job = $1 and state = 1",
        [id],
      );
      expect(held.length).toBe(2);
      // The other one ends it alone; only finishing may have been the frozen one's, which holds no lease then.
      await until(
        async () => (await pool.query("select from import_unit where job = $1 and state <> 2", [id])).rowCount,
        (open) => open === 0,
      );
      first.child.kill("SIGCONT");
      const { status, body } = await ended(second, path);
      expect([status, body.stoker?.loaded, body.stoker?.created, body.stoker?.rejected], second.said()).toEqual([
        200,
        input.good,
        input.good,
        input.bad,
      ]);
      const { rows: taken } = await pool.query<{ units: number }>(
        `select count(*)::int as units from import_unit
         join unnest($1::bigint[], $2::bigint[]) as held (id, fence) using (id) where import_unit.fence > held.fence`,
        [held.map((unit) => unit.id), held.map((unit) => unit.fence)],
      );
      expect(taken[0]?.units, "units that were taken over").toBeGreaterThan(0);
      const { rows } = await pool.query<{ heads: number; rejected: number; later: number }>(
        `select (select count(*)::int from resource_current) as heads, (select count(*)::int from resource_history) as later,
           (select count(*)::int from import_rejected_line) as rejected`,
      );
      expect(rows[0]).toEqual({ heads: input.good, later: 0, rejected: input.bad });
      expect(await loosePieces(database.connection)).toEqual({
        rows: 0,
        heads: 0,
        bodies: 0,
        stale: 0,
        unpublished: 0,
      });
    },
  );

  test("both still work, and stop", async () => {
    const path = await startImport(first, input.paths.slice(0, 3));
    expect((await ended(first, path)).status).toBe(200);
    expect(await Promise.all([first.end("SIGTERM"), second.end("SIGTERM")])).toEqual([0, 0]);
  });
});
