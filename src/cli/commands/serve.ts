import type { Command } from "commander";
import { StokerError } from "../../base/errors.ts";
import { openLogger, type Logger } from "../../base/logger.ts";
import { collectGarbageEarlier } from "../../base/memory.ts";
import { loadSettings, terminalEnvironment, type Settings } from "../../base/settings.ts";
import { leftoverNotice } from "./clean.ts";
import { knownStores, rememberStore } from "./known-stores.ts";
import { openNotices, type Notice } from "../../terminal/notices.ts";
import { openServer, type RunningServer, type Surroundings } from "../../server/server.ts";
import { quotedText } from "../report/report.ts";
import { addSettingOptions, settingFlags } from "../../terminal/setting-options.ts";
import { openStopRequests, stopped } from "../../terminal/stop.ts";

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
    await runUntilStopped(settings, "serve", openServer, readyLine, (server, notice) =>
      tellOfStore(settings, server, notice),
    );
  });
}

function readyLine(server: RunningServer): string {
  return `Stoker ready at ${server.baseUrl}`;
}

/** Remembers the store, and says where else to look when it is empty. */
async function tellOfStore(settings: Settings, server: RunningServer, notice: Notice): Promise<void> {
  if (settings.databaseUrl !== undefined) return;
  const { stateFolder } = terminalEnvironment();
  const leftovers = await leftoverNotice();
  if (leftovers !== undefined) notice(leftovers);
  if (await isEmpty(server)) {
    const others = await knownStores(stateFolder, settings.dataDir);
    notice(
      emptyStore(
        settings.dataDir,
        others.map(({ dataDir }) => dataDir),
      ),
    );
  } else {
    await rememberStore(stateFolder, settings.dataDir);
  }
}

async function isEmpty({ database }: RunningServer): Promise<boolean> {
  const { rows } = await database.pool.query<{ empty: boolean }>(
    "select not exists (select from resource_current) as empty",
  );
  return rows[0]?.empty === true;
}

/** What to say of an empty store: `others` are data folders of this user that hold one. */
function emptyStore(dataDir: string, others: readonly string[]): string {
  const empty = `The store in ${dataDir} is empty.`;
  const [first] = others;
  if (first === undefined) return `${empty} Fill it with $import, or stop this server and run: stoker import FOLDER`;
  const list = others.slice(0, 5).join(", ");
  return `${empty} Other stores of this user: ${list}. To serve one of them: stoker serve --data-dir ${quotedText(first)}`;
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
  open: (settings: Settings, logger: Logger, surroundings: Surroundings) => Promise<RunningServer>,
  ready: (server: RunningServer) => string,
  afterwards?: (server: RunningServer, notice: Notice) => Promise<void>,
): Promise<void> {
  collectGarbageEarlier();
  const logger = openLogger(settings.logLevel, component);
  const notice = openNotices(logger);
  const requests = openStopRequests();
  try {
    const server = await openUnlessStopped((stop) => open(settings, logger, { notice, stop }), requests.signal);
    if (server === undefined) return notice("Stopped before the server was ready.");
    if (!requests.signal.aborted) {
      process.stdout.write(`${ready(server)}\n`);
      // What is said there is worth nothing to a server that has other troubles.
      await afterwards?.(server, notice).catch((error: unknown) => logger.debug({ err: error }, "no notices"));
    }
    const end = await Promise.race([
      stopped(requests.signal).then(() => "stop" as const),
      server.databaseEnded.then(() => "lost" as const),
    ]);
    logger.info(end === "stop" ? { signal: requests.signal.reason as string } : {}, "stopping");
    await withinTime(server.close(), STOP_MS);
    if (end === "lost") {
      throw new StokerError(
        "database-unavailable",
        "the embedded PostgreSQL stopped unexpectedly and could not be restarted; its log is postgres.log in the data folder",
      );
    }
    logger.info("stopped");
  } finally {
    requests.close();
  }
}

/** Undefined when the signal fired before the server was open and ended the start. */
export async function openUnlessStopped(
  open: (stop: AbortSignal) => Promise<RunningServer>,
  stop: AbortSignal,
): Promise<RunningServer | undefined> {
  try {
    return await open(stop);
  } catch (error) {
    if (stop.aborted && error === stop.reason) return undefined;
    throw error;
  }
}

async function withinTime(work: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new StokerError("internal", "the server did not stop in time and was ended")),
      milliseconds,
    );
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
