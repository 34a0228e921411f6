import { types, type ClientConfig, type CustomTypesConfig } from "pg";

/**
 * Where a database is. Plain data, so that it can be sent to worker threads, which open connections of their own.
 * Either a `postgres://` address as in STOKER_DATABASE_URL, or the parts.
 */
export type DatabaseConnection =
  | { readonly url: string }
  | {
      /** Host name, or the absolute path of the folder with the server's Unix socket. */
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password: string;
      readonly database: string;
    };

/** What one connection may be told beyond where the database is. */
export interface ClientOptions {
  /** Seen in pg_stat_activity. */
  readonly applicationName: string;
  /** The server ends statements that take longer; 0 = no limit. Milliseconds. */
  readonly statementTimeout?: number;
  /** Settings of the session by their PostgreSQL names; they win over those of the role and the database. */
  readonly session?: Readonly<Record<string, string>>;
}

/** Name of the sessions of import workers in pg_stat_activity; one that works on a unit adds the unit. */
export const WORKER_NAME = "stoker import worker";

/**
 * Every session has these. Stoker's transactions are written for `read committed`: with `serializable` as the default of a
 * role or a database they would fail where they are meant to wait.
 */
const SESSION: Readonly<Record<string, string>> = { default_transaction_isolation: "read committed" };

/** How long opening a connection may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Configuration for `new pg.Client(...)`. `bigint` and `bigint[]` come back as BigInt (keys use all 64 bits); other
 * types as pg reads them: `numeric` as text, `timestamptz` as Date, `bytea` as Buffer.
 */
export function clientConfig(connection: DatabaseConnection, options: ClientOptions): ClientConfig {
  const session = sessionOptions({ ...SESSION, ...options.session });
  const where =
    "url" in connection
      ? withOptions(connection.url, session)
      : {
          options: session,
          host: connection.host,
          port: connection.port,
          user: connection.user,
          password: connection.password,
          database: connection.database,
          ssl: false, // PGSSLMODE in the environment is meant for others
        };
  return {
    ...where,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types: bigintTypes(),
    ...(options.statementTimeout === undefined || options.statementTimeout === 0
      ? {}
      : { statement_timeout: options.statementTimeout }),
  };
}

/** The text of settings for PostgreSQL's `options`, where spaces and backslashes of values are escaped. */
function sessionOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, "\\$&")}`)
    .join(" ");
}

/** The address with further options: those that it has itself would replace all others. The last one of a name counts. */
function withOptions(address: string, options: string): { connectionString: string; options?: string } {
  // Not by `URL`, which refuses an address without a host (a socket).
  const mark = address.indexOf("?");
  const parameters = new URLSearchParams(mark < 0 ? "" : address.slice(mark + 1));
  const own = parameters.get("options");
  if (own === null) return { connectionString: address, options };
  parameters.set("options", `${own} ${options}`);
  return { connectionString: `${address.slice(0, mark)}?${parameters.toString().replaceAll("+", "%20")}` };
}

/** The same server, another database on it. */
export function withDatabase(connection: DatabaseConnection, database: string): DatabaseConnection {
  if (!("url" in connection)) return { ...connection, database };
  const url = new URL(connection.url);
  url.pathname = `/${encodeURIComponent(database)}`;
  return { url: url.toString() };
}

/** The address for messages: without password and parameters. */
export function describeConnection(connection: DatabaseConnection): string {
  if (!("url" in connection)) return `${connection.user}@${connection.host}:${connection.port}/${connection.database}`;
  try {
    const url = new URL(connection.url);
    return `${url.protocol}//${url.username === "" ? "" : `${url.username}@`}${url.host}${url.pathname}`;
  } catch {
    return "an address that cannot be read";
  }
}

const INT8 = 20;
const INT8_ARRAY = 1016;

function bigintTypes(): CustomTypesConfig {
  return {
    getTypeParser: ((oid: number, format?: "text" | "binary") => {
      if (format !== "binary" && oid === INT8) return BigInt;
      if (format !== "binary" && oid === INT8_ARRAY) return parseBigintArray;
      return types.getTypeParser(oid, format);
    }) as CustomTypesConfig["getTypeParser"],
  };
}

/** One-dimensional arrays only, which is all the store has. */
function parseBigintArray(text: string): (bigint | null)[] {
  if (text === "{}") return [];
  return text
    .slice(1, -1)
    .split(",")
    .map((item) => (item === "NULL" ? null : BigInt(item)));
}
