import { openLogger } from "../../base/logger.ts";
import { openReindexer } from "../../reindex/reindexer.ts";
import { createTestDatabase } from "../../postgres/testing/test-database.ts";
import { openWriteServer, type WriteServer } from "./write-server.ts";

/** Starts a server for a test file that also runs `$reindex`; closing it ends that and drops the database. */
export async function openReindexServer(): Promise<WriteServer> {
  const database = await createTestDatabase();
  const reindexer = openReindexer(database.pool, openLogger("error", "test"));
  const server = await openWriteServer({ database, reindexer });
  return {
    ...server,
    async close() {
      await reindexer.close();
      await server.close();
      await database.drop();
    },
  };
}
