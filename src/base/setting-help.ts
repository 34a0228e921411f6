import { flagOf, SETTING_KEYS, SETTING_TABLE } from "./setting-table.ts";

/** One row of the table that `--help` and the documentation show. */
export interface SettingHelp {
  /** Key in `stoker.config.json`. */
  readonly key: string;
  readonly env: string;
  /** `--port` */
  readonly flag: string;
  /** `PORT` */
  readonly placeholder: string;
  readonly defaultText: string;
  readonly allowed: string;
  readonly help: string;
}

/** Every setting of a server as rows for `--help` and the documentation. */
export function settingsHelp(): SettingHelp[] {
  return SETTING_KEYS.map((key) => {
    const { env, placeholder, defaultText, allowed, help } = SETTING_TABLE[key];
    return { key, env, flag: flagOf(key), placeholder, defaultText, allowed, help };
  });
}

/** `docs/configuration.md`, made from the table; a test compares the file with it. */
export function configurationPage(): string {
  const rows = settingsHelp().map(
    (row) =>
      `| \`${row.env}\` | \`${row.flag}\` | \`${row.key}\` | ${row.defaultText} | ${row.help} Allowed: ${row.allowed}. |`,
  );
  return [
    "# Configuration",
    "",
    "Every setting of `stoker serve` is a flag, an environment variable and a key of `stoker.config.json` in the current",
    "folder (or the file named by `--config`). Flags win over the environment, the environment over the file. An empty",
    "environment variable counts as unset. An invalid value stops the start with one line that names the setting.",
    "",
    "| environment | flag | key | default | meaning |",
    "|---|---|---|---|---|",
    ...rows,
    "",
    "Rules that concern several settings:",
    "",
    "* Without authentication the server listens on a loopback address only.",
    "* `STOKER_AZURE_STORAGE_CONNECTION_STRING` and `STOKER_AZURE_STORAGE_URL` exclude each other.",
    "* `stoker worker` needs `STOKER_DATABASE_URL`: an embedded PostgreSQL serves one machine only.",
    "",
    "The client commands (`import --server`, `jobs`, `cancel`) read `STOKER_BASE_URL` for the server and `STOKER_TOKEN` for",
    "a bearer token. `import` speaks to a server only with `--server`; with `--server` alone it is the one of `STOKER_BASE_URL`.",
    "`NO_COLOR` switches colours off. `XDG_STATE_HOME` (`~/.local/state`) is where `serve` and `import` remember the data folders",
    "that they have used, to name them when a store is empty.",
    "",
    "PostgreSQL does not run as root. When root starts Stoker and the user `postgres` (or `nobody`) cannot enter the data folder, the",
    "database lies below `/var/lib/stoker/clusters`; the start says so. Databases there whose data folder no longer exists are named at the",
    "next start, and `stoker clean` removes them. Data folders below `/tmp` and `/var/tmp` do not use that place.",
    "",
    "This page is written from the settings table: `UPDATE_DOCS=1 npx vitest run src/base/settings.test.ts`.",
    "",
  ].join("\n");
}
