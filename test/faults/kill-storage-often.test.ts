import { basename } from "node:path";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAzurite, type Azurite } from "../support/azurite.ts";
import { prepareDatabaseImport, type DisturbedDatabaseImport } from "../support/disturbed-import.ts";
import { HISTORY_UNIT_BYTES } from "../support/history-files.ts";
import { takeImage } from "../support/import-image.ts";
import { KILLS } from "../support/kills.ts";
import { openMoments } from "../support/moments.ts";
import { slowDownImports } from "../support/slow-import.ts";
import { startImport, until } from "../support/stoker-run.ts";

/** Units that may begin between two kills. */
const PER_KILL = 3;
/** Longer than the storage client tries by itself. */
const AWAY_MS = 4000;

describe("the storage account is killed again and again during an import", () => {
  let disturbed: DisturbedDatabaseImport;
  let azurite: Azurite;

  beforeAll(async () => {
    disturbed = await prepareDatabaseImport(PER_KILL, 3);
    azurite = await openAzurite({ onDisk: true });
  });

  afterAll(async () => {
    await disturbed?.close();
    await azurite?.close();
  });

  test(
    `kill -9 at ${String(KILLS)} random moments, and once before the error logs: the store is the same as without`,
    { timeout: 120_000 + KILLS * 10_000 },
    async () => {
      const moments = openMoments();
      const { place, input, undisturbed, database, settings } = disturbed;
      const urls: string[] = [];
      for (const path of input.paths) {
        urls.push((await azurite.upload("input", basename(path), await readFile(path))).url);
      }
      // Its list of blobs is on disk only now.
      await azurite.stop("SIGTERM");
      await azurite.start();
      const server = await place.serve({
        ...settings,
        STOKER_AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
      });
      const slow = await slowDownImports(database.connection);
      const path = await startImport(server, urls, { unitBytes: HISTORY_UNIT_BYTES });
      for (let kill = 1; kill <= KILLS; kill++) {
        const before = await slow.progress();
        await slow.allow(before.begun + PER_KILL);
        await slow.advanced(before);
        await sleep(moments.below(120));
        await azurite.stop("SIGKILL");
        await sleep(moments.below(120));
        await azurite.start();
      }
      // All blobs are read, and the last batches are at the gate, which two workers may pass as one: from now on there are
      // only error logs to write.
      await slow.allow(input.paths.length - 2);
      await until(
        async () => ({ ...(await slow.progress()), waiting: await slow.waiting() }),
        ({ begun, open, waiting }) => begun >= input.paths.length - 2 && open > 0 && waiting === open,
      );
      await azurite.stop("SIGKILL");
      await slow.release();
      await slow.allDone();
      await sleep(AWAY_MS);
      await azurite.start();
      const read = async (url: string): Promise<string> => {
        const [container = "", name = ""] = url.split("/").slice(-2);
        return (await azurite.download(container, name)).toString();
      };
      expect(await takeImage(server, path, database.connection, read)).toEqual(undisturbed);
      expect(await server.end("SIGTERM")).toBe(0);
    },
  );
});
