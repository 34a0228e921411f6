import { Pool } from "pg";
import type { Logger } from "../base/logger.ts";
import { clientConfig, type DatabaseConnection } from "./connection.ts";

/** A way to the database that no search and no write can fill. */
export interface DatabaseControl {
  /** Whether the database answers within so many milliseconds. Never throws. */
  answers(within: number): Promise<boolean>;
  /**
   * Ends the statement that the session with this process id carries out. Resolves when PostgreSQL was told, or could not be
   * told. Never throws.
   */
  cancel(processId: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a connection that is kept for questions which must be answered while all others are at work; it is opened when
 * needed, and again when it was lost.
 */
export function openControl(connection: DatabaseConnection, logger: Logger): DatabaseControl {
  const pool = new Pool({
    ...clientConfig(connection, { applicationName: "stoker control", session: { statement_timeout: "5s" } }),
    max: 1,
    idleTimeoutMillis: 60_000,
  });
  // Without a listener the end of an idle connection would end the process.
  pool.on("error", (error) => logger.debug({ reason: error.message }, "an idle database connection was lost"));
  return {
    async answers(within) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(() => resolve(false), within);
      });
      const asked = pool.query("select 1").then(
        () => true,
        () => false,
      );
      try {
        return await Promise.race([asked, late]);
      } finally {
        clearTimeout(timer);
      }
    },
    async cancel(processId) {
      await pool.query("select pg_cancel_backend($1)", [processId]).catch((error: unknown) => {
        logger.debug({ err: error }, "a statement could not be cancelled");
      });
    },
    close: () => pool.end(),
  };
}
