import type { Command } from "commander";
import { StokerError } from "../base/errors.ts";
import { openLogger, type Logger } from "../base/logger.ts";
import { loadSettings, type Settings } from "../base/settings.ts";
import { openServer, type RunningServer } from "./server.ts";
import { addSettingOptions, settingFlags } from "./setting-options.ts";
import { openStopRequests, stopped } from "./stop.ts";

/** Longest time that a stop takes; after it the process ends as it is (the database recovers by itself). */
const STOP_MS = 9500;

/** `stoker serve`. */
export function addServeCommand(program: Command): void {
  const command = program
    .command("serve")
    .description("run the FHIR server: HTTP interface and import workers")
    .addHelpText("after", "\nExample:\n  $ stoker serve --port 8080 --file-root /data/exports --data-dir ./.stoker");
  addSettingOptions(command).action(async (options: Record<string, unknown>) => {
    const settings = loadSettings({ flags: settingFlags(options), ...configFile(options) });
    await runUntilStopped(settings, "serve", openServer, (server) => `Stoker ready at ${server.baseUrl}`);
  });
}

/** The settings file named on the command line. */
export function configFile(options: Readonly<Record<string, unknown>>): { configFile?: string } {
  return typeof options["config"] === "string" ? { configFile: options["config"] } : {};
}

/**
 * Opens a server, says so in one line on standard output, and closes it on SIGTERM or SIGINT. Throws when it cannot be
 * opened, when its database goes away, and when stopping takes too long.
 */
export async function runUntilStopped(
  settings: Settings,
  component: string,
  open: (settings: Settings, logger: Logger) => Promise<RunningServer>,
  ready: (server: RunningServer) => string,
): Promise<void> {
  const logger = openLogger(settings.logLevel, component);
  const requests = openStopRequests();
  try {
    const server = await open(settings, logger);
    if (!requests.signal.aborted) process.stdout.write(`${ready(server)}\n`);
    const end = await Promise.race([
      stopped(requests.signal).then(() => "stop" as const),
      server.databaseEnded.then(() => "lost" as const),
    ]);
    logger.info(end === "stop" ? { signal: requests.signal.reason as string } : {}, "stopping");
    await withinTime(server.close(), STOP_MS);
    if (end === "lost") {
      throw new StokerError(
        "database-unavailable",
        "the embedded PostgreSQL ended by itself and could not be started again; its log is postgres.log in the data folder",
      );
    }
    logger.info("stopped");
  } finally {
    requests.close();
  }
}

async function withinTime(work: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new StokerError("internal", "stopping took too long and was given up")),
      milliseconds,
    );
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
