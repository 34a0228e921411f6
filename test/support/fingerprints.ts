import { createHash } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { Client } from "pg";
import { clientConfig, type DatabaseConnection } from "../../src/postgres/connection.ts";

/** Where rows lie and when they were written: different in every run. */
const PLACES = ["segment", "stamp", "block", "block_offset", "last_updated", "import_job"];

/** Number of rows and a hash over their contents, by table, without server times and places; the same of the bodies. */
export type Fingerprints = Readonly<Record<string, string>>;

/** The tables that a kill must not be seen in. */
const TABLES = [
  "resource_current",
  "resource_history",
  "search_resource",
  "search_date",
  "search_quantity",
  "search_string",
];
/** Of these also the dates that lines brought with them. */
const VERSIONED = new Set(["resource_current", "resource_history"]);

/** Takes the fingerprints of a database's resources, with their history, and search rows. */
export async function fingerprints(connection: DatabaseConnection): Promise<Fingerprints> {
  return await withSession(connection, async (client) => {
    const found: Record<string, string> = {};
    for (const table of TABLES) {
      const columns = await client.query<{ name: string }>(
        `select column_name as name from information_schema.columns
         where table_schema = 'public' and table_name = $1 and column_name <> all ($2) order by 1`,
        [table, PLACES],
      );
      const values = columns.rows.map(({ name }) => name);
      if (VERSIONED.has(table)) values.push("case when origin = 0 then 0 else last_updated end");
      const { rows } = await client.query<{ text: string }>(
        `select count(*) || ' ' || coalesce(sum(hashtextextended(row(${values.join(", ")})::text, 0)::numeric), 0) as text
         from ${table}`,
      );
      found[table] = rows[0]?.text ?? "";
    }
    return { ...found, bodies: await bodyFingerprint(client) };
  });
}

const BLOCKS_AT_ONCE = 100;

/** Opens all blocks and hashes the bytes of every version, the current ones and the others. */
async function bodyFingerprint(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string; block: string; offset: number; length: number }>(
    `select key || '/' || coalesce(version_id, 0) as name, block::text, block_offset as offset, body_length as length
     from (select key, version_id, block, block_offset, body_length from resource_current
           union all select key, version_id, block, block_offset, body_length from resource_history) as all_versions
     where body_length > 0 order by block, block_offset`,
  );
  const blocks = [...new Set(rows.map(({ block }) => block))];
  const hashes: string[] = [];
  let row = 0;
  for (let from = 0; from < blocks.length; from += BLOCKS_AT_ONCE) {
    const page = blocks.slice(from, from + BLOCKS_AT_ONCE);
    const found = await client.query<{ id: string; bytes: Buffer }>(
      "select id::text, bytes from body_block where id = any($1::bigint[])",
      [page],
    );
    const opened = new Map(found.rows.map(({ id, bytes }) => [id, inflateRawSync(bytes)]));
    for (let at = rows[row]; at !== undefined && page.includes(at.block); at = rows[++row]) {
      const bytes = opened.get(at.block)?.subarray(at.offset, at.offset + at.length);
      if (bytes?.length !== at.length) throw new Error(`the body of ${at.name} is missing`);
      hashes.push(createHash("sha256").update(at.name).update(bytes).digest("hex"));
    }
  }
  return `${String(hashes.length)} ${createHash("sha256").update(hashes.toSorted().join()).digest("hex")}`;
}

/** What does not fit together: search rows of no current version, heads without rows or without a body. */
export async function loosePieces(connection: DatabaseConnection): Promise<Readonly<Record<string, number>>> {
  return await withSession(connection, async (client) => {
    const { rows } = await client.query<Record<string, number>>(
      `select
         (select count(*)::int from search_resource row where not exists (
            select from resource_current where resource_current.key = row.key and resource_current.segment = row.segment and resource_current.stamp = row.stamp)) as rows,
         (select count(*)::int from resource_current where resource_current.segment is not null and not exists (
            select from search_resource row where resource_current.key = row.key and resource_current.segment = row.segment and resource_current.stamp = row.stamp)) as heads,
         (select count(*)::int from resource_current where not exists (select from body_block where body_block.id = resource_current.block)) as bodies,
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
  // Also said by the statement at hand; without a listener the end of a session would end the process.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
