import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLogger } from "../../src/base/logger.ts";
import { databaseUrl } from "../../src/bench/databases.ts";
import { openEmbedded, type EmbeddedServer } from "../../src/postgres/embedded/open-embedded.ts";
import { BodyBlocks } from "../../src/store/resources/body-blocks.ts";
import { Stamps } from "../../src/store/search/stamps.ts";
import { withSession } from "../support/fingerprints.ts";
import { prepareImport, type DisturbedImport } from "../support/disturbed-import.ts";
import { HISTORY_UNIT_BYTES } from "../support/history-files.ts";
import { takeImage } from "../support/import-image.ts";
import { KILLS } from "../support/kills.ts";
import { openMoments } from "../support/moments.ts";
import { slowDownImports } from "../support/slow-import.ts";
import { startImport, until } from "../support/stoker-run.ts";
import { makeTestStore } from "../support/test-store.ts";

/** Units that may begin between two kills. */
const PER_KILL = 3;
/** Every so many kills, PostgreSQL as a whole; otherwise one of its processes, after which it starts all of them again. */
const WHOLE_EVERY = 6;
/** Of the kills, so many when all units are done, while the import is published and reported. */
const AT_THE_END = Math.ceil(KILLS / 6);

describe.skipIf(process.platform === "win32")("PostgreSQL is killed again and again during an import", () => {
  let disturbed: DisturbedImport;
  let database: EmbeddedServer;

  const open = (): Promise<EmbeddedServer> =>
    openEmbedded({
      dataDirectory: join(disturbed.place.data, "..", "external"),
      logger: openLogger("silent", "test"),
      memoryBytes: 1024 ** 3,
    });

  beforeAll(async () => {
    disturbed = await prepareImport(PER_KILL);
    database = await open();
    await makeTestStore(database.connection);
  });

  afterAll(async () => {
    await disturbed?.place.close();
    await database?.close();
  });

  test(
    `kill -9 at ${String(KILLS)} random moments: the store is the same as without`,
    { timeout: 120_000 + KILLS * 10_000 },
    async () => {
      const moments = openMoments();
      const { place, input, undisturbed } = disturbed;
      const server = await place.serve({ STOKER_DATABASE_URL: databaseUrl(database.connection) });
      const slow = await slowDownImports(database.connection);
      const path = await startImport(server, input.paths, { unitBytes: HISTORY_UNIT_BYTES });
      for (let kill = 1; kill <= KILLS; kill++) {
        const isLoading = kill <= KILLS - AT_THE_END;
        // The last commits may be lost with a crash, so that lines may be fewer than before it.
        const before = await slow.progress();
        await slow.allow(isLoading ? before.begun + PER_KILL : 1_000_000);
        await (isLoading ? slow.advanced(before) : slow.allDone());
        const victims = kill % WHOLE_EVERY === 0 ? [] : await backends();
        await sleep(moments.below(isLoading ? 120 : 300));
        if (victims.length > 0) {
          await killBackend(moments.oneOf(victims));
        } else {
          process.kill(database.pid, "SIGKILL");
          await database.ended;
          await database.close();
          database = await open();
        }
        await slow.endSteps();
      }
      await slow.release();
      await slow.allDone();
      expect(await takeImage(server, path, database.connection)).toEqual(undisturbed);
      expect(await server.end("SIGTERM")).toBe(0);
    },
  );

  test("numbers of blocks and stamps are not handed out again, although the last commits were lost", async () => {
    const last: { block: bigint; stamp: number }[] = [];
    for (let round = 0; round < 3; round++) {
      const started = await withSession(database.connection, async (client) => {
        // As the sessions of imports.
        await client.query("set synchronous_commit = off");
        await client.query("checkpoint");
        const before = await startedAt();
        const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
        const blocks = new BodyBlocks();
        await blocks.reserve(client, 1, 1);
        last.push({ block: blocks.add(Buffer.from("x")).block, stamp: await new Stamps().take(client, 1) });
        process.kill(rows[0]?.pid ?? 0, "SIGKILL");
        return before;
      });
      await until(
        () => startedAt().catch(() => started),
        (now) => now !== started,
      );
    }
    expect(new Set(last.map(({ block }) => block)).size).toBe(3);
    expect(new Set(last.map(({ stamp }) => stamp)).size).toBe(3);
  });

  /** Process ids of the import workers' sessions; of the server's others when there are none. */
  async function backends(): Promise<number[]> {
    return await withSession(database.connection, async (client) => {
      const { rows } = await client.query<{ pid: number; name: string }>(
        `select pid, application_name as name from pg_stat_activity
         where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );
      const workers = rows.filter(({ name }) => name.startsWith("stoker import worker"));
      return (workers.length > 0 ? workers : rows).map(({ pid }) => pid);
    });
  }

  /** Kills a session's process, if it is still there, and waits until PostgreSQL has begun to start again. */
  async function killBackend(pid: number): Promise<void> {
    const started = await startedAt();
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile: another one.
      const [other] = await backends();
      if (other !== undefined) process.kill(other, "SIGKILL");
    }
    await until(
      () => startedAt().catch(() => started),
      (now) => now !== started,
    );
  }

  /** Changes with every recovery. */
  async function startedAt(): Promise<string> {
    return await withSession(database.connection, async (client) => {
      const { rows } = await client.query<{ at: string }>(
        "select (pg_control_checkpoint()).checkpoint_lsn::text || (pg_control_checkpoint()).checkpoint_time::text as at",
      );
      return rows[0]?.at ?? "";
    });
  }
});
