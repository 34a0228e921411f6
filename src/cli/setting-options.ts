import { Option, type Command } from "commander";
import { settingsHelp } from "../base/setting-help.ts";
import { SETTING_KEYS, type SettingKey } from "../base/setting-table.ts";

/** Adds a flag for each setting, or for those in `keys`, and `--config`. */
export function addSettingOptions(command: Command, keys: readonly SettingKey[] = SETTING_KEYS): Command {
  for (const row of settingsHelp()) {
    if (!(keys as readonly string[]).includes(row.key)) continue;
    const value = row.placeholder === "BOOLEAN" ? "[BOOLEAN]" : `<${row.placeholder}>`;
    command.addOption(new Option(`${row.flag} ${value}`, `${row.help} [${row.env}; ${row.defaultText}]`));
  }
  return command.option("--config <FILE>", "settings file [./stoker.config.json if there is one]");
}

/** The settings among the parsed options of a command. */
export function settingFlags(
  options: Readonly<Record<string, unknown>>,
): Partial<Record<SettingKey, string | boolean>> {
  const flags: Partial<Record<SettingKey, string | boolean>> = {};
  for (const key of SETTING_KEYS) {
    const value = options[key];
    if (typeof value === "string" || typeof value === "boolean") flags[key] = value;
  }
  return flags;
}
