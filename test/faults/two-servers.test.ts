import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseUrl } from "../../src/cli/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../../src/store/testing/test-database.ts";
import { loosePieces, withSession } from "../support/fingerprints.ts";
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

  test("one is frozen for longer than a lease, and wakes again: no line is lost or there twice", async () => {
    const path = await startImport(second, input.paths, { unitBytes: 2_000_000 });
    const id = path.split("/").at(-1);
    await loadedAtLeast(second, path, input.good / 5);
    const frozen = await withSession(database.connection, async (client) => {
      // Frozen at a moment when both have a unit; two units stay running, one of them without progress
      first.child.kill("SIGSTOP");
      const before = await client.query<{ id: string; fence: string; lease_until: Date }>(
        "select id::text, fence::text, lease_until from import_unit where job = $1 and state = 1",
        [id],
      );
      // Time passes: the leases end. The server that is awake loses its own, too, and must bear that.
      await client.query(
        "update import_unit set lease_until = now() - interval '1 second' where job = $1 and state = 1",
        [id],
      );
      return before.rows;
    });
    expect(frozen.length).toBeGreaterThan(0);
    // The other one ends it alone; only finishing may have been the frozen one's, which holds no lease then.
    await until(
      async () =>
        (await database.pool.query("select from import_unit where job = $1 and state <> 2", [id])).rowCount ?? 0,
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
    const { rows } = await database.pool.query<{ heads: number; rejected: number; later: number }>(
      `select (select count(*)::int from head) as heads, (select count(*)::int from version) as later,
         (select count(*)::int from import_rejected_line) as rejected`,
    );
    expect(rows[0]).toEqual({ heads: input.good, later: 0, rejected: input.bad });
    expect(await loosePieces(database.connection)).toEqual({ rows: 0, heads: 0, bodies: 0, stale: 0, unpublished: 0 });
  });

  test("both still work, and stop", async () => {
    const path = await startImport(first, input.paths.slice(0, 3));
    expect((await ended(first, path)).status).toBe(200);
    expect(await Promise.all([first.end("SIGTERM"), second.end("SIGTERM")])).toEqual([0, 0]);
  });
});
