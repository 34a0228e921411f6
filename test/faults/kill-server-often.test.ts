import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { prepareDatabaseImport, type DisturbedDatabaseImport } from "../support/disturbed-import.ts";
import { HISTORY_UNIT_BYTES } from "../support/history-files.ts";
import { takeImage } from "../support/import-image.ts";
import { KILLS } from "../support/kills.ts";
import { openMoments } from "../support/moments.ts";
import { slowDownImports } from "../support/slow-import.ts";
import { startImport } from "../support/stoker-run.ts";

/** Units that may begin between two kills. */
const PER_KILL = 3;
/** Of the kills, so many when all units are done, while the import is published and reported. */
const AT_THE_END = Math.ceil(KILLS / 6);

describe("the server is killed again and again during an import", () => {
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
      let server = await place.serve(settings);
      const path = await startImport(server, input.paths, { unitBytes: HISTORY_UNIT_BYTES });
      let lines = 0;
      for (let kill = 1; kill <= KILLS; kill++) {
        const isLoading = kill <= KILLS - AT_THE_END;
        const before = await slow.progress();
        expect(before.lines, "what was committed stays").toBeGreaterThanOrEqual(lines);
        await slow.allow(isLoading ? before.begun + PER_KILL : 1_000_000);
        const after = isLoading ? await slow.advanced(before) : await slow.allDone();
        lines = after.lines;
        await sleep(moments.below(isLoading ? 120 : 300));
        await server.end("SIGKILL");
        await slow.endSteps();
        server = await place.serve(settings);
      }
      await slow.release();
      await slow.allDone();
      expect(await takeImage(server, path, database.connection)).toEqual(undisturbed);
      expect(await server.end("SIGTERM")).toBe(0);
    },
  );
});
