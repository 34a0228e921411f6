import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseUrl } from "../../src/cli/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../../src/store/testing/test-database.ts";
import { HISTORY_UNIT_BYTES, writeHistoryFiles, type HistoryFiles } from "../support/history-files.ts";
import { takeImage, undisturbedImage, type ImportImage } from "../support/import-image.ts";
import { KILLS, smallFilesFor } from "../support/kills.ts";
import { openMoments } from "../support/moments.ts";
import { slowDownImports } from "../support/slow-import.ts";
import { openWorkplace, startImport, type Workplace } from "../support/stoker-run.ts";

/** Units that may begin between two kills. */
const PER_KILL = 3;
/** Of the kills, so many when all units are done, while the import is published and reported. */
const AT_THE_END = Math.ceil(KILLS / 6);

describe("the server is killed again and again during an import", () => {
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
