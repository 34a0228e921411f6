import type { Logger } from "../../base/logger.ts";
import { clearLeftoverServer } from "./leftover-server.ts";
import { startServer, type ServerProcess, type ServerStart } from "./server-process.ts";

/** A server that dies so often within {@link SETTLED_MS} of its start is given up. */
const MAX_EARLY_DEATHS = 3;
const SETTLED_MS = 60_000;

/** A server that is started again, at the same address, when it dies. */
export interface KeptServer {
  /** Process id of the postmaster that runs now. */
  readonly pid: () => number;
  /** Resolves when it has ended for good: stopped, or given up. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** Starts the server; throws as {@link startServer} does. With `restart`, a server that dies is started again. */
export async function keepServer(start: ServerStart, restart: boolean, logger: Logger): Promise<KeptServer> {
  let server: ServerProcess = await startServer(start);
  let stopping = false;
  const watch = async (): Promise<void> => {
    for (let deaths = 0, started = performance.now(); ; started = performance.now()) {
      await server.ended;
      deaths = performance.now() - started < SETTLED_MS ? deaths + 1 : 1;
      if (stopping || !restart) return;
      if (deaths > MAX_EARLY_DEATHS) return logger.error("PostgreSQL stopped repeatedly and will not be restarted");
      logger.error(
        "PostgreSQL stopped unexpectedly and is being restarted; its log is postgres.log in the data folder",
      );
      try {
        await clearLeftoverServer(start.cluster, logger, "keep socket folder");
        server = await startServer(start);
        logger.info({ pid: server.pid }, "PostgreSQL is ready again");
      } catch (error) {
        return logger.error({ err: error }, "PostgreSQL could not be restarted");
      }
      if (stopping) await server.stop();
    }
  };
  const ended = watch();
  return {
    pid: () => server.pid,
    ended,
    async stop() {
      stopping = true;
      await server.stop();
      await ended;
    },
  };
}
