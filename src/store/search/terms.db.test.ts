import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Terms } from "./terms.ts";
import { createTestDatabase, type TestDatabase } from "../../postgres/testing/test-database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(() => database.pool.query("truncate search_dictionary"));

async function stored(): Promise<string[]> {
  const { rows } = await database.pool.query<{ row: string }>(
    "select concat_ws(' ', parameter, value, folded) as row from search_dictionary order by parameter, value",
  );
  return rows.map(({ row }) => row);
}

async function store(terms: Terms): Promise<void> {
  const client = await database.pool.connect();
  try {
    await terms.store(client);
  } finally {
    client.release();
  }
}

describe("Terms", () => {
  it("stores each term once, whoever else stores it", async () => {
    const terms = new Terms();
    terms.add(7, 0, 5, 'a "text", with {signs} and \\');
    terms.add(7, -1, -2, "other");
    terms.add(7, 0, 5, 'a "text", with {signs} and \\');
    await store(terms);
    const another = new Terms();
    another.add(7, 0, 5, "not stored again");
    another.add(3, 0, 6, "x");
    await store(another);
    expect(await stored()).toEqual(["3 6 x", "7 -2 other", '7 5 a "text", with {signs} and \\']);
  });

  it("does not store again what it has stored", async () => {
    const terms = new Terms();
    terms.add(1, 0, 1, "a");
    await store(terms);
    await database.pool.query("truncate search_dictionary");
    terms.add(1, 0, 1, "a");
    terms.add(1, 0, 2, "b");
    await store(terms);
    expect(await stored()).toEqual(["1 2 b"]);
  });

  it("takes for stored only what is: not what a batch left behind, nor what failed", async () => {
    const terms = new Terms();
    terms.add(1, 0, 1, "a");
    terms.clear();
    await store(terms);
    expect(await stored()).toEqual([]);
    terms.add(1, 0, 1, "a");
    const client = await database.pool.connect();
    await client.query("set default_transaction_read_only = on");
    await expect(terms.store(client)).rejects.toThrow("read-only");
    client.release(true);
    await store(terms);
    expect(await stored()).toEqual(["1 1 a"]);
  });

  it("stores many", async () => {
    const terms = new Terms();
    for (let index = 0; index < 12_345; index++) terms.add(1, 0, index, `text ${index}`);
    await store(terms);
    expect(await stored()).toHaveLength(12_345);
  });
});
