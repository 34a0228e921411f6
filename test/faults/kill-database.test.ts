import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLogger } from "../../src/base/logger.ts";
import { databaseUrl } from "../../src/bench/databases.ts";
import { readPostmasterFile } from "../../src/postgres/embedded/leftover-server.ts";
import { openEmbedded } from "../../src/postgres/embedded/open-embedded.ts";
import { loosePieces } from "../support/fingerprints.ts";
import { writeFaultyFiles, type FaultyFiles } from "../support/generated-files.ts";
import {
  ended,
  loadedAtLeast,
  openWorkplace,
  startImport,
  until,
  type Answer,
  type StokerRun,
  type Workplace,
} from "../support/stoker-run.ts";

const logger = openLogger("silent", "test");

describe.skipIf(process.platform === "win32")("PostgreSQL is killed during an import", () => {
  let place: Workplace;
  let input: FaultyFiles;

  beforeAll(async () => {
    place = await openWorkplace();
    input = await writeFaultyFiles(place.files, 160);
  });

  afterAll(async () => {
    await place?.close();
  });

  test("the embedded one is started again, and the import ends as if nothing had been", async () => {
    const server = await place.serve();
    const path = await startImport(server, input.paths, { unitBytes: 3_000_000 });
    for (const share of [0.2, 0.5]) {
      await loadedAtLeast(server, path, input.good * share);
      const postmaster = await readPostmasterFile(join(place.data, "postgres"));
      process.kill(postmaster?.pid ?? 0, "SIGKILL");
      await until(
        () => readPostmasterFile(join(place.data, "postgres")),
        (file) => file !== undefined && file.pid !== postmaster?.pid && file.status === "ready",
      );
    }
    expectAll(await ended(server, path), server);
    expect(server.said()).toContain("PostgreSQL stopped unexpectedly and is being restarted");
    expect(await health(server)).toBe(200);
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("another server's: 503 while it is away, then the import goes on", async () => {
    const options = { dataDirectory: join(place.data, "..", "external"), logger, memoryBytes: 1024 ** 3 };
    let database = await openEmbedded(options);
    try {
      const server = await place.serve({ STOKER_DATABASE_URL: databaseUrl(database.connection) });
      const path = await startImport(server, input.paths, { unitBytes: 3_000_000 });
      await loadedAtLeast(server, path, input.good / 4);
      process.kill(database.pid, "SIGKILL");
      await database.ended;
      await until(
        () => health(server),
        (status) => status === 503,
      );
      for (const request of ["Patient?_count=1", path.slice(1), "Patient/1"]) {
        const response = await fetch(`${server.base}/${request}`);
        const outcome = (await response.json()) as Answer["body"];
        expect([request, response.status, outcome.resourceType, outcome.issue?.[0]?.code]).toEqual([
          request,
          503,
          "OperationOutcome",
          "transient",
        ]);
      }
      expect((await fetch(new URL("/health/live", server.base))).status).toBe(200);
      await database.close();
      database = await openEmbedded(options);
      await until(
        () => health(server),
        (status) => status === 200,
      );
      expectAll(await ended(server, path), server);
      expect(await loosePieces(database.connection)).toEqual({
        rows: 0,
        heads: 0,
        bodies: 0,
        stale: 0,
        unpublished: 0,
      });
      expect(await server.end("SIGTERM")).toBe(0);
    } finally {
      await database.close();
    }
  });

  function expectAll({ status, body }: Answer, server: StokerRun): void {
    expect(server.child.exitCode).toBe(null);
    expect([status, body.stoker?.loaded, body.stoker?.created, body.stoker?.rejected], server.said()).toEqual([
      200,
      input.good,
      input.good,
      input.bad,
    ]);
  }
});

async function health(server: StokerRun): Promise<number> {
  return (await fetch(new URL("/health/ready", server.base))).status;
}
