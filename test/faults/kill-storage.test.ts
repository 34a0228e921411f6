import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseUrl } from "../../src/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../../src/postgres/testing/test-database.ts";
import { openAzurite, type Azurite } from "../support/azurite.ts";
import { withSession } from "../support/fingerprints.ts";
import { ended, openWorkplace, startImport, until, type StokerRun, type Workplace } from "../support/stoker-run.ts";

const LINES = 60_000;
/** Two workers and three units: transfers break in the middle, and one begins while the storage is away. */
const UNIT_BYTES = 4_000_000;

/** A line of a blob, about 160 bytes long. */
function line(number: number): string {
  return `{"resourceType":"Basic","id":"b${String(number).padStart(9, "0")}","code":{"text":"${"x".repeat(90)}"}}\n`;
}

describe("the storage account is killed during an import", () => {
  let place: Workplace;
  let database: TestDatabase;
  let azurite: Azurite;
  let server: StokerRun;

  beforeAll(async () => {
    place = await openWorkplace();
    database = await createTestDatabase();
    azurite = await openAzurite({ onDisk: true });
    server = await place.serve({
      STOKER_DATABASE_URL: databaseUrl(database.connection),
      STOKER_AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
    });
  });

  afterAll(async () => {
    await place?.close();
    await azurite?.close();
    await database?.drop();
  });

  /** Uploads a blob of LINES resources, with a wrong line in the middle, so that it outlives the end of the service. */
  async function upload(name: string, from: number): Promise<string> {
    const lines = Array.from({ length: LINES }, (_, index) => line(from + index));
    lines.splice(LINES / 2, 0, "{ broken\n");
    const { url } = await azurite.upload("input", name, lines.join(""));
    await azurite.stop("SIGTERM");
    await azurite.start();
    return url;
  }

  /** Starts an import of the blob, and kills the storage when some of it is loaded and some is not. */
  async function killDuringImport(url: string): Promise<string> {
    // Batches wait until it is dead: a lock on the units' table holds their checkpoints up.
    return await withSession(database.connection, async (client) => {
      const job = await startImport(server, [url], { unitBytes: UNIT_BYTES });
      await until(
        async () =>
          (await client.query("select from import_unit where job = $1 and position > 0", [idOf(job)])).rowCount,
        (count) => (count ?? 0) > 0,
      );
      await client.query("begin");
      await client.query("lock table import_unit in exclusive mode");
      await azurite.stop("SIGKILL");
      await client.query("commit");
      return job;
    });
  }

  async function stored(job: string): Promise<number> {
    const { rows } = await database.pool.query<{ count: number }>(
      "select count(*)::int as count from resource_current where import_job = $1",
      [idOf(job)],
    );
    return rows[0]?.count ?? 0;
  }

  test("it comes back: the import goes on where it was, every line once, and the error log is written", async () => {
    const job = await killDuringImport(await upload("back.ndjson", 0));
    expect(await stored(job)).toBeLessThan(LINES);
    await azurite.start();
    const { status, body } = await ended(server, job);
    expect([status, body.stoker?.loaded, body.stoker?.created, body.stoker?.rejected], server.said()).toEqual([
      200,
      LINES,
      LINES,
      1,
    ]);
    expect(await stored(job)).toBe(LINES);
    expect(body.error?.map(({ count }) => count)).toEqual([1]);
    const log = body.error?.[0]?.url.split("/").at(-1) ?? "";
    const text = (await azurite.download("fhirlogs", log)).toString();
    expect(text).toContain(`Failed to process resource at line: ${String(LINES / 2 + 1)} with`);
  });

  test(
    "7.1: it stays away: the import fails, what was committed stays, and another import makes it whole",
    { timeout: 180_000 },
    async () => {
      const url = await upload("away.ndjson", LINES);
      const job = await killDuringImport(url);
      const { status, body } = await ended(server, job);
      expect([status, body.issue?.[0]?.diagnostics]).toEqual([
        400,
        `import operation failed for reason: The storage account refused the connection. (127.0.0.1:${String(azurite.port)}) ErrorFile: ${url}`,
      ]);
      const kept = await stored(job);
      expect(kept).toBeGreaterThan(0);
      expect(kept).toBeLessThan(LINES);

      await azurite.start();
      const again = await ended(server, await startImport(server, [url], { unitBytes: UNIT_BYTES + 1 }));
      const { loaded, created, unchanged } = again.body.stoker ?? {};
      expect([again.status, loaded, created, unchanged]).toEqual([200, LINES, LINES - kept, kept]);
    },
  );
});

function idOf(job: string): string {
  return job.split("/").at(-1) ?? "";
}
