import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLogger } from "../../src/base/logger.ts";
import { databaseUrl } from "../../src/bench/databases.ts";
import { openEmbedded } from "../../src/postgres/embedded/open-embedded.ts";
import { createTestDatabase } from "../../src/postgres/testing/test-database.ts";
import { fingerprints, loosePieces, type Fingerprints } from "../support/fingerprints.ts";
import { writeFaultyFiles, type FaultyFiles } from "../support/generated-files.ts";
import { KILLS as ALL_KILLS } from "../support/kills.ts";
import {
  ask,
  ended,
  loadedAtLeast,
  openWorkplace,
  startImport,
  type StokerRun,
  type Workplace,
} from "../support/stoker-run.ts";
import { makeTestStore } from "../support/test-store.ts";

/** Few: each takes the embedded PostgreSQL down, too. For many see kill-server-often.test.ts. */
const KILLS = Math.ceil(ALL_KILLS / 10);
/** More for longer runs. */
const PATIENTS = Number(process.env["STOKER_TEST_PATIENTS"] ?? 220);
const NOTHING_LOOSE = { rows: 0, heads: 0, bodies: 0, stale: 0, unpublished: 0 };

describe("a server that is killed or stopped during an import", () => {
  let place: Workplace;
  let input: FaultyFiles;
  let undisturbed: Fingerprints;

  beforeAll(async () => {
    place = await openWorkplace();
    const embedded = await openEmbedded({ dataDirectory: place.data, logger: openLogger("silent", "test") });
    await makeTestStore(embedded.connection);
    await embedded.close();
    input = await writeFaultyFiles(place.files, PATIENTS);
    const database = await createTestDatabase();
    try {
      const server = await place.serve({ STOKER_DATABASE_URL: databaseUrl(database.connection) });
      const answer = await ended(server, await startImport(server, input.paths));
      expect([answer.status, answer.body.stoker?.loaded, answer.body.stoker?.rejected]).toEqual([
        200,
        input.good,
        input.bad,
      ]);
      await server.end("SIGTERM");
      undisturbed = await fingerprints(database.connection);
    } finally {
      await database.drop();
    }
  });

  afterAll(async () => {
    await place?.close();
  });

  test(
    `kill -9, ${KILLS} times: the import goes on by itself, and nothing is lost or there twice`,
    { timeout: 60_000 + KILLS * 20_000 },
    async () => {
      let server = await place.serve();
      const path = await startImport(server, input.paths, { unitBytes: 3_000_000 });
      const seen: number[] = [];
      for (let kill = 1; kill <= KILLS; kill++) {
        // Spread over the import, at any point of a batch
        await loadedAtLeast(server, path, (input.good * (kill - 0.8)) / (KILLS + 1));
        await sleep(Math.random() * 300);
        seen.push((await ask(server, path)).body.stoker?.loaded ?? 0);
        await server.end("SIGKILL");
        server = await place.serve();
      }
      const { status, body } = await ended(server, path);
      expect([status, body.stoker?.loaded, body.stoker?.rejected]).toEqual([200, input.good, input.bad]);
      expect(body.stoker?.created).toBe(input.good);
      expect(seen, "what was committed stays").toEqual(seen.toSorted((a, b) => a - b));
      await expectErrorLogs(server, body.error ?? []);
      await expectEqualDatabase(server);
    },
  );

  test("SIGTERM: exit code 0 within 10 s, no unit is held, and the next start goes on at once", async () => {
    let server = await place.serve();
    const path = await startImport(server, input.paths, { unitBytes: 2_900_000 });
    await loadedAtLeast(server, path, 1);
    const asked = performance.now();
    expect(await server.end("SIGTERM")).toBe(0);
    expect(performance.now() - asked).toBeLessThan(10_000);
    server = await place.serve();
    const { status, body } = await ended(server, path);
    // The lines are those of the import before, which are there already: bare lines equal to the current version.
    expect([status, (body.stoker?.loaded ?? 0) + (body.stoker?.rejected ?? 0)]).toEqual([200, input.good + input.bad]);
    expect(body.stoker?.created).toBe(0);
    await expectEqualDatabase(server);
  });

  async function expectErrorLogs(
    server: StokerRun,
    errors: readonly { readonly count: number; readonly url: string }[],
  ): Promise<void> {
    let all = 0;
    for (const { count, url } of errors) {
      const text = await (await fetch(url)).text();
      const lines = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { issue: [{ diagnostics: string }] });
      expect(lines.length).toBe(count);
      expect(new Set(lines.map((line) => line.issue[0].diagnostics)).size).toBe(count);
      all += count;
    }
    expect([all, server.child.exitCode]).toEqual([input.bad, null]);
  }

  /** Stops the server and looks into its database. */
  async function expectEqualDatabase(server: StokerRun): Promise<void> {
    expect(await server.end("SIGTERM")).toBe(0);
    const embedded = await openEmbedded({ dataDirectory: place.data, logger: openLogger("silent", "test") });
    try {
      expect(await fingerprints(embedded.connection)).toEqual(undisturbed);
      expect(await loosePieces(embedded.connection)).toEqual(NOTHING_LOOSE);
    } finally {
      await embedded.close();
    }
  }
});
