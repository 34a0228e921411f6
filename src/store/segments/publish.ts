import type { Pool, PoolClient } from "pg";
import { indexSegment, unindexedSegments } from "./segments.ts";

/**
 * What makes an import's resources quick to find, before its status turns 200: bulk segments are indexed, pending lists
 * of live segments' indexes are merged, and the planner gets statistics of the tables that grew. Safe to run at any time,
 * by any number of processes; goes on where a crash stopped it. Building an index takes long: `stop` ends it at once, with
 * the signal's reason.
 */
export async function publishSearchRows(database: Pool, stop?: AbortSignal): Promise<void> {
  await withClient(database, stop, async (client) => {
    for (const segment of await unindexedSegments(client)) await indexSegment(client, segment);
    const live = await client.query<{ name: string }>(
      "select format('search_resource_%s_equality', number) as name from segment where live order by number desc limit 2",
    );
    for (const { name } of live.rows) await client.query("select gin_clean_pending_list($1::regclass)", [name]);
    await analyzeGrown(client);
  });
}

/** What makes rows quick to find that were changed in segments of any age: as {@link publishSearchRows}, for all that are indexed. */
export async function tidySearchTables(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c join pg_am a on a.oid = c.relam
     where a.amname = 'gin' and c.relnamespace = current_schema()::regnamespace and c.relkind = 'i'
       and c.relname ~ '^search_resource_(merged_)?[0-9]+_equality$'`,
  );
  for (const { name } of rows) {
    await unlessDropped(client.query("select gin_clean_pending_list(to_regclass($1))", [name]));
  }
  await analyzeGrown(client);
}

async function analyzeGrown(client: PoolClient): Promise<void> {
  const grown = await client.query<{ name: string }>(
    `select relname as name from pg_stat_user_tables
       where schemaname = current_schema() and n_mod_since_analyze > 0.1 * n_live_tup + 1000
         and (relname in ('resource_current', 'resource_history', 'body_block') or relname ~ '^search_[a-z]+_(merged_)?[0-9]+$')`,
  );
  for (const { name } of grown.rows) await unlessDropped(client.query(`analyze ${client.escapeIdentifier(name)}`));
}

/** A merge of segments may have dropped the table meanwhile. */
async function unlessDropped(work: Promise<unknown>): Promise<void> {
  await work.catch((error: { code?: string }) => {
    if (error.code !== UNDEFINED_TABLE) throw error;
  });
}

const UNDEFINED_TABLE = "42P01";

/**
 * Runs `work` on one connection of the pool; a connection that failed is not given back. When `stop` fires, the connection
 * is ended on the server, whatever statement it is busy with, and the signal's reason is thrown.
 */
export async function withClient<Result>(
  database: Pool,
  stop: AbortSignal | undefined,
  work: (client: PoolClient) => Promise<Result>,
): Promise<Result> {
  stop?.throwIfAborted();
  const client = await database.connect();
  let failure: Error | undefined;
  // While a client is out of the pool, the pool does not listen to it; an error that nobody hears ends the process.
  const onError = (error: Error): void => {
    failure = error;
  };
  client.on("error", onError);
  let unlink: (() => void) | undefined;
  try {
    if (stop !== undefined) unlink = await endOnAbort(database, client, stop);
    return await work(client);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw stop?.aborted === true ? stop.reason : error;
  } finally {
    unlink?.();
    client.off("error", onError);
    // A session that is being ended must not be given to anybody else.
    client.release(failure ?? stop?.aborted === true);
  }
}

async function endOnAbort(database: Pool, client: PoolClient, stop: AbortSignal): Promise<() => void> {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const end = (): void => {
    // Where the database cannot be asked, the connection is broken anyway.
    database.query("select pg_terminate_backend($1)", [rows[0]?.pid]).catch(() => {});
  };
  stop.throwIfAborted();
  stop.addEventListener("abort", end, { once: true });
  return () => stop.removeEventListener("abort", end);
}
