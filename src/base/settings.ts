import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { StokerError } from "./errors.ts";
import { flagOf, isLoopback, SETTING_KEYS, SETTING_TABLE, type SettingKey, type Settings } from "./setting-table.ts";

export type { Settings } from "./setting-table.ts";

/** Name of the settings file that is read from the current folder when no other is named. */
const CONFIG_FILE = "stoker.config.json";

/** Where settings come from; anything left out is taken from the process. */
export interface SettingSources {
  /** Values of command-line flags by setting; `true` for a flag without a value. They win over everything. */
  readonly flags?: Readonly<Partial<Record<SettingKey, string | number | boolean>>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** A settings file that must exist; default {@link CONFIG_FILE} if there is one. */
  readonly configFile?: string;
  /** Relative paths of flags and environment start here; those of a file start at the file's folder. */
  readonly folder?: string;
  /** What holds instead of the usual default, for commands with another purpose. */
  readonly defaults?: Readonly<Partial<Settings>>;
  /** A worker listens on no address, so that the rules on host and authentication do not concern it. */
  readonly listens?: boolean;
}

/**
 * Reads all settings of a server: flags win over environment, environment over file, file over defaults.
 * Throws `setting` with one line that names the setting, its value (secrets stay hidden) and what is allowed.
 */
export function loadSettings(sources: SettingSources = {}): Settings {
  const folder = sources.folder ?? process.cwd();
  const environment = sources.environment ?? process.env;
  const file = readConfigFile(sources.configFile, folder);
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const key of SETTING_KEYS) {
    const { env } = SETTING_TABLE[key];
    const fromEnvironment = environment[env];
    if (sources.flags?.[key] !== undefined) {
      values[key] = parse(key, sources.flags[key], folder, `(${flagOf(key)})`);
    } else if (fromEnvironment !== undefined && fromEnvironment !== "") {
      values[key] = parse(key, fromEnvironment, folder);
    } else if (file.values[key] !== undefined && file.values[key] !== null) {
      values[key] = parse(key, file.values[key], file.folder, `(${key} in ${file.path})`);
    } else if (sources.defaults?.[key] !== undefined) {
      values[key] = sources.defaults[key];
    } else {
      values[key] = key === "dataDir" ? resolve(folder, SETTING_TABLE.dataDir.fallback) : SETTING_TABLE[key].fallback;
    }
  }
  const settings = Object.freeze(values as unknown as Settings);
  checkTogether(settings, sources.listens ?? true);
  return settings;
}

/** The base URL of a server that listens on `port`: the configured one, or the address itself. */
export function baseUrlOf(settings: Settings, port: number): string {
  if (settings.baseUrl !== undefined) return settings.baseUrl;
  const host = settings.host.includes(":") && !settings.host.startsWith("[") ? `[${settings.host}]` : settings.host;
  return `http://${host}:${String(port)}/fhir`;
}

/** What the commands of a terminal read from the environment. */
export interface TerminalEnvironment {
  readonly noColor: boolean;
  /** A terminal whose lines cannot be rewritten. */
  readonly dumb: boolean;
  /** The server that `jobs` and `cancel` speak to. */
  readonly baseUrl: string;
  readonly token: string | undefined;
  /** Folder for what programs of this user remember from one run to the next; undefined where there is none. */
  readonly stateFolder: string | undefined;
  /** Whether unexpected errors are shown with their stack. */
  readonly stacks: boolean;
}

/** What the commands of a terminal want to know, read here so that `process.env` is read in one file only. */
export function terminalEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): TerminalEnvironment {
  return {
    noColor: (environment["NO_COLOR"] ?? "") !== "",
    dumb: environment["TERM"] === "dumb",
    baseUrl: environment["STOKER_BASE_URL"] || "http://127.0.0.1:8080/fhir",
    token: environment["STOKER_TOKEN"] || undefined,
    stateFolder: stateFolder(environment["XDG_STATE_HOME"], environment["HOME"]),
    stacks: environment["STOKER_LOG_LEVEL"] === "debug" || environment["STOKER_LOG_LEVEL"] === "trace",
  };
}

/** As the XDG Base Directory Specification says. */
function stateFolder(named: string | undefined, home: string | undefined): string | undefined {
  if (named?.startsWith("/")) return named;
  return home?.startsWith("/") ? `${home}/.local/state` : undefined;
}

/** The known word that is closest to `word`, or undefined when none is close. */
export function closestWord(word: string, known: readonly string[]): string | undefined {
  const wanted = plain(word);
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.ceil(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function plain(word: string): string {
  return word
    .toLowerCase()
    .replace(/^stoker_?/, "")
    .replaceAll(/[^a-z0-9]/g, "");
}

/** `where` says where the value stands when that is not the environment. */
function parse(key: SettingKey, value: unknown, folder: string, where?: string): unknown {
  const definition = SETTING_TABLE[key];
  const result = definition.schema.safeParse(value);
  if (!result.success) {
    const shown = definition.secret ? "(hidden)" : JSON.stringify(value);
    throw refused(
      key,
      `${[definition.env, where].filter(Boolean).join(" ")} is ${shown}; it must be ${definition.allowed}`,
    );
  }
  if (key !== "dataDir" && key !== "fileRoot") return result.data;
  return checkFolder(key, resolve(folder, String(result.data)), where);
}

function checkFolder(key: "dataDir" | "fileRoot", path: string, where?: string): string {
  const { env, allowed } = SETTING_TABLE[key];
  const found = existsSync(path) ? statSync(path) : undefined;
  if (found === undefined ? key === "fileRoot" : !found.isDirectory()) {
    const why = found === undefined ? "there is no such folder" : "that is not a folder";
    const name = [env, where].filter(Boolean).join(" ");
    throw refused(key, `${name} is ${JSON.stringify(path)}: ${why}; it must be ${allowed}`);
  }
  return path;
}

function checkTogether(settings: Settings, listens: boolean): void {
  for (const key of ["authIssuer", "authAudience"] as const) {
    if (settings[key] === undefined) continue;
    throw refused(
      key,
      `${SETTING_TABLE[key].env} is set, but access control is not supported yet; unset it and listen on a loopback address`,
    );
  }
  if (listens && !isLoopback(settings.host)) {
    throw refused(
      "host",
      `STOKER_HOST is ${JSON.stringify(settings.host)}, but without authentication only a loopback address such as 127.0.0.1 is allowed`,
    );
  }
  if (settings.azureStorageConnectionString !== undefined && settings.azureStorageUrl !== undefined) {
    throw refused(
      "azureStorageUrl",
      "STOKER_AZURE_STORAGE_CONNECTION_STRING and STOKER_AZURE_STORAGE_URL are both set; set only one of them",
    );
  }
}

function readConfigFile(
  named: string | undefined,
  folder: string,
): { readonly values: Partial<Record<SettingKey, unknown>>; readonly folder: string; readonly path: string } {
  const path = resolve(folder, named ?? CONFIG_FILE);
  if (named === undefined && !existsSync(path)) return { values: {}, folder, path };
  let values: unknown;
  try {
    values = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? `is not valid JSON: ${cause.message}` : "cannot be read";
    throw new StokerError("setting", `The settings file ${path} ${why}`, { cause });
  }
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new StokerError("setting", `The settings file ${path} must hold one JSON object`);
  }
  for (const key of Object.keys(values)) {
    if (Object.hasOwn(SETTING_TABLE, key)) continue;
    const hint = closestWord(key, SETTING_KEYS);
    throw new StokerError(
      "setting",
      `The settings file ${path} has an unknown key "${key}"${hint === undefined ? "" : `; did you mean "${hint}"?`}`,
    );
  }
  return { values, folder: dirname(path), path };
}

function refused(key: SettingKey, message: string): StokerError {
  return new StokerError("setting", message, { expression: SETTING_TABLE[key].env });
}

/** Levenshtein distance with neighbour swaps counted once; the words are short. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length] ?? 0;
}
