import type { Pool, PoolClient } from "pg";
import { indexSegment, unindexedSegments } from "./segments.ts";

/**
 * What makes an import's resources quick to find, before its status turns 200: bulk segments are indexed, pending lists
 * of live segments' indexes are merged, and the planner gets statistics of the tables that grew. Safe to run at any time,
 * by any number of processes; goes on where a crash stopped it.
 */
export async function publishSearchRows(database: Pool): Promise<void> {
  await withClient(database, async (client) => {
    for (const segment of await unindexedSegments(client)) await indexSegment(client, segment);
    const live = await client.query<{ name: string }>(
      "select format('search_resource_%s_equality', number) as name from segment where live order by number desc limit 2",
    );
    for (const { name } of live.rows) await client.query("select gin_clean_pending_list($1::regclass)", [name]);
    const grown = await client.query<{ name: string }>(
      `select relname as name from pg_stat_user_tables
       where schemaname = current_schema() and n_mod_since_analyze > 0.1 * n_live_tup + 1000
         and (relname in ('head', 'version', 'block') or relname ~ '^search_[a-z]+_[0-9]+$')`,
    );
    for (const { name } of grown.rows) await client.query(`analyze ${client.escapeIdentifier(name)}`);
  });
}

/** Runs `work` on one connection of the pool; a connection that failed is not given back. */
export async function withClient<Result>(
  database: Pool,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await database.connect();
  let failure: Error | undefined;
  try {
    return await work(client);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    client.release(failure);
  }
}
