import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PoolClient } from "pg";
import { StokerError } from "../base/errors.ts";
import { MIGRATION_LOCK } from "./advisory-locks.ts";
import type { Database } from "./pool.ts";

/** A numbered SQL file. */
export interface Migration {
  readonly number: number;
  /** File name without number and ending. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the text, in hex. */
  readonly checksum: string;
}

/** The migrations of this program: beside the source, and copied beside the compiled file. */
const MIGRATIONS = fileURLToPath(new URL("migrations", import.meta.url));

const CREATE_TABLE = `create table if not exists schema_migration (
  number integer not null primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
)`;

/**
 * Brings the database to the state this program needs and returns the numbers of the migrations it ran. Servers that
 * start at the same time wait for each other. Throws `setting` when the database was made by a later program, or when
 * a migration it has was changed since.
 */
export async function migrate(database: Pick<Database, "pool">, folder: string = MIGRATIONS): Promise<number[]> {
  const migrations = await readMigrations(folder);
  const client = await database.pool.connect();
  try {
    await client.query("set statement_timeout = 0");
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await client.query(CREATE_TABLE);
    const { rows } = await client.query<{ number: number; name: string; checksum: string }>(
      "select number, name, checksum from schema_migration order by number",
    );
    check(rows, migrations);
    const applied = new Set(rows.map((row) => row.number));
    const ran: number[] = [];
    for (const migration of migrations) {
      if (applied.has(migration.number)) continue;
      await apply(client, migration);
      ran.push(migration.number);
    }
    return ran;
  } finally {
    client.release(true); // the end of the session gives the lock back
  }
}

/** Reads the files `NNNN-name.sql` of a folder, in order. Throws when a number is missing or there twice. */
export async function readMigrations(folder: string = MIGRATIONS): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(folder)).toSorted()) {
    if (!file.endsWith(".sql")) continue;
    const match = /^(\d{4})-([a-z0-9-]+)\.sql$/.exec(file);
    if (match?.[1] === undefined || match[2] === undefined) throw new Error(`${file} is not named NNNN-name.sql`);
    // A checkout on Windows may have other line ends.
    const sql = (await readFile(join(folder, file), "utf8")).replaceAll("\r\n", "\n");
    const number = Number(match[1]);
    if (number !== migrations.length + 1)
      throw new Error(`migration ${file} should have number ${migrations.length + 1}`);
    migrations.push({ number, name: match[2], sql, checksum: createHash("sha256").update(sql).digest("hex") });
  }
  return migrations;
}

async function apply(client: PoolClient, migration: Migration): Promise<void> {
  await client.query("begin");
  try {
    // The row first: even without the lock, a second runner would wait here and then fail.
    await client.query("insert into schema_migration (number, name, checksum) values ($1, $2, $3)", [
      migration.number,
      migration.name,
      migration.checksum,
    ]);
    await client.query(migration.sql);
    await client.query("commit");
  } catch (cause) {
    await client.query("rollback").catch(() => undefined); // the session ends anyway
    throw new StokerError(
      "internal",
      `Migration ${migration.number} (${migration.name}) failed: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

function check(
  applied: readonly { number: number; name: string; checksum: string }[],
  migrations: readonly Migration[],
): void {
  for (const row of applied) {
    const migration = migrations[row.number - 1];
    if (migration === undefined) {
      throw refuse(
        `it has migration ${row.number} (${row.name}), which is newer than this program; use the Stoker version that made it or a later one`,
      );
    }
    if (migration.checksum !== row.checksum) {
      throw refuse(
        `migration ${row.number} (${row.name}) was changed after it had run here; use the Stoker version that made it, or an empty database`,
      );
    }
  }
}

function refuse(what: string): StokerError {
  return new StokerError("setting", `The database cannot be used: ${what}.`, { expression: "STOKER_DATABASE_URL" });
}
