import { availableParallelism } from "node:os";
import { z } from "zod";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";
import { timeZoneName } from "./time-zone.ts";
import { withoutTrailingSlashes } from "./trailing-slashes.ts";

/** Every setting of a server process, checked and complete. Paths are absolute; the object is frozen. */
export interface Settings {
  /** Address to listen on. */
  readonly host: string;
  /** Port to listen on; 0 is any free one. */
  readonly port: number;
  /** Public base of links, without a trailing slash; undefined means `http://HOST:PORT/fhir` of the real port. */
  readonly baseUrl: string | undefined;
  /** `postgres://...`; undefined means the embedded PostgreSQL in {@link dataDir}. */
  readonly databaseUrl: string | undefined;
  /** Embedded cluster, error logs of local imports, uploads. */
  readonly dataDir: string;
  /** Import units that this process works on at once. */
  readonly workers: number;
  readonly importEnabled: boolean;
  /** The 423 lock, and permission for `InitialLoad`. */
  readonly initialImportMode: boolean;
  /** Greatest number of inputs of one import (decision D-09). */
  readonly importMaxInputs: number;
  /** Imports that may wait or run at once. */
  readonly importMaxOpen: number;
  /** Exports that may wait or run at once. */
  readonly exportMaxOpen: number;
  /** Hours after which an import, export or reindex that is still open is ended. */
  readonly jobMaxHours: number;
  /** Hours that finished exports, with their files, and finished reindexes are kept. */
  readonly jobExpiry: number;
  /** Bytes that must be free on the disk where a job starts. */
  readonly jobMinFreeBytes: number;
  readonly azureStorageConnectionString: string | undefined;
  readonly azureStorageUrl: string | undefined;
  /** A folder; `file:` URLs below it may be imported. */
  readonly fileRoot: string | undefined;
  readonly authIssuer: string | undefined;
  readonly authAudience: string | undefined;
  /** Name of the claim that carries the roles. */
  readonly authRolesClaim: string;
  /** What `eq` means for dates: `contain` (R4's text) or `overlap` (contract 10.3), decision D-20. */
  readonly dateEquality: "contain" | "overlap";
  /** Whether a conditional delete removes several matches, instead of refusing them (412). */
  readonly conditionalDeleteMultiple: boolean;
  /** As many of them at most. */
  readonly conditionalDeleteLimit: number;
  /** IANA name of the zone of dates without one (decision D-29); undefined means the one that the store was made with. */
  readonly timeZone: string | undefined;
  /** Origins of pages that may use the FHIR API from a browser; `*` is any. */
  readonly corsOrigins: readonly string[];
  readonly logLevel: LogLevel;
}

/** A key of {@link Settings}; also its name in `stoker.config.json`. */
export type SettingKey = keyof Settings;

/** One setting as users see it. The environment variable and the flag follow from {@link env}. */
export interface SettingDefinition<T> {
  /** Environment variable. */
  readonly env: string;
  /** Stands for the value in help texts, for example `PORT`. */
  readonly placeholder: string;
  /** The default as a person reads it; {@link fallback} is what the program uses. */
  readonly defaultText: string;
  readonly fallback: T;
  /** What is allowed, as the end of the sentence "must be ...". */
  readonly allowed: string;
  /** One or two sentences. */
  readonly help: string;
  /** True when the value holds a password or key and is never printed. */
  readonly secret?: true;
  /** From a text (environment, flag) or a JSON value (file) to the setting. */
  readonly schema: z.ZodType<T>;
}

const text = z.string().trim().min(1);
const optionalText: z.ZodType<string | undefined> = text;

function wholeNumber(minimum: number, maximum: number): z.ZodType<number> {
  return z
    .union([z.number(), z.string().trim().regex(/^\d+$/).transform(Number)])
    .pipe(z.number().int().min(minimum).max(maximum));
}

const hours: z.ZodType<number> = z
  .union([
    z.number(),
    z
      .string()
      .trim()
      .regex(/^\d+(?:\.\d+)?$/)
      .transform(Number),
  ])
  .pipe(z.number().min(0.001).max(8760));

const truth: z.ZodType<boolean> = z.union([
  z.boolean(),
  z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(["true", "false", "1", "0", "yes", "no", "on", "off"]))
    .transform((word) => ["true", "1", "yes", "on"].includes(word)),
]);

function url(accepts: (url: URL) => boolean): z.ZodType<string | undefined> {
  return text.refine((value) => URL.canParse(value) && accepts(new URL(value))).transform(withoutTrailingSlashes);
}

/** Texts separated by commas. */
function list(accepts: (item: string) => boolean): z.ZodType<readonly string[]> {
  return text.transform((value) => value.split(",").map((item) => item.trim())).refine((items) => items.every(accepts));
}

/** An origin as browsers send it, without a slash at its end, or any. */
function isOrigin(value: string): boolean {
  return value === "*" || (URL.canParse(value) && isWeb(new URL(value)) && new URL(value).origin === value);
}

function isWeb(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}

/** True for names and addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  return name === "localhost" || name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** All settings of a server, in the order of the documentation. */
export const SETTING_TABLE: { readonly [Key in SettingKey]: SettingDefinition<Settings[Key]> } = {
  host: {
    env: "STOKER_HOST",
    placeholder: "ADDRESS",
    defaultText: "127.0.0.1",
    fallback: "127.0.0.1",
    allowed: "a host name or an IP address",
    help: "Address to listen on. Non-loopback addresses require authentication.",
    schema: text.regex(/^[\w.:[\]-]+$/),
  },
  port: {
    env: "STOKER_PORT",
    placeholder: "PORT",
    defaultText: "8080",
    fallback: 8080,
    allowed: "a port number from 0 to 65535",
    help: "Port to listen on. 0 means any free port.",
    schema: wholeNumber(0, 65_535),
  },
  baseUrl: {
    env: "STOKER_BASE_URL",
    placeholder: "URL",
    defaultText: "http://HOST:PORT/fhir",
    fallback: undefined,
    allowed: "an http or https URL without query and fragment, for example https://fhir.example.org/fhir",
    help: "Public base URL in links and Content-Location, for a server behind a proxy.",
    schema: url((value) => isWeb(value) && value.search === "" && value.hash === ""),
  },
  databaseUrl: {
    env: "STOKER_DATABASE_URL",
    placeholder: "URL",
    defaultText: "unset = embedded PostgreSQL",
    fallback: undefined,
    allowed: "a URL like postgres://user:password@host:5432/database",
    help: "PostgreSQL 15 or later. Without it, an embedded PostgreSQL in the data folder is used.",
    secret: true,
    schema: url((value) => value.protocol === "postgres:" || value.protocol === "postgresql:"),
  },
  dataDir: {
    env: "STOKER_DATA_DIR",
    placeholder: "FOLDER",
    defaultText: "./.stoker",
    fallback: "./.stoker",
    allowed: "a folder",
    help: "Folder of the embedded PostgreSQL, the error logs of local imports and the files of exports. Created if it does not exist.",
    schema: text,
  },
  workers: {
    env: "STOKER_WORKERS",
    placeholder: "COUNT",
    defaultText: "number of cores",
    fallback: Math.max(1, availableParallelism()),
    allowed: "a whole number from 1 to 256",
    help: "Number of import units that this process works on in parallel, and of threads of an export.",
    schema: wholeNumber(1, 256),
  },
  importEnabled: {
    env: "STOKER_IMPORT_ENABLED",
    placeholder: "BOOLEAN",
    defaultText: "true",
    fallback: true,
    allowed: "true or false",
    help: "Whether this server accepts $import.",
    schema: truth,
  },
  initialImportMode: {
    env: "STOKER_INITIAL_IMPORT_MODE",
    placeholder: "BOOLEAN",
    defaultText: "false",
    fallback: false,
    allowed: "true or false",
    help: "Allows InitialLoad and refuses all other writes (423).",
    schema: truth,
  },
  importMaxInputs: {
    env: "STOKER_IMPORT_MAX_INPUTS",
    placeholder: "COUNT",
    defaultText: "10000",
    fallback: 10_000,
    allowed: "a whole number from 1 to 1000000",
    help: "Maximum number of input files per import.",
    schema: wholeNumber(1, 1_000_000),
  },
  importMaxOpen: {
    env: "STOKER_IMPORT_MAX_OPEN",
    placeholder: "COUNT",
    defaultText: "1000",
    fallback: 1000,
    allowed: "a whole number from 1 to 1000000",
    help: "Maximum number of waiting and running imports. Further ones are refused (429).",
    schema: wholeNumber(1, 1_000_000),
  },
  exportMaxOpen: {
    env: "STOKER_EXPORT_MAX_OPEN",
    placeholder: "COUNT",
    defaultText: "10",
    fallback: 10,
    allowed: "a whole number from 1 to 100000",
    help: "Maximum number of waiting and running exports. Further ones are refused (429).",
    schema: wholeNumber(1, 100_000),
  },
  jobMaxHours: {
    env: "STOKER_JOB_MAX_HOURS",
    placeholder: "HOURS",
    defaultText: "168",
    fallback: 168,
    allowed: "a number from 0.001 to 8760",
    help: "Hours after which an unfinished import, export or reindex fails.",
    schema: hours,
  },
  jobExpiry: {
    env: "STOKER_JOB_EXPIRY",
    placeholder: "HOURS",
    defaultText: "168",
    fallback: 168,
    allowed: "a number from 0.001 to 8760",
    help: "Hours for which finished exports (with their files) and reindexes are kept. Imports are kept indefinitely.",
    schema: hours,
  },
  jobMinFreeBytes: {
    env: "STOKER_JOB_MIN_FREE_BYTES",
    placeholder: "BYTES",
    defaultText: "100000000",
    fallback: 100_000_000,
    allowed: "a whole number from 0 to 1000000000000000",
    help: "Bytes that must be free on the disks of the embedded PostgreSQL and of the exports. With less, new jobs are refused (503) and running exports fail.",
    schema: wholeNumber(0, 1_000_000_000_000_000),
  },
  azureStorageConnectionString: {
    env: "STOKER_AZURE_STORAGE_CONNECTION_STRING",
    placeholder: "TEXT",
    defaultText: "unset",
    fallback: undefined,
    allowed: "an Azure Storage connection string (AccountName=...;AccountKey=...) or UseDevelopmentStorage=true",
    help: "Storage account for imports and exports. UseDevelopmentStorage=true and an explicit BlobEndpoint work, too (Azurite).",
    secret: true,
    schema: optionalText.refine((value) => /(?:^|;)\s*[A-Za-z]+=/.test(value ?? "")),
  },
  azureStorageUrl: {
    env: "STOKER_AZURE_STORAGE_URL",
    placeholder: "URL",
    defaultText: "unset",
    fallback: undefined,
    allowed: "the https URL of a storage account, for example https://account.blob.core.windows.net",
    help: "Storage account for imports and exports, accessed with managed identity.",
    schema: url((value) => value.protocol === "https:" && value.search === ""),
  },
  fileRoot: {
    env: "STOKER_FILE_ROOT",
    placeholder: "FOLDER",
    defaultText: "unset",
    fallback: undefined,
    allowed: "a folder that exists",
    help: "file: URLs below this folder may be imported, except through symbolic links that lead out of it.",
    schema: optionalText,
  },
  authIssuer: {
    env: "STOKER_AUTH_ISSUER",
    placeholder: "URL",
    defaultText: "unset = no authentication",
    fallback: undefined,
    allowed: "an https URL (http only on a loopback address)",
    help: "OpenID Connect issuer. Not supported yet.",
    schema: url((value) => value.protocol === "https:" || (value.protocol === "http:" && isLoopback(value.hostname))),
  },
  authAudience: {
    env: "STOKER_AUTH_AUDIENCE",
    placeholder: "TEXT",
    defaultText: "unset",
    fallback: undefined,
    allowed: "any non-empty text",
    help: "Audience that access tokens must name. Not supported yet.",
    schema: optionalText,
  },
  authRolesClaim: {
    env: "STOKER_AUTH_ROLES_CLAIM",
    placeholder: "NAME",
    defaultText: "roles",
    fallback: "roles",
    allowed: "the name of a claim",
    help: "Claim of the access token that lists the caller's roles. Not supported yet.",
    schema: text,
  },
  dateEquality: {
    env: "STOKER_DATE_EQUALITY",
    placeholder: "RULE",
    defaultText: "contain",
    fallback: "contain",
    allowed: "contain or overlap",
    help: "Meaning of a date search without a prefix: the stored period lies within the given one (contain, as in R4), or the two overlap (overlap, as in Azure).",
    schema: z.enum(["contain", "overlap"]),
  },
  conditionalDeleteMultiple: {
    env: "STOKER_CONDITIONAL_DELETE_MULTIPLE",
    placeholder: "BOOLEAN",
    defaultText: "false",
    fallback: false,
    allowed: "true or false",
    help: "Whether DELETE [type]?criteria removes all matches. If not, several matches are refused (412).",
    schema: truth,
  },
  conditionalDeleteLimit: {
    env: "STOKER_CONDITIONAL_DELETE_LIMIT",
    placeholder: "COUNT",
    defaultText: "1000",
    fallback: 1000,
    allowed: "a whole number from 1 to 10000",
    help: "Maximum number of resources that one conditional delete removes. With more matches it removes none (412).",
    schema: wholeNumber(1, 10_000),
  },
  timeZone: {
    env: "STOKER_TIME_ZONE",
    placeholder: "NAME",
    defaultText: "UTC",
    fallback: undefined,
    allowed: "an IANA time zone such as Europe/Berlin",
    help: "Time zone of dates without a time. It is fixed when a store is created. Without the setting, a store keeps its zone.",
    schema: optionalText.refine((value) => timeZoneName(value ?? "") !== undefined),
  },
  corsOrigins: {
    env: "STOKER_CORS_ORIGINS",
    placeholder: "ORIGINS",
    defaultText: "none",
    fallback: [],
    allowed: "origins separated by commas, for example https://app.example.org, or *",
    help: "Web pages of these origins may use the FHIR API from a browser. Without authentication, anyone who can serve such a page can read all data.",
    schema: list(isOrigin),
  },
  logLevel: {
    env: "STOKER_LOG_LEVEL",
    placeholder: "LEVEL",
    defaultText: "info",
    fallback: "info",
    allowed: LOG_LEVELS.join(", "),
    help: "Minimum level of the JSON log lines on standard error.",
    schema: z.enum(LOG_LEVELS),
  },
};

/** The keys of {@link SETTING_TABLE} in its order. */
export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SETTING_TABLE) as SettingKey[];

/** The command-line flag of a setting: `STOKER_DATA_DIR` is `--data-dir`. */
export function flagOf(key: SettingKey): string {
  return `--${SETTING_TABLE[key].env.slice("STOKER_".length).toLowerCase().replaceAll("_", "-")}`;
}
