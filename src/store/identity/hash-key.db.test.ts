import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TEST_HASH_KEY } from "../../../test/support/hash-key.ts";
import { openHashKey } from "./hash-key.ts";
import { createUnopenedStore, type TestDatabase } from "../../postgres/testing/test-database.ts";

let database: TestDatabase;

beforeEach(async () => {
  database = await createUnopenedStore();
});

afterEach(() => database.drop());

function drawTestKey(): Uint8Array {
  return TEST_HASH_KEY;
}

async function keys(db: TestDatabase): Promise<string[]> {
  const { rows } = await db.pool.query<{ key: Buffer }>("select key from hash_key");
  return rows.map(({ key }) => key.toString("hex"));
}

describe("the key of a store", () => {
  it("is drawn once, whoever comes first, and stays", async () => {
    await Promise.all([1, 2, 3, 4].map(() => openHashKey(database.pool, drawTestKey)));
    await openHashKey(database.pool);
    expect(await keys(database)).toEqual([Buffer.from(TEST_HASH_KEY).toString("hex")]);
  });

  it("is another one in each store", async () => {
    // This thread works for the store of the tests, and says so; a store of another key it refuses.
    const text = "This process has opened another store";
    await expect(openHashKey(database.pool)).rejects.toThrow(text);
    const other = await createUnopenedStore();
    try {
      const refusal = await openHashKey(other.pool).catch((error: unknown) => String(error));
      const [first] = await keys(database);
      const [second] = await keys(other);
      expect(first).toHaveLength(32);
      expect(second).not.toBe(first);
      expect(refusal).not.toContain(second);
    } finally {
      await other.drop();
    }
  });

  it("is missing where resources were stored before there were keys, which is refused in one line", async () => {
    await database.pool.query(
      `insert into resource_current (key, id, last_updated, deleted, block, block_offset, body_length, content_hash, import_job, origin)
       values (1, 'a', 0, false, 0, 0, 0, 0, 0, 0)`,
    );
    const refusal = await openHashKey(database.pool).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: "setting",
      message: expect.stringMatching(/^The database .* empty database\.$/),
    });
    expect(await keys(database)).toEqual([]);
  });
});
