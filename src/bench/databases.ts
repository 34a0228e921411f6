import { randomBytes } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Pool } from "pg";
import { openLogger } from "../base/logger.ts";
import { withDatabase, type DatabaseConnection } from "../postgres/connection.ts";
import { openEmbedded } from "../postgres/embedded/open-embedded.ts";
import { openDatabase } from "../postgres/pool.ts";

/** The PostgreSQL server that everything is measured on. */
export interface BenchServer {
  readonly version: string;
  /** Settings that decide about speed, as the server has them. */
  readonly settings: Readonly<Record<string, string>>;
  /** Process id of the embedded server; undefined for a server of the user's. */
  readonly pid: number | undefined;
  createDatabase(): Promise<BenchDatabase>;
  /** So that a run does not pay for the dirty pages of the one before. Does nothing where that is not allowed. */
  checkpoint(): Promise<void>;
  /** Bytes of write-ahead log on the disk; undefined where the server does not say. */
  walBytes(): Promise<number | undefined>;
  /** Removes its databases and stops the server if it is ours. */
  close(): Promise<void>;
}

/** A database for one phase. */
export interface BenchDatabase {
  readonly connection: DatabaseConnection;
  /** As STOKER_DATABASE_URL takes it. */
  readonly url: string;
  /** Bytes on the disk: tables, indexes, everything but the write-ahead log. */
  size(): Promise<number>;
  drop(): Promise<void>;
}

/** Settings that are shown with the figures. */
const SHOWN = [
  "shared_buffers",
  "max_wal_size",
  "wal_level",
  "synchronous_commit",
  "fsync",
  "default_toast_compression",
];

/**
 * Starts the embedded PostgreSQL as `stoker serve` does, in `folder`, or connects to the server at `url`. There, databases
 * named `stoker_bench_…` are made and removed again; `keep` leaves all of them.
 */
export async function openBenchServer(folder: string, url: string | undefined, keep: boolean): Promise<BenchServer> {
  const undo: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const embedded = url === undefined ? await startEmbedded(folder) : undefined;
    if (embedded !== undefined) undo.push(() => embedded.close());
    const connection = embedded?.connection ?? { url: url ?? "" };
    const logger = openLogger("warn", "bench");
    const server = await openDatabase({ connection, applicationName: "stoker bench", maxConnections: 1, logger });
    undo.push(() => server.close());
    const admin = server.pool;
    const { rows } = await admin.query<{ name: string; value: string }>(
      "select name, current_setting(name) as value from pg_settings where name = any($1)",
      [["server_version", ...SHOWN]],
    );
    const settings = Object.fromEntries(rows.map(({ name, value }) => [name, value]));
    const prefix = `stoker_bench_${randomBytes(4).toString("hex")}`;
    let databases = 0;
    return {
      version: settings["server_version"] ?? "unknown",
      settings: Object.fromEntries(SHOWN.map((name) => [name, settings[name] ?? "unknown"])),
      pid: embedded?.pid,
      async createDatabase() {
        const name = `${prefix}_${String(++databases)}`;
        await admin.query(`create database ${name} template template0 encoding 'UTF8'`);
        const drop = async (): Promise<void> => {
          if (!keep) await admin.query(`drop database if exists ${name} with (force)`);
        };
        undo.push(drop);
        const own = withDatabase(connection, name);
        return { connection: own, url: databaseUrl(own), size: () => databaseSize(admin, name), drop };
      },
      async checkpoint() {
        await admin.query("checkpoint").catch(() => {}); // needs a role of its own
      },
      async walBytes() {
        const wal = await admin
          .query<{ bytes: string }>("select sum(size)::text as bytes from pg_ls_waldir()")
          .catch(() => undefined);
        return wal?.rows[0] === undefined ? undefined : Number(wal.rows[0].bytes);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The address as a URL; the folder of a Unix socket goes into the query, as libpq and pg both read it. */
export function databaseUrl(connection: DatabaseConnection): string {
  if ("url" in connection) return connection.url;
  const { host, port, user, password, database } = connection;
  const [user_, password_, database_] = [user, password, database].map(encodeURIComponent);
  if (host.startsWith("/")) {
    return `postgres://${user_ ?? ""}:${password_ ?? ""}@localhost:${String(port)}/${database_ ?? ""}?host=${encodeURIComponent(host)}`;
  }
  return `postgres://${user_ ?? ""}:${password_ ?? ""}@${host}:${String(port)}/${database_ ?? ""}`;
}

async function startEmbedded(folder: string): ReturnType<typeof openEmbedded> {
  const dataDirectory = join(folder, "postgres");
  await mkdir(dataDirectory, { recursive: true });
  // Started by root, the server runs as another user, who must get through.
  await chmod(dataDirectory, 0o711);
  // No other folders: everything is removed with this one.
  return await openEmbedded({ dataDirectory, folders: [], logger: openLogger("warn", "bench") });
}

async function databaseSize(admin: Pool, name: string): Promise<number> {
  const { rows } = await admin.query<{ bytes: string }>("select pg_database_size($1)::text as bytes", [name]);
  return Number(rows[0]?.bytes ?? Number.NaN);
}
