import { setTimeout as sleep } from "node:timers/promises";
import { Pool, type PoolClient, type QueryConfig, type QueryResult, type QueryResultRow } from "pg";
import { StokerError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { clientConfig, type ClientOptions, type DatabaseConnection } from "./connection.ts";
import { connectError, databaseError, isCollision } from "./database-errors.ts";

/** What {@link openDatabase} is told. */
export interface DatabaseOptions extends ClientOptions {
  readonly connection: DatabaseConnection;
  /** Most connections open at once. */
  readonly maxConnections: number;
  readonly logger: Logger;
}

/** A pool of connections to one database. */
export interface Database {
  readonly pool: Pool;
  /** For separate connections, also in another thread: see {@link clientConfig}. */
  readonly connection: DatabaseConnection;
  /** Waits for the connections in use and closes all. */
  close(): Promise<void>;
}

/** Oldest PostgreSQL that Stoker works with, as in `server_version_num`. */
const MIN_SERVER_VERSION = 150_000;

/**
 * Opens a pool and checks the server: reachable, PostgreSQL 15 or later, UTF-8, writable. Throws `setting` (naming
 * STOKER_DATABASE_URL, never with the password), or `database-unavailable` when the server may yet come.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { connection, logger } = options;
  const pool = createPool(options);
  // Without a listener the end of an idle connection would end the process.
  pool.on("error", (error) => {
    if (!pool.ending) logger.warn({ reason: error.message }, "an idle database connection was lost");
  });
  try {
    await checkServer(pool);
  } catch (error) {
    await pool.end();
    throw error instanceof StokerError ? error : connectError(error, connection);
  }
  return { pool, connection, close: () => pool.end() };
}

/** What {@link transaction} runs; `begun` are the results of the text that began the transaction. */
type TransactionWork<T> = (client: PoolClient, begun: readonly QueryResult[]) => Promise<T>;

/** A transaction is run so often when others are in its way. */
const ATTEMPTS = 5;

/**
 * Runs `work` in a transaction on one connection: commits when it returns, rolls back when it throws, and always gives
 * the connection back (or closes it, when it cannot be trusted any more). When PostgreSQL ends the transaction because of
 * others (serialization failure, deadlock), all of it is run again, a few times: `work` must not change anything outside of
 * the database. Errors of the server are passed on as they are, except those for which there is a {@link StokerError}.
 */
export async function transaction<T>(
  database: Pick<Database, "pool">,
  work: TransactionWork<T>,
  begin = "begin",
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transactionOnce(database, work, begin);
    } catch (error) {
      if (!isCollision(error) || attempt === ATTEMPTS) throw error;
      await sleep(Math.random() * 2 ** attempt * 5);
    }
  }
}

async function transactionOnce<T>(
  database: Pick<Database, "pool">,
  work: TransactionWork<T>,
  begin: string,
): Promise<T> {
  const client = await database.pool.connect().catch((error: unknown) => {
    throw databaseError(error);
  });
  let broken: Error | undefined;
  // While a client is out of the pool, the pool does not listen to it.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on("error", onError);
  try {
    // Several statements in one message have a result each.
    const begun = [await client.query(begin)].flat();
    const result = await work(client, begun);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch((failure: Error) => {
      broken ??= failure;
    });
    throw databaseError(error);
  } finally {
    client.off("error", onError);
    client.release(broken ?? false);
  }
}

function createPool(options: DatabaseOptions): Pool {
  try {
    return new Pool({
      // A limit that somebody gave to the role is not for publishing an import; reads have their own. A process that hangs in
      // a transaction must not hold its locks, such as that on the import it plans, without an end.
      ...clientConfig(options.connection, {
        ...options,
        session: { statement_timeout: "0", idle_in_transaction_session_timeout: "60s", ...options.session },
      }),
      max: options.maxConnections,
      idleTimeoutMillis: 60_000,
    });
  } catch (error) {
    throw connectError(error, options.connection);
  }
}

async function checkServer(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ version: number; shown: string; encoding: string; read_only: boolean }>(
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as shown,
            current_setting('server_encoding') as encoding, pg_is_in_recovery() as read_only`,
  );
  const server = rows[0];
  if (server === undefined) throw new Error("the server did not say its version");
  if (server.version < MIN_SERVER_VERSION) {
    throw refuse(`the server is PostgreSQL ${server.shown}, and Stoker needs 15 or later`);
  }
  if (server.encoding !== "UTF8") {
    throw refuse(
      `the database's encoding is ${server.encoding}, and Stoker needs UTF8 (create database … encoding 'UTF8')`,
    );
  }
  if (server.read_only) throw refuse("the server is a standby, which cannot be written to");
}

function refuse(what: string): StokerError {
  return new StokerError("setting", `STOKER_DATABASE_URL: ${what}.`, { expression: "STOKER_DATABASE_URL" });
}

/** A pool or one of its clients. */
export interface Queryable {
  /** Whether `stale_row` lists any rows in this state of the database; undefined where nobody has looked. */
  readonly hasStaleRows?: boolean;
  query<Row extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<Row>>;
}
