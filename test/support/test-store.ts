import { openLogger } from "../../src/base/logger.ts";
import type { DatabaseConnection } from "../../src/postgres/connection.ts";
import { openHashKey } from "../../src/store/identity/hash-key.ts";
import { migrate } from "../../src/postgres/migrate.ts";
import { openDatabase } from "../../src/postgres/pool.ts";
import { TEST_HASH_KEY } from "./hash-key.ts";

/** Makes a store of an empty database, with the key of tests: stores of one key have the same rows in the same order. */
export async function makeTestStore(connection: DatabaseConnection): Promise<void> {
  const database = await openDatabase({
    connection,
    applicationName: "test",
    maxConnections: 1,
    logger: openLogger("silent", "test"),
  });
  try {
    await migrate(database);
    await openHashKey(database.pool, () => TEST_HASH_KEY);
  } finally {
    await database.close();
  }
}
