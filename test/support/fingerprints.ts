import { Client } from "pg";
import { clientConfig, type DatabaseConnection } from "../../src/store/connection.ts";

/** Where rows lie and when they were written: different in every run. */
const PLACES = ["segment", "stamp", "block", "block_offset", "last_updated", "import_job"];

/** Number of rows and a hash over their contents, by table, without times and places. */
export type Fingerprints = Readonly<Record<string, string>>;

/** The tables that a kill must not be seen in. */
const TABLES = ["head", "version", "search_resource", "search_date", "search_quantity", "search_string"];

/** Takes the fingerprints of a database's resources and search rows. */
export async function fingerprints(connection: DatabaseConnection): Promise<Fingerprints> {
  return await withSession(connection, async (client) => {
    const found: Record<string, string> = {};
    for (const table of TABLES) {
      const columns = await client.query<{ name: string }>(
        `select column_name as name from information_schema.columns
         where table_schema = 'public' and table_name = $1 and column_name <> all ($2) order by 1`,
        [table, PLACES],
      );
      const { rows } = await client.query<{ text: string }>(
        `select count(*) || ' ' || coalesce(sum(hashtextextended(row(${columns.rows.map(({ name }) => name).join(", ")})::text, 0)::numeric), 0) as text
         from ${table}`,
      );
      found[table] = rows[0]?.text ?? "";
    }
    return found;
  });
}

/** What does not fit together: search rows of no current version, heads without rows or without a body. */
export async function loosePieces(connection: DatabaseConnection): Promise<Readonly<Record<string, number>>> {
  return await withSession(connection, async (client) => {
    const { rows } = await client.query<Record<string, number>>(
      `select
         (select count(*)::int from search_resource row where not exists (
            select from head where head.key = row.key and head.segment = row.segment and head.stamp = row.stamp)) as rows,
         (select count(*)::int from head where head.segment is not null and not exists (
            select from search_resource row where head.key = row.key and head.segment = row.segment and head.stamp = row.stamp)) as heads,
         (select count(*)::int from head where not exists (select from block where block.id = head.block)) as bodies,
         (select count(*)::int from stale_row) as stale,
         (select count(*)::int from segment where state <> 2) as unpublished`,
    );
    return rows[0] ?? {};
  });
}

/** Runs `work` on a connection of its own. */
export async function withSession<Result>(
  connection: DatabaseConnection,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client(clientConfig(connection, { applicationName: "test" }));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
