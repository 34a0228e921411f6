import type { Command } from "commander";
import { loadSettings } from "../../base/settings.ts";
import type { SettingKey } from "../../base/setting-table.ts";
import { configFile, runUntilStopped } from "./serve.ts";
import { openWorker } from "../../server/server.ts";
import { addSettingOptions, settingFlags, type OtherHelp } from "../../terminal/setting-options.ts";

/** The settings that a worker uses. */
const WORKER_SETTINGS: readonly SettingKey[] = [
  "databaseUrl",
  "workers",
  "fileRoot",
  "azureStorageConnectionString",
  "azureStorageUrl",
  "logLevel",
];

/** What differs from a server, which has a database of its own without one, answers searches and exports. */
const WORKER_HELP: OtherHelp = {
  databaseUrl:
    "The database of the server that this worker helps, PostgreSQL 15 or later. [STOKER_DATABASE_URL; required]",
  workers: "Number of import units that this process works on in parallel. [STOKER_WORKERS; number of cores]",
  fileRoot: "The server's file root, at the same path on this machine. [STOKER_FILE_ROOT; unset]",
  azureStorageConnectionString:
    "Storage account to import from, as the server has it. [STOKER_AZURE_STORAGE_CONNECTION_STRING; unset]",
  azureStorageUrl:
    "Storage account to import from with managed identity, as the server has it. [STOKER_AZURE_STORAGE_URL; unset]",
};

/** `stoker worker`. */
export function addWorkerCommand(program: Command): void {
  const command = program
    .command("worker")
    .description("run import workers only, for a further machine that shares a server's database")
    .addHelpText(
      "after",
      "\nExample:\n  $ stoker worker --database-url postgres://stoker@db.example/stoker --workers 8",
    );
  addSettingOptions(command, WORKER_SETTINGS, WORKER_HELP).action(async (options: Record<string, unknown>) => {
    const settings = loadSettings({ flags: settingFlags(options), ...configFile(options), listens: false });
    await runUntilStopped(
      settings,
      "worker",
      openWorker,
      () => `Stoker worker ready with ${String(settings.workers)} units in parallel`,
    );
  });
}
