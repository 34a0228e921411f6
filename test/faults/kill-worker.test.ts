import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepareDatabaseImport, type DisturbedDatabaseImport } from "../support/disturbed-import.ts";
import { HISTORY_UNIT_BYTES } from "../support/history-files.ts";
import { takeImage } from "../support/import-image.ts";
import { KILLS } from "../support/kills.ts";
import { openMoments } from "../support/moments.ts";
import { slowDownImports } from "../support/slow-import.ts";
import { startImport, until } from "../support/stoker-run.ts";

/** Units that may begin between two kills. */
const PER_KILL = 4;

describe("a worker process is killed again and again during an import", () => {
  let disturbed: DisturbedDatabaseImport;

  beforeAll(async () => {
    disturbed = await prepareDatabaseImport(PER_KILL);
  });

  afterAll(() => disturbed?.close());

  test(
    `kill -9 at ${String(KILLS)} random moments: the store is the same as without`,
    { timeout: 120_000 + KILLS * 10_000 },
    async () => {
      const moments = openMoments();
      const { place, input, undisturbed, database, settings } = disturbed;
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
    const { rows } = await disturbed.database.pool.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where datname = current_database() and application_name like 'stoker import worker unit %'`,
    );
    return rows[0]?.count ?? 0;
  }
});
