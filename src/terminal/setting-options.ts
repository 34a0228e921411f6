import { Option, type Command } from "commander";
import { settingsHelp } from "../base/setting-help.ts";
import { SETTING_KEYS, type SettingKey } from "../base/setting-table.ts";

/** What a setting means to one command, where that differs from what it means to a server. */
export type OtherHelp = Partial<Record<SettingKey, string>>;

/** Adds a flag for each setting, or for those in `keys`, and `--config`. */
export function addSettingOptions(
  command: Command,
  keys: readonly SettingKey[] = SETTING_KEYS,
  otherHelp: OtherHelp = {},
): Command {
  for (const row of settingsHelp()) {
    if (!(keys as readonly string[]).includes(row.key)) continue;
    const value = row.placeholder === "BOOLEAN" ? "[BOOLEAN]" : `<${row.placeholder}>`;
    const help = otherHelp[row.key as SettingKey] ?? `${row.help} [${row.env}; ${row.defaultText}]`;
    command.addOption(new Option(`${row.flag} ${value}`, help));
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
