import type { Command } from "commander";
import { loadSettings } from "../base/settings.ts";
import type { SettingKey } from "../base/setting-table.ts";
import { configFile, runUntilStopped } from "./serve.ts";
import { openWorker } from "./server.ts";
import { addSettingOptions, settingFlags } from "./setting-options.ts";

/** The settings that a worker uses. */
const WORKER_SETTINGS: readonly SettingKey[] = [
  "databaseUrl",
  "workers",
  "fileRoot",
  "azureStorageConnectionString",
  "azureStorageUrl",
  "logLevel",
];

/** `stoker worker`. */
export function addWorkerCommand(program: Command): void {
  const command = program
    .command("worker")
    .description("run import workers only, for a further machine that shares a server's database")
    .addHelpText(
      "after",
      "\nExample:\n  $ stoker worker --database-url postgres://stoker@db.example/stoker --workers 8",
    );
  addSettingOptions(command, WORKER_SETTINGS).action(async (options: Record<string, unknown>) => {
    const settings = loadSettings({ flags: settingFlags(options), ...configFile(options), listens: false });
    await runUntilStopped(
      settings,
      "worker",
      openWorker,
      () => `Stoker worker ready with ${String(settings.workers)} units at once`,
    );
  });
}
