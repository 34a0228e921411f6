import { Client } from "pg";
import { clientConfig, type DatabaseConnection } from "../postgres/connection.ts";
import { learnDisplacedIds } from "../store/identity/displaced-ids.ts";
import { openHashKey } from "../store/identity/hash-key.ts";

/** One state of the database that several connections read. */
export interface ExportSnapshot {
  /** A connection with this state; what is asked on it agrees with what the others are told. */
  readonly client: Client;
  /** For {@link joinSnapshot}, as long as this one is open. */
  readonly name: string;
  /**
   * All that was committed with a `lastUpdated` at or before this instant is in; so what is exported with this instant as
   * the next `_since` misses nothing.
   */
  readonly transactionTime: Date;
  close(): Promise<void>;
}

/** Name of the sessions in pg_stat_activity. */
const SESSION = "stoker export";

/**
 * A plan for all rows, not for the first ones; memory for sorting the places of some hundred thousand bodies. Between two
 * answers a session waits for the storage, as long as that takes.
 */
const SESSION_SETTINGS =
  "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0; " +
  "set local cursor_tuple_fraction = 1; set local work_mem = '64MB'; set local jit = off";

/**
 * The oldest transaction that may yet commit something: versions get their date after their transaction has begun. Old
 * transactions without an id only read, like a long export.
 */
const OLDEST_WRITER = `
select least(clock_timestamp(), min(xact_start)) as instant from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
  and (backend_xid is not null or xact_start > clock_timestamp() - interval '1 minute')`;

/** Partitions must not be exchanged under a snapshot that searches (store/segments/snapshot.ts): merges of segments wait, or try later. */
const KEEP_PARTITIONS = "lock table only search_resource in access share mode";

/** Takes a snapshot and keeps it; `searches`: whether search tables are read by it. */
export async function openSnapshot(connection: DatabaseConnection, searches: boolean): Promise<ExportSnapshot> {
  const client = await connect(connection);
  try {
    // Before the snapshot: what begins after this has later dates, and what ends before the snapshot is in.
    const oldest = await client.query<{ instant: Date }>(OLDEST_WRITER);
    await client.query(`begin isolation level repeatable read; ${SESSION_SETTINGS}`);
    if (searches) await client.query(KEEP_PARTITIONS);
    const exported = await client.query<{ name: string }>("select pg_export_snapshot() as name");
    await learnDisplacedIds(client);
    const instant = oldest.rows[0]?.instant;
    const name = exported.rows[0]?.name;
    if (instant === undefined || name === undefined) throw new Error("the server returned no snapshot");
    // What is written later in the same millisecond has the same date.
    const transactionTime = new Date(instant.getTime() - 1);
    return { client, name, transactionTime, close: () => closeClient(client) };
  } catch (error) {
    await closeClient(client);
    throw error;
  }
}

/** Another connection with the same state of the database. */
export async function joinSnapshot(connection: DatabaseConnection, name: string): Promise<Client> {
  const client = await connect(connection);
  try {
    await client.query("begin isolation level repeatable read");
    // No parameter is possible here; the name came from PostgreSQL.
    await client.query(`set transaction snapshot ${client.escapeLiteral(name)}`);
    await client.query(SESSION_SETTINGS);
    // The thread's own key, and the ids that are displaced in the snapshot.
    await openHashKey(client);
    return client;
  } catch (error) {
    await closeClient(client);
    throw error;
  }
}

/** Ends a connection, also one that is lost. */
export async function closeClient(client: Client): Promise<void> {
  await client.end().catch(() => {});
}

async function connect(connection: DatabaseConnection): Promise<Client> {
  const client = new Client(clientConfig(connection, { applicationName: SESSION }));
  // The statement at hand fails, which says it.
  client.on("error", () => {});
  await client.connect();
  return client;
}
