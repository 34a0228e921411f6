import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PoolClient } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { databaseUrl } from "../../src/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../../src/postgres/testing/test-database.ts";
import { openAzurite, type Azurite } from "../support/azurite.ts";
import { exportedLines, exportOutcome, kickOff, namesOf, runExport } from "../support/exports.ts";
import { openWorkplace, type StokerRun, type Workplace } from "../support/stoker-run.ts";

let place: Workplace;
let database: TestDatabase;

beforeAll(async () => {
  [place, database] = await Promise.all([openWorkplace(), createTestDatabase()]);
});
afterAll(async () => {
  await place?.close();
  await database?.drop();
});

async function serve(settings: Record<string, string> = {}): Promise<StokerRun> {
  return await place.serve({ STOKER_DATABASE_URL: databaseUrl(database.connection), ...settings });
}

async function writePatients(server: StokerRun): Promise<void> {
  for (const id of ["a", "b"]) {
    const response = await fetch(`${server.base}/Patient/${id}`, {
      method: "PUT",
      headers: { "content-type": "application/fhir+json" },
      body: JSON.stringify({ resourceType: "Patient", id }),
    });
    if (!response.ok) throw new Error(await response.text());
  }
}

/** Waits until a query finds something. */
async function until(text: string): Promise<void> {
  for (;;) {
    const { rows } = await database.pool.query(text);
    if (rows.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Keeps exports from going on until `work` has ended: the runner waits for the lock. */
async function withStoppedExports(work: (client: PoolClient) => Promise<void>): Promise<void> {
  const client = await database.pool.connect();
  try {
    await client.query("begin; lock table body_block in access exclusive mode");
    await work(client);
  } finally {
    await client.query("rollback");
    client.release();
  }
}

/** The runner has its folder and its snapshot. */
const WAITS = "select from pg_locks where relation = 'body_block'::regclass and not granted";

describe("an export", () => {
  test("whose server is killed goes on when another takes it over, and leaves nothing behind", async () => {
    let server = await serve();
    await writePatients(server);
    const folders = join(place.data, "exports");
    let killed = "";
    await withStoppedExports(async () => {
      const response = await kickOff(server.base, "$export?_type=Patient");
      killed = (response.headers.get("content-location") ?? "").slice(server.base.length);
      await until(WAITS);
      await server.end("SIGKILL");
    });
    const id = killed.slice(killed.lastIndexOf("/") + 1);
    const begun = (await readdir(folders)).filter((name) => name.startsWith(`${id}-`));
    expect(begun).toHaveLength(1);
    // As if its time had passed
    await database.pool.query("update export_job set lease_until = clock_timestamp() where state = 0");
    await database.pool.query("update export_folder set lease_until = clock_timestamp() where lease_until is not null");

    server = await serve();
    const done = await exportOutcome(server.base + killed);
    expect(namesOf(await exportedLines(done)).toSorted()).toEqual(["Patient/a", "Patient/b"]);
    await until(`select where (select count(*) from export_folder where job = ${id}) = 1`);
    const left = (await readdir(folders)).filter((name) => name.startsWith(`${id}-`));
    expect(left).toHaveLength(1);
    expect(left).not.toEqual(begun);
    await server.end("SIGTERM");
  });

  test("that is deleted while it runs ends, and its folder goes", async () => {
    const server = await serve();
    await withStoppedExports(async () => {
      const response = await kickOff(server.base, "$export?_type=Patient");
      const location = response.headers.get("content-location") ?? "";
      await until(WAITS);
      expect((await fetch(location, { method: "DELETE" })).status).toBe(202);
      expect((await fetch(location)).status).toBe(404);
      const id = location.slice(location.lastIndexOf("/") + 1);
      // Although what it waits for has not come
      await until(`select where not exists (select from export_folder where job = ${id})`);
      expect((await readdir(join(place.data, "exports"))).filter((name) => name.startsWith(`${id}-`))).toEqual([]);
    });
    // The next one is not held up by it
    expect((await runExport(server.base, "$export?_type=Patient")).status).toBe(200);
    await server.end("SIGTERM");
  });

  test("is put back when its server is stopped, and goes on after the next start", async () => {
    let server = await serve();
    let path = "";
    await withStoppedExports(async () => {
      const response = await kickOff(server.base, "$export?_type=Patient");
      path = (response.headers.get("content-location") ?? "").slice(server.base.length);
      await until(WAITS);
      expect(await server.end("SIGTERM")).toBe(0);
    });
    server = await serve();
    expect((await exportOutcome(server.base + path)).status).toBe(200);
    await server.end("SIGTERM");
  });
});

describe("with a storage account", () => {
  let azurite: Azurite;
  beforeAll(async () => {
    azurite = await openAzurite();
  });
  afterAll(async () => {
    await azurite?.close();
  });

  test("an export is written there, and removed from there", async () => {
    const server = await serve({ STOKER_AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString });
    await writePatients(server);
    for (const [query, container] of [
      ["", "fhirexport"],
      ["?_container=mine", "mine"],
    ] as const) {
      const done = await runExport(server.base, `$export${query}`);
      const { url, count } = done.body.output[0] as { url: string; count: number };
      expect(count).toBe(2);
      const name = url.slice(`${azurite.blobEndpoint}/${container}/`.length);
      expect(name).toMatch(/^\d+-1-[0-9a-f]{12}\/Patient-1\.ndjson$/);
      const text = (await azurite.download(container, name)).toString();
      expect(namesOf(text.trimEnd().split("\n")).toSorted()).toEqual(["Patient/a", "Patient/b"]);
      const redirected = await fetch(`${done.location}/Patient-1.ndjson`, { redirect: "manual" });
      expect([redirected.status, redirected.headers.get("location")]).toEqual([302, url]);
      expect((await fetch(done.location, { method: "DELETE" })).status).toBe(202);
      while ((await azurite.list(container))?.length !== 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect((await kickOff(server.base, "$export?_container=a--b")).status).toBe(400);
    await server.end("SIGTERM");
  });
});
