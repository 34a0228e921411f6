import { StokerError } from "../base/errors.ts";
import { describeConnection, type DatabaseConnection } from "./connection.ts";

/**
 * SQLSTATEs after which the same transaction may succeed when it is run again from its beginning
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html). Not in the list: 57014, a statement that we or an
 * administrator cancelled, and everything that says the data or the statement is wrong.
 */
const RETRYABLE_STATES: ReadonlySet<string> = new Set([
  "08000", // connection_exception
  "08001", // sqlclient_unable_to_establish_sqlconnection
  "08003", // connection_does_not_exist
  "08004", // sqlserver_rejected_establishment_of_sqlconnection
  "08006", // connection_failure
  "25P03", // idle_in_transaction_session_timeout
  "25P04", // transaction_timeout
  "40001", // serialization_failure
  "40003", // statement_completion_unknown
  "40P01", // deadlock_detected
  "53300", // too_many_connections
  "55P03", // lock_not_available
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "57P05", // idle_session_timeout
]);

/**
 * SQLSTATEs after which a writer decides and writes the same anew on the same connection, because somebody else was in its
 * way: unique violation, serialization, deadlock, lock timeout, and a statement that an administrator cancelled.
 */
const REPEATABLE_STATES: ReadonlySet<string> = new Set(["23505", "40001", "40P01", "55P03", "57014"]);

/** Node's codes for a connection that was refused or lost. */
const NETWORK_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  "ENOTFOUND",
]);

/** disk_full, out_of_memory: the server has no room left (decision D-12). */
const FULL_STATES: ReadonlySet<string> = new Set(["53100", "53200"]);

/** The server ended the connection, takes no more, or is not up. Not 08P01: what breaks the protocol breaks it again. */
const LOST_STATES = /^(08(?!P01)|57P0|25P0[34]|53300)/;

/** True when a write was only in the way of others: its connection is good, and it is to be decided and written anew. */
export function isRepeatable(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && REPEATABLE_STATES.has(code);
}

/** True when a row was there already. */
export function isUniqueViolation(error: unknown): boolean {
  return codeOf(error) === "23505";
}

/** True when PostgreSQL ended a transaction because of others that ran at the same time: 40001 and 40P01. */
export function isCollision(error: unknown): boolean {
  const code = codeOf(error);
  return code === "40001" || code === "40P01";
}

/** True when running the same transaction again may succeed. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof StokerError) return error.code === "database-unavailable";
  const code = codeOf(error);
  return (code !== undefined && RETRYABLE_STATES.has(code)) || isConnectionLost(error);
}

/**
 * The {@link StokerError} of an error of the database where there is one: `database-full`, or `database-unavailable`
 * when the connection is gone. All others come back as they are.
 */
export function databaseError(error: unknown): unknown {
  if (error instanceof StokerError) return error;
  const code = codeOf(error);
  if (code !== undefined && FULL_STATES.has(code)) {
    const what = code === "53100" ? "disk space" : "memory";
    return new StokerError("database-full", `The database has no ${what} left.`, { cause: error });
  }
  if (isConnectionLost(error) || (code !== undefined && LOST_STATES.test(code))) {
    return new StokerError("database-unavailable", "The database cannot be reached at the moment.", { cause: error });
  }
  return error;
}

/** The error of a first connection, with what to do about it. The password is never part of it. */
export function connectError(error: unknown, connection: DatabaseConnection): StokerError {
  const code = codeOf(error);
  const where = describeConnection(connection);
  const setting = (what: string): StokerError =>
    new StokerError("setting", `STOKER_DATABASE_URL: ${what}.`, { expression: "STOKER_DATABASE_URL", cause: error });
  if (code === "28P01" || code === "28000") return setting(`the server refuses the user or password of ${where}`);
  if (code === "3D000") return setting(`the database does not exist at ${where}; create it with createdb`);
  if (code === "ERR_INVALID_URL")
    return setting("this is not an address like postgres://user:password@host:5432/database");
  if (code !== undefined && FULL_STATES.has(code)) return databaseError(error) as StokerError;
  const isMistyped = code === "ENOENT"; // the folder of a Unix socket
  if (!isMistyped && (isRetryable(error) || code?.startsWith("57P0"))) {
    const reason = (error as Error).message || code;
    return new StokerError(
      "database-unavailable",
      `STOKER_DATABASE_URL: no PostgreSQL answers at ${where} (${reason}).`,
      { expression: "STOKER_DATABASE_URL", cause: error },
    );
  }
  return setting(`the database at ${where} cannot be used (${(error as Error).message})`);
}

function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined && NETWORK_CODES.has(code)) return true;
  // Whatever the reason: a Unix socket that is not there (ENOENT), a server that is being started …
  if ((error as { syscall?: unknown } | undefined | null)?.syscall === "connect") return true;
  // pg's own errors for a connection that ended or did not come have no code.
  return (
    error instanceof Error &&
    code === undefined &&
    /^(Connection terminated|timeout expired|timeout exceeded|Client was closed|Client has encountered a connection error)/i.test(
      error.message,
    )
  );
}

/** The code of an error; of the first one, where Node tried several addresses. */
function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const code = (error as { code?: unknown } | undefined | null)?.code;
  return typeof code === "string" ? code : undefined;
}
