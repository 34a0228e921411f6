import type { Pool } from "pg";

/** Segments that may have unflushed index entries: the newest ones, several workers can be on either side of a border. */
const RECENT_SEGMENTS = 3;
const SEARCH_TABLES = ["search_resource", "search_date", "search_quantity", "search_string"];

/**
 * What makes an import's resources quick to search, before its status turns 200: the indexes' pending lists are merged,
 * and the planner gets statistics of the tables that grew. Safe to run at any time, by any number of processes.
 */
export async function publishSearchRows(database: Pool): Promise<void> {
  const client = await database.connect();
  try {
    const recent = await client.query<{ number: number }>("select number from segment order by number desc limit $1", [
      RECENT_SEGMENTS,
    ]);
    for (const { number } of recent.rows) {
      await client.query("select gin_clean_pending_list($1::regclass)", [`search_resource_${number}_equality`]);
    }
    const grown = await client.query<{ name: string }>(
      `select relname as name from pg_stat_user_tables
       where schemaname = current_schema() and n_mod_since_analyze > 0.05 * n_live_tup + 100
         and (relname in ('head', 'version', 'block') or relname ~ '^search_[a-z]+_[0-9]+$')`,
    );
    const tables = new Set(grown.rows.map((row) => row.name));
    for (const { number } of recent.rows.slice(0, 1)) {
      for (const table of SEARCH_TABLES) tables.add(`${table}_${number}`);
    }
    for (const table of tables) await client.query(`analyze ${client.escapeIdentifier(table)}`);
  } finally {
    client.release();
  }
}
