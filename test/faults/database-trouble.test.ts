import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { databaseUrl } from "../../src/bench/databases.ts";
import { createTestDatabase, type TestDatabase } from "../../src/postgres/testing/test-database.ts";
import { withSession } from "../support/fingerprints.ts";
import { HISTORY_UNIT_BYTES, writeHistoryFiles, type HistoryFiles } from "../support/history-files.ts";
import { takeImage, undisturbedImage, type ImportImage } from "../support/import-image.ts";
import { openLimitedRole, type LimitedRole } from "../support/limited-role.ts";
import { openMoments } from "../support/moments.ts";
import { slowDownImports } from "../support/slow-import.ts";
import { ended, openWorkplace, startImport, until, type StokerRun, type Workplace } from "../support/stoker-run.ts";

const JSON_TYPE = { "content-type": "application/fhir+json" };
const CANCELLATIONS = 50;

describe("PostgreSQL refuses, cancels and deadlocks", { timeout: 180_000 }, () => {
  let place: Workplace;
  let input: HistoryFiles;
  let undisturbed: ImportImage;
  const undo: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    place = await openWorkplace();
    input = await writeHistoryFiles(place.files, { small: 60, big: 1, brokenLines: 0 });
    undisturbed = await undisturbedImage(place, input, HISTORY_UNIT_BYTES);
  });

  afterEach(async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  });

  afterAll(async () => {
    await place?.close();
  });

  async function serve(settings: Readonly<Record<string, string>>): Promise<StokerRun> {
    const server = await place.serve(settings);
    undo.push(() => server.end("SIGKILL"));
    return server;
  }

  async function openDatabase(): Promise<TestDatabase> {
    const database = await createTestDatabase();
    undo.push(() => database.drop());
    return database;
  }

  async function openRole(): Promise<LimitedRole> {
    const role = await openLimitedRole();
    undo.push(() => role.drop());
    return role;
  }

  test("53300, no connection left: 503 at once, and the import goes on when there are some again", async () => {
    const moments = openMoments();
    const role = await openRole();
    const server = await serve({ STOKER_DATABASE_URL: role.url });
    const slow = await slowDownImports(role.admin);
    const path = await startImport(server, input.paths, { unitBytes: HISTORY_UNIT_BYTES });
    for (const connections of [0, 2, 0]) {
      const before = await slow.progress();
      await slow.allow(before.begun + 4);
      await until(slow.progress, (now) => now.lines > before.lines);
      await sleep(moments.below(100));
      await role.limitConnections(connections);
      await role.endSessions();
      if (connections === 0) {
        await until(
          () => health(server),
          (status) => status === 503,
        );
        for (const [method, body] of [["GET"], ["PUT", '{"resourceType":"Patient","id":"x"}']] as const) {
          const response = await fetch(`${server.base}/Patient/x`, { method, headers: JSON_TYPE, body: body ?? null });
          const outcome = (await response.json()) as { issue: { code: string }[] };
          expect([method, response.status, outcome.issue[0]?.code]).toEqual([method, 503, "transient"]);
        }
        await expect(place.work({ STOKER_DATABASE_URL: role.url })).rejects.toThrow("too many connections");
      }
      await role.limitConnections(-1);
      await until(
        () => health(server),
        (status) => status === 200,
      );
    }
    await slow.release();
    expect(await takeImage(server, path, role.admin)).toEqual(undisturbed);
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("all connections of the server's pool are taken: requests wait, but not for ever, and the import goes on", async () => {
    const paths: string[] = [];
    for (let file = 0; file < 20; file++) {
      const path = join(place.files, `plain-${String(file)}.ndjson`);
      const line = (index: number): string =>
        `{"resourceType":"Basic","id":"plain-${String(file)}-${String(index)}"}\n`;
      await writeFile(path, Array.from({ length: 50 }, (_, index) => line(index)).join(""));
      paths.push(path);
    }
    const database = await openDatabase();
    const server = await serve({ STOKER_DATABASE_URL: databaseUrl(database.connection) });
    const other = await startImport(server, [join(place.files, "missing.ndjson")]);
    expect((await ended(server, other)).status).toBe(404);
    const slow = await slowDownImports(database.connection);
    const job = await startImport(server, paths);
    await slow.allow(1);
    await until(slow.progress, ({ lines }) => lines > 0);
    await withSession(database.connection, async (client) => {
      // Only who cancels the other import waits for this.
      await client.query("begin");
      await client.query("select from import_job where id = $1 for update", [other.split("/").at(-1)]);
      const stuck = Array.from(
        { length: 20 },
        async () => (await fetch(server.base + other, { method: "DELETE" })).status,
      );
      await until(
        () => waitingFor(database),
        (count) => count >= 15,
      );
      const refused = await fetch(`${server.base}/Basic?_count=1`);
      const outcome = (await refused.json()) as { resourceType: string };
      expect([refused.status, outcome.resourceType]).toEqual([503, "OperationOutcome"]);
      await slow.release();
      await until(slow.progress, ({ open }) => open === 0);
      await client.query("commit");
      expect(new Set(await Promise.all(stuck))).toEqual(new Set([409, 503]));
    });
    const { status, body } = await ended(server, job);
    expect([status, body.stoker?.loaded, body.stoker?.created], server.said()).toEqual([200, 1000, 1000]);
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("57014, statements are cancelled at random: the store is the same as without", async () => {
    const moments = openMoments();
    const role = await openRole();
    // For all its sessions; a batch takes longer.
    await role.set("statement_timeout", "20ms");
    const server = await serve({ STOKER_DATABASE_URL: role.url });
    const slow = await slowDownImports(role.admin);
    const path = await startImport(server, input.paths, { unitBytes: HISTORY_UNIT_BYTES });
    await until(slow.progress, ({ open }) => open > 0);
    let cancelled = 0;
    await withSession(role.admin, async (client) => {
      await until(
        async () => {
          // The import goes on as statements are cancelled, and cannot end before enough were.
          await slow.allow(2 + Math.floor(((input.paths.length - 3) * cancelled) / CANCELLATIONS));
          await sleep(moments.below(10));
          const { rows } = await client.query<{ pid: number }>(
            `select pid from pg_stat_activity
             where datname = current_database() and application_name like 'stoker%' and state = 'active'`,
          );
          if (rows.length === 0) return cancelled;
          const { rowCount } = await client.query("select where pg_cancel_backend($1)", [moments.oneOf(rows).pid]);
          cancelled += rowCount ?? 0;
          return cancelled;
        },
        (count) => count >= CANCELLATIONS,
      );
      await slow.release();
      for (let open = 1; open > 0; { open } = await slow.progress()) await slow.endLeases();
      // A step of the coordinator that was cancelled is tried again when its lease ends.
      await slow.endSteps();
    });
    expect(await takeImage(server, path, role.admin)).toEqual(undisturbed);
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("57014, API writes are cancelled at random: each is there as a whole or was refused", async () => {
    const moments = openMoments();
    const database = await openDatabase();
    const server = await serve({ STOKER_DATABASE_URL: databaseUrl(database.connection) });
    // Each step takes a while, so that something is there to cancel.
    await slowDownImports(database.connection);
    const ids = Array.from({ length: 8 }, (_, index) => `cancelled-${String(index)}`);
    let cancelled = 0;
    const isDone = (): boolean => cancelled >= CANCELLATIONS;
    const written = new Map<string, string[]>(ids.map((id) => [id, []]));
    const refused = new Set<number>();
    const writers = ids.map(async (id) => {
      for (let turn = 0; !isDone(); turn++) {
        const family = `${id}-${String(turn)}`;
        const body = JSON.stringify({ resourceType: "Patient", id, name: [{ family }] });
        const { status } = await fetch(`${server.base}/Patient/${id}`, { method: "PUT", headers: JSON_TYPE, body });
        if (status === 200 || status === 201) written.get(id)?.push(family);
        else refused.add(status);
      }
    });
    await withSession(database.connection, async (client) => {
      while (!isDone()) {
        await sleep(moments.below(10));
        const { rowCount } = await client.query(
          `select from (
             select pid from pg_stat_activity
             where datname = current_database() and application_name = 'stoker writer' and state = 'active'
             limit 1) as session where pg_cancel_backend(pid)`,
        );
        cancelled += rowCount ?? 0;
      }
    });
    await Promise.all(writers);
    for (const id of ids) expect(await historyOf(server, id), [...refused].join()).toEqual(written.get(id));
    expect([...refused].filter((status) => status !== 503)).toEqual([]);
    expect(await server.end("SIGTERM")).toBe(0);
  });

  test("40P01, deadlocks: who loses writes again, imports and API alike", async () => {
    const database = await openDatabase();
    await withSession(database.connection, async (client) => {
      const { rows } = await client.query<{ name: string }>("select current_database() as name");
      await client.query(`alter database ${rows[0]?.name ?? ""} set deadlock_timeout = '2s'`);
    });
    const server = await serve({ STOKER_DATABASE_URL: databaseUrl(database.connection) });
    const ids = ["dead", "lock"];
    const families: string[] = [];
    const patients = (family: string): object[] =>
      ids.map((id) => ({ resourceType: "Patient", id, name: [{ family }] }));
    const imports = async (family: string): Promise<void> => {
      const path = join(place.files, `${family}.ndjson`);
      await writeFile(
        path,
        patients(family)
          .map((one) => `${JSON.stringify(one)}\n`)
          .join(""),
      );
      const { status, body } = await ended(server, await startImport(server, [path]));
      const { loaded, created = 0, updated = 0 } = body.stoker ?? {};
      expect([status, loaded, created + updated], server.said()).toEqual([200, 2, 2]);
      families.push(family);
    };
    const puts = async (family: string): Promise<void> => {
      const entry = patients(family).map((resource, index) => ({
        resource,
        request: { method: "PUT", url: `Patient/${ids[index] ?? ""}` },
      }));
      const body = JSON.stringify({ resourceType: "Bundle", type: "transaction", entry });
      const answer = await fetch(server.base, { method: "POST", headers: JSON_TYPE, body });
      expect(answer.status).toBe(200);
      families.push(family);
    };
    await imports("first");
    let round = 0;
    for (const write of [imports, puts]) {
      for (let lost = 0; lost < 2; round++) {
        lost += await withDeadlock(() => write(`round-${String(round)}`));
        expect(round, "the other side never loses").toBeLessThan(20);
      }
    }
    for (const id of ids) expect(await historyOf(server, id)).toEqual(families);
    expect(await server.end("SIGTERM")).toBe(0);

    /** Writes while another session locks the heads the other way round; 1 when the writer was the one to lose. */
    async function withDeadlock(write: () => Promise<void>): Promise<number> {
      return await withSession(database.connection, async (client) => {
        // The server's sessions look for deadlocks sooner, and then they are those that lose.
        await client.query("set deadlock_timeout = '6s'");
        await client.query("begin");
        const { rows } = await client.query<{ key: bigint }>("select key from resource_current order by key");
        await client.query("select from resource_current where key = $1 for update", [rows.at(-1)?.key]);
        const writing = write();
        let lost = 0;
        try {
          await until(
            () => waitingFor(database),
            (count) => count > 0,
          );
          await client.query("select from resource_current where key = $1 for update", [rows[0]?.key]);
          lost = 1;
        } catch (error) {
          expect((error as { code?: string }).code).toBe("40P01");
        } finally {
          await client.query("rollback");
        }
        await writing;
        return lost;
      });
    }
  });
});

/** Sessions that wait for a lock. Not asked within a transaction: there the answer stays what it was. */
async function waitingFor({ pool }: TestDatabase): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    "select count(*)::int as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rows[0]?.count ?? 0;
}

async function health(server: StokerRun): Promise<number> {
  return (await fetch(new URL("/health/ready", server.base))).status;
}

/** Families of all versions, oldest first; the version numbers must be 1, 2, 3 … */
async function historyOf(server: StokerRun, id: string): Promise<string[]> {
  interface History {
    readonly entry: readonly {
      readonly resource: {
        readonly meta: { readonly versionId: string };
        readonly name: readonly { readonly family: string }[];
      };
    }[];
  }
  const response = await fetch(`${server.base}/Patient/${id}/_history?_count=1000`);
  const { entry } = (await response.json()) as History;
  const versions = entry.map(({ resource }) => resource).toReversed();
  expect(versions.map(({ meta }) => Number(meta.versionId))).toEqual(versions.map((_, index) => index + 1));
  return versions.map(({ name }) => name[0]?.family ?? "");
}
