import { appendFile, mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { databaseUrl } from "../../src/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../../src/postgres/testing/test-database.ts";
import { withSession } from "../support/fingerprints.ts";
import { ended, openWorkplace, startImport, until, type StokerRun, type Workplace } from "../support/stoker-run.ts";

const LINES = 60_000;
/** More than a worker has in hand when the change is seen. */
const UNIT_BYTES = 500_000;

/** A line of a file, about 160 bytes long. */
function line(number: number): string {
  return `{"resourceType":"Basic","id":"b${String(number).padStart(9, "0")}","code":{"text":"${"x".repeat(90)}"}}\n`;
}

describe("a file that changes or goes away", () => {
  let place: Workplace;
  let database: TestDatabase;
  let server: StokerRun;
  let path: string;
  let number = 0;

  beforeAll(async () => {
    place = await openWorkplace();
    database = await createTestDatabase();
    server = await place.serve({ STOKER_DATABASE_URL: databaseUrl(database.connection) });
  });

  afterAll(async () => {
    await place?.close();
    await database?.drop();
  });

  beforeEach(async () => {
    number += 1;
    path = join(place.files, `${String(number)}.ndjson`);
    const from = number * LINES;
    await writeFile(path, Array.from({ length: LINES }, (_, index) => line(from + index)).join(""));
  });

  afterEach(async () => {
    await rm(path, { force: true, recursive: true });
  });

  const VANISHED = "Input file deleted, renamed, or moved during job. Import processing operation failed.";
  const CHANGED = "Input file Etag not match. {url}";
  test.each<[string, string, () => Promise<void>]>([
    ["deleted", VANISHED, () => rm(path)],
    ["moved", VANISHED, () => rename(path, `${path}.old`)],
    ["truncated", CHANGED, () => truncate(path, 1_000_000)],
    ["appended to", CHANGED, () => appendFile(path, line(1))],
    [
      "replaced",
      CHANGED,
      async () => {
        await writeFile(`${path}.new`, line(1));
        await rename(`${path}.new`, path);
      },
    ],
    [
      "replaced by a folder",
      VANISHED,
      async () => {
        await rm(path);
        await mkdir(path);
      },
    ],
    [
      "replaced by a link that leaves the root",
      "Due to unauthorized request, import processing operation failed.",
      async () => {
        await rm(path);
        await symlink("/etc/passwd", path);
      },
    ],
  ])("7.1: %s during the import", async (_, text, change) => {
    // Units wait until the change is made: a lock on their table holds their claims up.
    const url = pathToFileURL(path).href;
    const job = await withSession(database.connection, async (client) => {
      const job = await startImport(server, [path], { unitBytes: UNIT_BYTES });
      const id = job.split("/").at(-1);
      await until(
        async () => (await client.query("select from import_unit where job = $1 and position > 0", [id])).rowCount,
        (count) => (count ?? 0) > 0,
      );
      await client.query("begin");
      await client.query("lock table import_unit in exclusive mode");
      await change();
      await client.query("commit");
      return job;
    });
    const { status, body } = await ended(server, job);
    const diagnostics = `import operation failed for reason: ${text.replace("{url}", url)} ErrorFile: ${url}`;
    expect([status, body.issue?.[0]?.diagnostics]).toEqual([400, diagnostics]);
    const { rows } = await database.pool.query<{ counted: number; stored: number; running: number }>(
      `select sum(loaded)::int as counted, count(*) filter (where state in (0, 1))::int as running,
         (select count(*)::int from resource_current where import_job = $1) as stored
       from import_unit where job = $1`,
      [job.split("/").at(-1)],
    );
    expect(rows[0]?.running).toBe(0);
    expect(rows[0]?.stored, "what was committed stays").toBeGreaterThan(0);
    expect(rows[0]?.stored).toBe(rows[0]?.counted);
    expect(rows[0]?.stored).toBeLessThan(LINES);
    const read = await fetch(`${server.base}/Basic?_total=accurate&_count=0`);
    expect(((await read.json()) as { total: number }).total).toBeGreaterThanOrEqual(rows[0]?.stored ?? 0);
  });

  test("7.1: missing at the start", async () => {
    const missing = join(place.files, "missing.ndjson");
    const { status, body } = await ended(server, await startImport(server, [path, missing]));
    expect([status, body.issue?.[0]?.diagnostics]).toEqual([
      404,
      `import operation failed for reason: The specified file does not exist. ${pathToFileURL(missing).href}`,
    ]);
  });

  test.each([
    ["without contents", Buffer.alloc(0), 0, 0],
    ["of zero bytes", Buffer.alloc(100_000), 0, 1],
    ["of random bytes, one line", Buffer.from(Array.from({ length: 10_000 }, (_, i) => ((i * 7919) % 245) + 11)), 0, 1],
    ["of compressed data", Buffer.from("1f8b0800000000000003", "hex"), 0, 1],
    ["with a half line at its end", Buffer.from(line(1) + line(2).slice(0, 50)), 1, 1],
    ["with deeply nested JSON", Buffer.from(`${"[".repeat(1_000_000)}\n${line(3)}`), 1, 1],
    [
      "with a resource nested too deep",
      Buffer.from(
        `{"resourceType":"Basic","id":"deep","extension":${'[{"url":"u","extension":'.repeat(20_000)}[]${"}]".repeat(20_000)}}\n${line(4)}`,
      ),
      1,
      1,
    ],
    [
      "with a line of 20 MB",
      Buffer.from(
        `{"resourceType":"Binary","id":"long","contentType":"text/plain","data":"${"AAAA".repeat(5 << 20)}"}\n${line(5)}`,
      ),
      2,
      0,
    ],
  ] as const)("a file %s costs its wrong lines only", async (_, content, loaded, rejected) => {
    await writeFile(path, content);
    const { status, body } = await ended(server, await startImport(server, [path]));
    expect([status, body.stoker?.loaded, body.stoker?.rejected], server.said()).toEqual([200, loaded, rejected]);
  });

  test("a file in UTF-16 fails the import with one sentence", async () => {
    await writeFile(path, Buffer.from(`\ufeff${line(1)}`, "utf16le"));
    const { status, body } = await ended(server, await startImport(server, [path]));
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain("Input file is encoded as UTF-16LE; only UTF-8 is read.");
  });
});
