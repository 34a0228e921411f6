import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLogger } from "../base/logger.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { resourceKeyOf } from "../fhir/resource-key.ts";
import { openWriteServer, type Answer, type Json, type WriteServer } from "../http/testing/write-server.ts";
import { claimUnit } from "../import/work/unit-lease.ts";
import { UnitRunner } from "../import/work/unit-runner.ts";
import { createDefinitionIndexer, createIndexer } from "../index/indexer.ts";
import type { Sources } from "../source/sources.ts";
import { BlockCache } from "../store/resources/body.ts";
import { clientConfig } from "../postgres/connection.ts";
import { openDatabase } from "../postgres/pool.ts";
import { holdStatement, readDefinitions } from "../store/search/search-parameters.ts";
import { loadVersions } from "../store/testing/load-resources.ts";
import { claimReindex, reindexStatus, requestReindex } from "./jobs.ts";
import { readReindexPage } from "./read-page.ts";
import { LeaseLost } from "../jobs/lease.ts";
import { runReindex } from "./run-reindex.ts";
import { addSearchValues } from "./write-page.ts";

const COLOR = "http://example.org/color";
const SEARCH_PARAMETER = {
  resourceType: "SearchParameter",
  id: "color",
  url: "http://example.org/SearchParameter/color",
  name: "color",
  status: "active",
  description: "The favourite color",
  code: "color",
  base: ["Patient"],
  type: "string",
  expression: `Patient.extension('${COLOR}').value.ofType(string)`,
};
const NEVER = new AbortController().signal;
const TESTS_TIMEOUT = 30_000;

let server: WriteServer;
beforeEach(async () => {
  server = await openWriteServer();
});
afterEach(() => server.close());

function patient(id: string, color = "red"): Json {
  return { resourceType: "Patient", id, extension: [{ url: COLOR, valueString: color }] };
}

async function define(fields: Json = {}): Promise<Answer> {
  const resource = { ...SEARCH_PARAMETER, ...fields };
  return await server.send("PUT", `/SearchParameter/${resource.id}`, resource);
}

async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + TESTS_TIMEOUT;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error("it did not come to that");
    await sleep(10);
  }
}

/** Loads patients with plain SQL, as if they had been there before. */
async function load(ids: readonly string[], live: boolean): Promise<void> {
  const indexer = createIndexer();
  await loadVersions(
    server.database.pool,
    (resource, sink) => indexer.index(resourceTypeId(resource["resourceType"] as string) ?? 0, resource, sink),
    ids.map((id) => ({ resource: patient(id) })),
    live,
  );
}

/** By hand, without the server's own reindexer. */
async function claim(): Promise<NonNullable<Awaited<ReturnType<typeof claimReindex>>>> {
  const { pool } = server.database;
  await requestReindex(pool);
  const job = await claimReindex(pool);
  if (job === undefined) throw new Error("the job is another's");
  return job;
}

async function rowsOf(id: string): Promise<number> {
  const { rows } = await server.database.pool.query<{ rows: number }>(
    "select count(*)::int as rows from search_string where key = $1 and parameter > 10000",
    [resourceKeyOf("Patient", id)],
  );
  return rows[0]?.rows ?? 0;
}

describe("a definition", () => {
  it("waits for those who write without knowing it, and others wait for it no longer than that", async () => {
    const writer = new pg.Client(clientConfig(server.database.connection, { applicationName: "test" }));
    await writer.connect();
    try {
      await writer.query(`begin; ${holdStatement(0)}`);
      let isDefined = false;
      const defining = define().then((answer) => {
        isDefined = true;
        return answer;
      });
      const waiting = `select from pg_locks where locktype = 'advisory' and classid = 356379 and not granted
        and database = (select oid from pg_database where datname = current_database())`;
      await waitUntil(async () => (await server.database.pool.query(waiting)).rowCount === 1);
      expect(isDefined).toBe(false);
      await writer.query("commit");
      expect((await defining).status).toBe(201);
      await expect(writer.query(`begin; ${holdStatement(0)}`)).rejects.toMatchObject({ code: "SP001" });
      await writer.query(`rollback; begin; ${holdStatement(1)}; rollback`);
    } finally {
      await writer.end();
    }
  });

  it("is known to writers and searches of other servers at once", async () => {
    const { connection } = server.database;
    const database = await openDatabase({
      connection,
      applicationName: "test 2",
      maxConnections: 4,
      logger: openLogger("silent", "test"),
    });
    const other = await openWriteServer({ database });
    try {
      await other.send("PUT", "/Patient/a", patient("a"));
      await define();
      // Fresh creates go to the database in one message with their commit; updates do not.
      const created = await other.send("POST", "/Patient", patient("x"));
      await other.send("PUT", "/Patient/c", patient("c"));
      expect([await rowsOf("a"), await rowsOf(created.body.id), await rowsOf("c")]).toEqual([0, 1, 1]);
      expect((await other.send("GET", "/Patient?color=red")).status).toBe(400);
      expect(await runReindex(server.database.pool, await claim(), NEVER)).toBe(true);
      const found = [created.body.id, "a", "c"].toSorted((a, b) => a.localeCompare(b, "en"));
      expect(await other.ids("/Patient?color=red")).toEqual(found);
      expect(await server.ids("/Patient?color=red")).toEqual(found);
      await define({ status: "retired" });
      const strict = { prefer: "handling=strict" };
      expect((await other.send("GET", "/Patient?color=red", undefined, strict)).status).toBe(400);
    } finally {
      await other.close();
      await database.close();
    }
  });

  it("that comes while an import is at work is in all of its batches", async () => {
    const { pool, connection } = server.database;
    const lines = ["a", "b", "c", "d"].map((id) => Buffer.from(`${JSON.stringify(patient(id))}\n`));
    const length = lines.reduce((sum, line) => sum + line.length, 0);
    const definition = { inputFormat: "", mode: "IncrementalLoad", allowNegativeVersions: false };
    await pool.query(
      `insert into import_job (id, definition_hash, definition, request_url, state, bytes) values (1, '\\x01', $1, '', 1, $2)`,
      [definition, 40 << 20],
    );
    await pool.query("insert into import_input (job, number, url, source_etag, length) values (1, 1, 'x:', 'e', $1)", [
      length,
    ]);
    await pool.query("insert into import_unit (job, input, start_offset, end_offset) values (1, 1, 0, $1)", [length]);
    const client = new pg.Client(clientConfig(connection, { applicationName: "test" }));
    await client.connect();
    try {
      const unit = await claimUnit(client);
      if (unit === undefined) throw new Error("no unit");
      const source = {
        async *read() {
          yield* lines.slice(0, 2);
          // Two lines are indexed, and not committed.
          expect((await define()).status).toBe(201);
          yield* lines.slice(2);
        },
      };
      const runner = new UnitRunner({
        client,
        sources: { sourceFor: () => source } as unknown as Sources,
        indexer: createIndexer(),
        room: undefined,
        report: () => {},
        segmentFull: () => {},
      });
      await runner.run(unit, NEVER);
    } finally {
      await client.end();
    }
    expect(await Promise.all(["a", "b", "c", "d"].map(rowsOf))).toEqual([1, 1, 1, 1]);
    const job = await claim();
    expect(await runReindex(pool, job, NEVER)).toBe(true);
    expect(await server.ids("/Patient?color=red")).toEqual(["a", "b", "c", "d"]);
    expect(await reindexStatus(pool, String(job.id))).toMatchObject({ resources: 4, changed: 0 });
  });
});

describe("$reindex", () => {
  it("indexes what is in segments that are still loading", async () => {
    await load(["a", "b"], false);
    await define();
    await runReindex(server.database.pool, await claim(), NEVER);
    expect(await server.ids("/Patient?color=red")).toEqual(["a", "b"]);
    expect(await server.ids("/Patient?color:missing=true")).toEqual([]);
  });

  it("goes on from where it broke off, and adds nothing twice", async () => {
    const { pool } = server.database;
    const ids = Array.from({ length: 1200 }, (_, number) => `p${number}`);
    await load(ids, true);
    await define();
    const job = await claim();
    await pool.query(
      `create function break_off() returns trigger language plpgsql as $$ begin raise 'broken off'; end $$`,
    );
    await pool.query(
      `create trigger break_off before update on reindex_job for each row when (new.resources > 900) execute function break_off()`,
    );
    await expect(runReindex(pool, job, NEVER)).rejects.toThrow("broken off");
    await pool.query("drop trigger break_off on reindex_job");
    expect(await reindexStatus(pool, String(job.id))).toMatchObject({ state: 0, resources: 500, changed: 500 });
    expect((await server.send("GET", "/Patient?color=red")).status).toBe(400);

    await pool.query("update reindex_job set lease_until = null");
    const again = await claimReindex(pool);
    if (again === undefined) throw new Error("the job is not there");
    // The one who had it before has no say any more.
    await expect(runReindex(pool, job, NEVER)).rejects.toThrow(LeaseLost);
    expect(await runReindex(pool, again, NEVER)).toBe(true);
    expect(await reindexStatus(pool, String(job.id))).toMatchObject({ state: 1, resources: 1200, changed: 1200 });
    const rows = await pool.query("select key from search_string where parameter > 10000");
    expect(rows.rowCount).toBe(1200);
    const counted = await server.send("GET", "/Patient?color=red&_summary=count");
    expect(counted.body.total).toBe(1200);
  });

  it("opens no more bodies at once than a page has bytes", async () => {
    const { pool } = server.database;
    await load(["a", "b"], true);
    await define();
    for (let number = 0; number < 20; number++) {
      await server.send("PUT", `/Patient/large-${number}`, {
        ...patient(`large-${number}`),
        name: [{ text: "x".repeat(900_000) }, { text: "y".repeat(900_000) }],
      });
    }
    const { parameters } = await readDefinitions(pool);
    const indexer = createDefinitionIndexer(parameters.map(({ trees }) => trees));
    const every = { first: -(1n << 63n), last: (1n << 63n) - 1n };
    const first = await readReindexPage(pool, new BlockCache(0), indexer, 1, every);
    expect(first.resources).toBeLessThanOrEqual(13);
    let resources = first.resources;
    for (let page = first; page.lastKey !== undefined; resources += page.resources) {
      page = await readReindexPage(pool, new BlockCache(0), indexer, 1, { ...every, first: page.lastKey + 1n });
    }
    expect(resources).toBe(23);
  });

  it("leaves alone what is written while it is at it", async () => {
    const { pool } = server.database;
    await load(["a", "b", "c"], true);
    await define();
    const { parameters } = await readDefinitions(pool);
    const id = parameters[0]?.id ?? 0;
    const indexer = createDefinitionIndexer(parameters.map(({ trees }) => trees));
    const page = await readReindexPage(pool, new BlockCache(0), indexer, 1, {
      first: -(1n << 63n),
      last: (1n << 63n) - 1n,
    });
    expect(page.found).toHaveLength(3);
    await server.send("PUT", "/Patient/a", patient("a", "green"));
    await server.send("DELETE", "/Patient/b");
    const client = await pool.connect();
    try {
      for (const changed of [1, 0]) {
        await client.query("begin");
        expect(await addSearchValues(client, [id], page.found)).toBe(changed);
        await client.query("commit");
      }
    } finally {
      client.release();
    }
    expect([await rowsOf("a"), await rowsOf("b"), await rowsOf("c")]).toEqual([1, 0, 1]);
  });

  it("takes what is defined meanwhile, when it is asked for once more", async () => {
    const { pool } = server.database;
    await load(["a"], true);
    await define();
    const job = await claim();
    await define({ id: "tone", code: "tone" });
    expect(await requestReindex(pool)).toBe(String(job.id));
    expect(await runReindex(pool, job, NEVER)).toBe(false);
    expect(await server.ids("/Patient?color=red")).toEqual(["a"]);
    expect((await server.send("GET", "/Patient?tone=red")).status).toBe(400);
    const next = await claimReindex(pool);
    if (next === undefined) throw new Error("the job has ended");
    expect(await runReindex(pool, next, NEVER)).toBe(true);
    expect(await server.ids("/Patient?tone=red")).toEqual(["a"]);
    expect((await reindexStatus(pool, String(job.id))).names).toEqual([
      "SearchParameter/color",
      "SearchParameter/tone",
    ]);
  });

  it("does not enable what was defined otherwise meanwhile", async () => {
    await load(["a"], true);
    await define();
    const job = await claim();
    await define({ expression: "Patient.name.given" });
    expect(await runReindex(server.database.pool, job, NEVER)).toBe(true);
    expect((await server.send("GET", "/Patient?color=red")).status).toBe(400);
  });

  it("that is cancelled enables nothing, and says so", async () => {
    await load(["a"], true);
    await define();
    const job = await claim();
    const path = `/_operations/reindex/${job.id}`;
    expect((await server.send("GET", path)).status).toBe(202);
    expect((await server.send("DELETE", path)).status).toBe(202);
    await expect(runReindex(server.database.pool, job, NEVER)).rejects.toThrow(LeaseLost);
    expect((await server.send("GET", path)).status).toBe(400);
    expect((await server.send("GET", "/Patient?color=red")).status).toBe(400);
  });
});
