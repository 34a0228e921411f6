import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PoolClient } from "pg";
import type { Queryable } from "../../postgres/pool.ts";
import { beginSnapshot } from "../../store/segments/snapshot.ts";
import { createTestDatabase, type TestDatabase } from "../../postgres/testing/test-database.ts";
import { withDeadline } from "./deadline.ts";

const TIMEOUT = 30_000;

let database: TestDatabase;
let client: PoolClient;
beforeAll(async () => {
  database = await createTestDatabase();
  client = await database.pool.connect();
});
afterAll(async () => {
  client.release();
  await database.drop();
});

/** Runs `work` with a clock that only it sets. */
async function timed(work: (db: Queryable, clock: { now: number }) => Promise<void>): Promise<void> {
  const clock = { now: 1_000_000 };
  await client.query(beginSnapshot(TIMEOUT));
  try {
    const deadline = { timeout: TIMEOUT, text: "Too long.", now: () => clock.now };
    await withDeadline(client, deadline, (db) => work(db, clock));
  } finally {
    await client.query("rollback");
  }
}

async function given(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ given: number }>({
    text: "select setting::int as given from pg_settings where name = 'statement_timeout'",
  });
  return rows[0]?.given ?? 0;
}

describe("withDeadline", () => {
  it("gives a statement what those before it have left", async () => {
    await timed(async (db, clock) => {
      expect(await given(db)).toBe(TIMEOUT);
      clock.now += 10_000;
      expect(await given(db)).toBe(20_000);
      clock.now += 15_000;
      expect(await given(db)).toBe(5000);
    });
  });

  it("asks the database nothing more in a read that is quick", async () => {
    const texts: unknown[] = [];
    const counted = Object.assign(Object.create(client) as PoolClient, {
      query: (query: { text: string }) => (texts.push(query.text), client.query(query)),
    });
    await withDeadline(counted, { timeout: TIMEOUT, text: "", now: () => 5 }, async (db) => {
      for (let count = 0; count < 20; count++) await db.query({ text: "select 1" });
    });
    expect(texts).toEqual(Array<string>(20).fill("select 1"));
  });

  it("ends a read of many statements, however short each is", async () => {
    let count = 0;
    const read = timed(async (db, clock) => {
      for (;;) {
        await db.query({ text: "select 1" });
        count++;
        clock.now += 1000;
      }
    });
    await expect(read).rejects.toMatchObject({ code: "too-costly", status: 408, message: "Too long." });
    expect(count).toBe(30);
  });

  it("ends a statement that is given too little", async () => {
    const read = timed(async (db, clock) => {
      clock.now += TIMEOUT - 20;
      await db.query({ text: "select pg_sleep(600)" });
    });
    await expect(read).rejects.toMatchObject({ code: "too-costly", status: 408 });
  });

  it("passes other errors on", async () => {
    const read = timed(async (db) => {
      await db.query({ text: "select 1 / 0" });
    });
    await expect(read).rejects.toMatchObject({ code: "22012" });
  });

  it("leaves nothing behind on the connection", async () => {
    await timed(async (db, clock) => {
      clock.now += 10_000;
      await given(db);
    });
    expect(await given(client)).toBe(0);
  });
});
