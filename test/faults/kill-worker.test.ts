import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseUrl } from "../../src/cli/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../../src/store/testing/test-database.ts";
import { HISTORY_UNIT_BYTES, writeHistoryFiles, type HistoryFiles } from "../support/history-files.ts";
import { takeImage, undisturbedImage, type ImportImage } from "../support/import-image.ts";
import { KILLS, smallFilesFor } from "../support/kills.ts";
import { openMoments } from "../support/moments.ts";
import { slowDownImports } from "../support/slow-import.ts";
import { openWorkplace, startImport, until, type Workplace } from "../support/stoker-run.ts";

/** Units that may begin between two kills. */
const PER_KILL = 4;

describe("a worker process is killed again and again during an import", () => {
  let place: Workplace;
  let input: HistoryFiles;
  let undisturbed: ImportImage;
  let database: TestDatabase;

  beforeAll(async () => {
    place = await openWorkplace();
    input = await writeHistoryFiles(place.files, { small: smallFilesFor(KILLS, PER_KILL), big: 2 });
    undisturbed = await undisturbedImage(place, input, HISTORY_UNIT_BYTES);
    database = await createTestDatabase();
  });

  afterAll(async () => {
    await place?.close();
    await database?.drop();
  });

  test(
    `kill -9 at ${String(KILLS)} random moments: the store is the same as without`,
    { timeout: 120_000 + KILLS * 10_000 },
    async () => {
      const moments = openMoments();
      const settings = { STOKER_DATABASE_URL: databaseUrl(database.connection) };
      const slow = await slowDownImports(database.connection);
      const server = await place.serve({ ...settings, STOKER_WORKERS: "1" });
      const path = await startImport(server, input.paths, { unitBytes: HISTORY_UNIT_BYTES });
      for (let kill = 1; kill <= KILLS; kill++) {
        const worker = await place.work({ ...settings, STOKER_WORKERS: "2" });
        const before = await slow.progress();
        await slow.allow(before.begun + PER_KILL);
        await slow.advanced(before);
        await until(
          async () => ({ now: await slow.progress(), sessions: await unitSessions() }),
          // One of them is the server's own.
          ({ now, sessions }) => sessions >= 2 || now.open === 0,
        );
        await sleep(moments.below(120));
        await worker.end("SIGKILL");
      }
      await slow.release();
      await slow.allDone();
      expect(await takeImage(server, path, database.connection)).toEqual(undisturbed);
      expect(await server.end("SIGTERM")).toBe(0);
    },
  );

  /** Sessions of workers that have a unit, alive or not yet known to be dead. */
  async function unitSessions(): Promise<number> {
    const { rows } = await database.pool.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and application_name like 'stoker import worker unit %'`,
    );
    return rows[0]?.count ?? 0;
  }
});
