import fc from "fast-check";
import type { PoolClient } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLogger } from "../src/base/logger.ts";
import { openBatchImport, patient } from "../src/import/testing/batch-import.ts";
import { openWriteServer, type WriteServer } from "../src/http/testing/write-server.ts";
import { openSearchServer, type SearchServer } from "../src/search/testing/search-server.ts";
import { isMergeDue, mergeSegments, type MergeOutcome } from "../src/store/segments/merge-segments.ts";
import { startMerging } from "../src/store/segments/merging.ts";
import { publishSearchRows, withClient } from "../src/store/segments/publish.ts";
import { beginSnapshot } from "../src/store/segments/snapshot.ts";
import { loosePieces } from "./support/fingerprints.ts";

const FAMILIES = ["Adams", "Brown", "Clark", "Davis"] as const;
const NOTHING_LOOSE = { rows: 0, heads: 0, bodies: 0, stale: 0, unpublished: 0 };

/** Resources by id, as they were written: the family of a Patient, undefined when it was deleted. */
type Lines = Readonly<Record<string, string | undefined>>;

let server: SearchServer;
/** The API over the same database: its writes are those of production, with all their locks. */
let api: WriteServer;
const stored = new Map<string, string | undefined>();
beforeAll(async () => {
  server = await openSearchServer();
  api = await openWriteServer({ database: server.database });
});
afterAll(async () => {
  await api.close();
  await server.close();
});

/** Writes a Patient through the API. A write that waits too long for a lock is answered with 503. */
async function put(id: string, family: string): Promise<void> {
  const { status } = await api.send("PUT", `/Patient/${id}`, { resourceType: "Patient", id, name: [{ family }] });
  expect([200, 201]).toContain(status);
  stored.set(id, family);
}

/** Writes by the import's own writer; with `live` false to a bulk segment, which is then full. */
async function write(lines: Lines, live: boolean): Promise<void> {
  const writer = await openBatchImport(server.database, { live });
  try {
    await writer.commit(
      Object.entries(lines).map(([id, family]) => patient(id, family === undefined ? "bare!" : `bare=${family}`)),
    );
  } finally {
    writer.close();
  }
  if (!live) await publishSearchRows(server.database.pool);
  for (const [id, family] of Object.entries(lines)) stored.set(id, family);
}

/** Four segments of their own, so that there is something to merge. */
async function writeFour(name: string): Promise<void> {
  for (const [number, family] of FAMILIES.entries()) {
    await write({ [`${name}-${number}`]: family, [`${name}-both-${number}`]: family }, false);
  }
}

/** Writes until there is something to merge: that depends on what earlier merges left. */
async function writeUntilDue(name: string): Promise<void> {
  do await writeFour(name);
  while (!(await withClient(server.database.pool, undefined, isMergeDue)));
}

/** Merges; before the first statement that begins with `text`, `meanwhile` is awaited. */
async function merge(text?: string, meanwhile?: (client: PoolClient) => Promise<unknown>): Promise<MergeOutcome> {
  const client = await server.database.pool.connect();
  // A connection that is ended from outside tells its listeners, too.
  client.on("error", () => {});
  const query = client.query.bind(client) as (...words: unknown[]) => Promise<unknown>;
  let isWaiting = meanwhile !== undefined;
  client.query = (async (...words: unknown[]) => {
    if (isWaiting && typeof words[0] === "string" && words[0].startsWith(text ?? "")) {
      isWaiting = false;
      await meanwhile?.(client);
    }
    return await query(...words);
  }) as typeof client.query;
  try {
    return await mergeSegments(client);
  } finally {
    client.release(true);
    if (meanwhile !== undefined) expect(isWaiting).toBe(false);
  }
}

async function expectStored(): Promise<void> {
  for (const family of FAMILIES) {
    const found = await server.ids(`/Patient?family=${family}&_count=1000`);
    expect(found).toEqual(
      [...stored]
        .filter(([, each]) => each === family)
        .map(([id]) => id)
        .toSorted(),
    );
  }
  expect(await loosePieces(server.database.connection)).toEqual(NOTHING_LOOSE);
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

/** What becomes of a connection when its process is killed. */
async function endConnection(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  await server.database.pool.query("select pg_terminate_backend($1, 10000)", [rows[0]?.pid]);
}

/** Tables and triggers of merges, without those in use. */
async function leftBehind(): Promise<string[]> {
  const { rows } = await server.database.pool.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relname ~ '_merged_' and not relispartition
     union all select 'trigger' from pg_trigger where tgname = 'segment_merge'
     union all select 'merge' from segment_merge union all select 'change' from segment_merge_change`,
  );
  return rows.map(({ name }) => name);
}

async function partitions(): Promise<number> {
  const { rows } = await server.database.pool.query<{ count: number }>(
    "select count(*)::int as count from pg_inherits where inhparent = 'search_resource'::regclass",
  );
  return rows[0]?.count ?? 0;
}

describe("segments that are merged", { timeout: 120_000 }, () => {
  it("are one partition afterwards, in which every search finds the same, and writers find what they replace", async () => {
    await write({ live: "Adams" }, true);
    await writeFour("a");
    const before = await partitions();
    expect(await merge()).toBe("merged");
    expect(await partitions()).toBe(before - 3);
    await expectStored();
    await write({ "a-0": "Davis", "a-1": undefined, "a-both-2": "Davis" }, true);
    await expectStored();
    expect(await merge()).toBe("nothing");
    expect(await leftBehind()).toEqual([]);
  });

  it.each(["begin; set local maintenance", "create index", "vacuum", "begin; set local lock_timeout = '3s'"])(
    "have the changes that come before %s",
    async (text) => {
      await writeFour("b");
      const lines = { "b-0": "Clark", "b-1": undefined, "b-both-3": "Adams", "b-new": "Adams" };
      expect(await merge(text, () => write(lines, true))).toBe("merged");
      await expectStored();
      expect(await leftBehind()).toEqual([]);
    },
  );

  it.each([
    "begin; set local maintenance",
    "create index",
    "vacuum",
    "begin; set local lock_timeout = '3s'",
    "select pg_advisory_unlock",
  ])("keep no write of the API waiting: it is done while the merge stands before %s", async (text) => {
    await writeUntilDue("w");
    expect(await merge(text, () => put("w-0", "Clark"))).toBe("merged");
    await expectStored();
  });

  it("keep writes of the API waiting only briefly while a long search keeps the exchange waiting", async () => {
    await writeUntilDue("v");
    const reader = await server.database.pool.connect();
    await reader.query(beginSnapshot(30_000));
    await reader.query("select from search_resource limit 1");
    let isMerged = false;
    const merging = merge().finally(() => {
      isMerged = true;
    });
    // The exchange tries again and again meanwhile; each try may hold a write up for one second at the most.
    for (let number = 0; number < 40; number++) {
      await put(`v-${number}`, FAMILIES[number % FAMILIES.length] ?? "Adams");
      await pause();
    }
    expect(isMerged).toBe(false);
    await reader.query("commit");
    reader.release();
    expect(await merging).toBe("merged");
    await expectStored();
  });

  it("are seen by a search that began before the exchange as they were when it began", async () => {
    await writeFour("c");
    const reader = await server.database.pool.connect();
    const rowsOf = async (table: string): Promise<unknown[]> => {
      const text = `select key::text, segment, stamp from ${table} where segment is not null order by 1, 2, 3`;
      return (await reader.query(text)).rows;
    };
    let isMerged = false;
    const begin = async (): Promise<void> => {
      // In the copy, this change comes after the snapshot.
      await write({ "c-0": "Davis", "c-1": undefined }, true);
      await reader.query(beginSnapshot(30_000));
      await reader.query("select from stale_row");
    };
    let merging: Promise<void> | undefined;
    await new Promise<void>((resolve, reject) => {
      merging = merge("vacuum", () => begin().then(resolve))
        .then((outcome) => {
          expect(outcome).toBe("merged");
          isMerged = true;
        })
        .catch(reject);
    });
    const heads = await rowsOf("resource_current");
    // Time for the merge to do what it must not. The reader has no lock yet but the one it began with.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(isMerged).toBe(false);
    expect(await rowsOf("search_resource")).toEqual(heads);
    await reader.query("commit");
    reader.release();
    await merging;
    expect(isMerged).toBe(true);
    await expectStored();
  });

  it.each([
    "begin; set local maintenance",
    "alter table search_date_merged",
    "vacuum",
    "begin; set local lock_timeout = '3s'",
    "drop table search",
    "delete from segment_merge where",
  ])("are as before when the process is killed before %s, and merged by the next", async (text) => {
    await writeFour("d");
    await expect(merge(text, endConnection)).rejects.toThrow();
    await expectStored();
    await write({ "d-0": "Brown", "d-1": undefined }, true);
    await expectStored();
    expect(await merge()).toBe("merged");
    await expectStored();
    expect(await leftBehind()).toEqual([]);
  });

  it("lack nothing and double nothing in any search while they are exchanged", async () => {
    const done = new AbortController();
    const reading = async (family: string): Promise<number> => {
      const expected = await server.ids(`/Patient?family=${family}&_count=1000`);
      let searches = 0;
      for (; !done.signal.aborted; searches++) {
        expect(await server.ids(`/Patient?family=${family}&_count=1000`)).toEqual(expected);
      }
      return searches;
    };
    await writeFour("f");
    const readers = FAMILIES.map(reading);
    try {
      // The partitions of one merge are the first of the next.
      for (let round = 0; round < 3; round++) {
        for (let number = 0; number < 4; number++) await write({ [`f-${round}-${number}`]: "Other" }, false);
        while ((await merge()) === "busy");
      }
    } finally {
      done.abort();
      for (const searches of await Promise.all(readers)) expect(searches).toBeGreaterThan(0);
    }
    await expectStored();
  });

  it("are left as they are while they do not fit on the disk a second time", async () => {
    await writeFour("g");
    const client = await server.database.pool.connect();
    try {
      expect(await mergeSegments(client, { freeBytes: () => Promise.resolve(1e6) })).toBe("busy");
      expect(await mergeSegments(client, { freeBytes: () => Promise.resolve(1e9) })).toBe("merged");
    } finally {
      client.release();
    }
    await expectStored();
  });

  it("are merged in the background, but not while an import is at work", async () => {
    await writeFour("h");
    const before = await partitions();
    const imports = { looks: 0, areAtWork: true };
    const merging = startMerging({
      database: server.database.pool,
      logger: openLogger("silent", "test"),
      isBusy: () => {
        imports.looks++;
        return Promise.resolve(imports.areAtWork);
      },
      interval: 10,
    });
    try {
      while (imports.looks < 10) await pause();
      expect(await partitions()).toBe(before);
      imports.areAtWork = false;
      while ((await partitions()) === before) await pause();
      await expectStored();
    } finally {
      await merging.close();
    }
    expect(await leftBehind()).toEqual([]);
  });

  it("are merged by one process at a time", async () => {
    await writeFour("e");
    expect(await merge("vacuum", async () => expect(await merge()).toBe("nothing"))).toBe("merged");
  });

  it("are the same store after any writes, imports and merges", async () => {
    const lines = fc.dictionary(
      fc.constantFrom("p1", "p2", "p3", "p4", "p5", "a-0", "d-2"),
      fc.option(fc.constantFrom(...FAMILIES), { nil: undefined }),
      {
        minKeys: 1,
      },
    );
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("bulk"), lines }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("live"), lines }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("merge"), lines }) },
    );
    const property = fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
      for (const { kind, lines } of steps) {
        if (kind === "merge") {
          let isChanged = false;
          const change = async (): Promise<void> => {
            isChanged = true;
            await write(lines, true);
          };
          await merge("vacuum", change).catch((error: unknown) => {
            if (isChanged) throw error;
          });
        } else {
          await write(lines, kind === "live");
        }
      }
      await expectStored();
    });
    await fc.assert(property, { numRuns: 6, endOnFailure: true });
  });
});
