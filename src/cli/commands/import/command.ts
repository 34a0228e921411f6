import { join, resolve } from "node:path";
import { Option, type Command } from "commander";
import { StokerError } from "../../../base/errors.ts";
import { openLogger } from "../../../base/logger.ts";
import { loadSettings, terminalEnvironment, type Settings } from "../../../base/settings.ts";
import type { SettingKey } from "../../../base/setting-table.ts";
import { RESOURCE_TYPES } from "../../../fhir/resource-types.ts";
import { formatPlural } from "../../../terminal/format.ts";
import { createDisplay } from "../../../terminal/display.ts";
import { quotedText, reportLines, type ImportReport } from "../../report/report.ts";
import { leftoverNotice } from "../clean.ts";
import { rememberStore } from "../known-stores.ts";
import { openNotices } from "../../../terminal/notices.ts";
import { configFile, openUnlessStopped } from "../serve.ts";
import { openServer, type RunningServer } from "../../../server/server.ts";
import { addSettingOptions, settingFlags } from "../../../terminal/setting-options.ts";
import { openStopRequests } from "../../../terminal/stop.ts";
import { openTerminal } from "../../../terminal/terminal.ts";
import { commonFolder, resolveInputs, type CliInput } from "./inputs.ts";
import { runImportCommand, type ImportEnd, type ImportRunOptions } from "./run-import.ts";
import { withoutTrailingSlashes } from "../../../base/trailing-slashes.ts";

interface ImportFlags extends Record<string, unknown> {
  /** True: the one of STOKER_BASE_URL. */
  readonly server?: string | true;
  readonly mode: "IncrementalLoad" | "InitialLoad";
  readonly type?: string;
  readonly allowNegativeVersions?: boolean;
  readonly token?: string;
  readonly json?: boolean;
}

/** Settings that an import with a server of its own takes as flags. */
const OWN_SERVER_SETTINGS: readonly SettingKey[] = [
  "dataDir",
  "databaseUrl",
  "workers",
  "azureStorageConnectionString",
  "azureStorageUrl",
  "logLevel",
];

const EXAMPLES = `
Examples:
  $ stoker import ./exports                      every *.ndjson below the folder, into the database in ./.stoker
  $ stoker import Patient.ndjson --type Patient --mode InitialLoad
  $ stoker import ./exports --server              the server of STOKER_BASE_URL
  $ stoker import ./exports --server http://127.0.0.1:8080/fhir

Exit code: 0 all lines loaded, 1 some lines rejected, 2 fatal error or cancelled.`;

/** `stoker import`. */
export function addImportCommand(program: Command): void {
  const command = program
    .command("import")
    .description("load NDJSON files, folders or blobs into a server, and report every line that was rejected")
    .argument("<PATH-OR-URL...>", "files, folders (all *.ndjson below them), file: and https: URLs")
    .option(
      "--server [URL]",
      "FHIR base of the server to import into [STOKER_BASE_URL; http://127.0.0.1:8080/fhir]; without --server, one is started on the data folder",
    )
    .addOption(
      new Option("--mode <MODE>", "how to treat resources that exist already")
        .choices(["IncrementalLoad", "InitialLoad"])
        .default("IncrementalLoad"),
    )
    .addOption(new Option("--type <TYPE>", "resource type of every line; other lines are rejected"))
    .option(
      "--allow-negative-versions",
      "assign negative versions to lines that are older than stored ones and find no free number",
    )
    .option("--token <TOKEN>", "bearer token for --server [STOKER_TOKEN]")
    .option("--json", "print the result as JSON, show no progress")
    .addHelpText("after", EXAMPLES);
  addSettingOptions(command, OWN_SERVER_SETTINGS).action(async (words: string[], flags: ImportFlags) => {
    process.exitCode = await importInputs(words, flags);
  });
}

async function importInputs(words: readonly string[], flags: ImportFlags): Promise<number> {
  if (flags.type !== undefined && !RESOURCE_TYPES.includes(flags.type)) {
    throw new StokerError(
      "bad-request",
      `--type ${flags.type} is not a resource type of FHIR R4; types are written like Patient`,
    );
  }
  const settings = flags.server === undefined ? ownSettings(flags) : undefined;
  const { inputs, leftOut } = resolveInputs(words, process.cwd(), settings && resolve(settings.dataDir));
  if (leftOut.length > 0) process.stderr.write(`${leftOutLine(leftOut)}\n`);
  const requests = openStopRequests();
  let own: RunningServer | undefined;
  try {
    const order = {
      inputs: inputs.map(({ url }) => ({ url, type: flags.type })),
      mode: flags.mode,
      allowNegativeVersions: flags.allowNegativeVersions ?? false,
    };
    const common = {
      order,
      knownBytes: inputs.reduce((sum, input) => sum + input.bytes, 0),
      display: flags.json ? undefined : createDisplay(openTerminal(process.stderr)),
      signal: requests.signal,
    };
    let options: ImportRunOptions;
    if (settings !== undefined) {
      own = await openOwnServer(ownServerSettings(inputs, settings), requests.signal);
      if (own === undefined) return cancelledAtStart();
      const logFolder = (id: string): string => join(settings.dataDir, "imports", id);
      options = { ...common, server: { baseUrl: own.baseUrl, token: undefined }, logFolder, pollMs: 250 };
    } else {
      const token = flags.token ?? terminalEnvironment().token;
      options = {
        ...common,
        server: { baseUrl: serverBase(serverFlag(flags) ?? terminalEnvironment().baseUrl), token },
        logFolder: undefined,
        pollMs: 1000,
      };
    }
    const end = await followImport(options, inputs, flags);
    if (settings !== undefined) await rememberOwnStore(settings);
    return show(end, flags, settings);
  } finally {
    await own?.close();
    requests.close();
  }
}

async function followImport(
  options: ImportRunOptions,
  inputs: readonly CliInput[],
  flags: ImportFlags,
): Promise<ImportEnd> {
  try {
    return await runImportCommand(options);
  } catch (error) {
    throw error instanceof StokerError && isSourceRefusal(error) ? sourceRefusal(error, inputs, flags) : error;
  }
}

/** A refusal of R-008 or R-012 for people: what the server says beside the contract's text, and what to do. */
function sourceRefusal(error: StokerError, inputs: readonly CliInput[], { server }: ImportFlags): StokerError {
  const isUnset = server === undefined && error.message.startsWith("The import storage account is not configured");
  const reason = isUnset ? "No storage account is configured" : (error.details ?? error.message.trim());
  const local = inputs.some((input) => input.path !== undefined);
  const hint =
    server === undefined
      ? "name the storage account with --azure-storage-connection-string or STOKER_AZURE_STORAGE_CONNECTION_STRING"
      : local
        ? "the server reads the files itself: start it with --file-root (STOKER_FILE_ROOT) for a folder that contains them"
        : undefined;
  return new StokerError("bad-request", hint === undefined ? reason : `${reason} (${hint})`, { cause: error });
}

/** Ctrl-C while the database was made or started. */
function cancelledAtStart(): number {
  process.stderr.write("cancelled before the import began; nothing was loaded\n");
  return 2;
}

async function rememberOwnStore({ databaseUrl, dataDir }: Settings): Promise<void> {
  if (databaseUrl === undefined) await rememberStore(terminalEnvironment().stateFolder, dataDir);
}

/** The URL after `--server`; undefined when it stands there alone or not at all. */
function serverFlag({ server }: ImportFlags): string | undefined {
  return server === true ? undefined : server;
}

/** R-008 and R-012, with which a server refuses files that it may not read. */
function isSourceRefusal(error: StokerError): boolean {
  return /import storage account is not configured|must match the configured integration storage account/.test(
    error.message,
  );
}

/** Undefined when it was stopped meanwhile. */
async function openOwnServer(settings: Settings, stop: AbortSignal): Promise<RunningServer | undefined> {
  const logger = openLogger(settings.logLevel, "import");
  const notice = openNotices(logger);
  try {
    const leftovers = await leftoverNotice();
    if (leftovers !== undefined) notice(leftovers);
    return await openUnlessStopped((signal) => openServer(settings, logger, { notice, stop: signal }), stop);
  } catch (error) {
    if (!(error instanceof StokerError) || !error.message.includes("in use by another Stoker")) throw error;
    const url = /answers at (\S+?)\)/.exec(error.message)?.[1];
    const hint =
      url === undefined
        ? "If that is a running server, import through it with --server URL."
        : `To import through it: stoker import … --server ${url}`;
    throw new StokerError("setting", `${error.message} ${hint}`, { cause: error });
  }
}

function ownSettings(flags: ImportFlags): Settings {
  return loadSettings({
    flags: settingFlags(flags),
    defaults: { logLevel: "warn" },
    ...configFile(flags),
    listens: false,
  });
}

/** A server for this import alone: any free port, and a file root that holds all inputs. */
function ownServerSettings(inputs: readonly CliInput[], settings: Settings): Settings {
  return Object.freeze({
    ...settings,
    host: "127.0.0.1",
    port: 0,
    baseUrl: undefined,
    importEnabled: true,
    initialImportMode: false,
    importMaxInputs: Math.max(settings.importMaxInputs, inputs.length),
    fileRoot: commonFolder(inputs),
  });
}

/** Checks and normalises the FHIR base given by a user. Throws `bad-request`. */
export function serverBase(text: string): string {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    throw new StokerError(
      "bad-request",
      `--server ${text} is not an http or https URL; it looks like http://127.0.0.1:8080/fhir`,
    );
  }
  return withoutTrailingSlashes(text);
}

/** Tells of files that were passed over, so that nobody takes them for loaded. */
function leftOutLine(paths: readonly string[]): string {
  const more = paths.length > 3 ? ` and ${formatPlural(paths.length - 3, "other file")}` : "";
  const shown = paths.slice(0, 3).join(", ");
  return `not imported: ${shown}${more}; only *.ndjson files of a folder are imported: unpack compressed files, and name other files one by one`;
}

/** The command that imports corrected lines as these were imported. */
function commandAgain(flags: ImportFlags): string {
  return [
    "stoker import",
    ...(flags.server === true ? ["--server"] : valued("server", flags.server)),
    ...valued("data-dir", flags["dataDir"]),
    // Its text may hold a password.
    ...(flags["databaseUrl"] === undefined ? [] : ["--database-url URL"]),
    ...valued("type", flags.type),
    ...(flags.mode === "InitialLoad" ? ["--mode InitialLoad"] : []),
    ...(flags.allowNegativeVersions === true ? ["--allow-negative-versions"] : []),
  ].join(" ");
}

function valued(name: string, value: unknown): string[] {
  return typeof value === "string" ? [`--${name}`, quotedText(value)] : [];
}

/** Prints how an import ended and returns the exit code. */
function show(end: ImportEnd, flags: ImportFlags, own: Settings | undefined): number {
  const json = flags.json ?? false;
  if (end.kind === "cancelled") {
    const loaded = end.last?.loaded ?? 0;
    if (json) process.stdout.write(`${JSON.stringify({ id: end.id, state: "cancelled", loaded })}\n`);
    process.stderr.write(
      `import ${end.id} cancelled; what had been loaded is kept${loaded > 0 ? ` (about ${formatPlural(loaded, "resource")})` : ""}; importing the same files again adds the rest\n`,
    );
    return 2;
  }
  const rejected = end.report.rows.reduce((sum, row) => sum + row.rejected, 0);
  if (json) {
    process.stdout.write(`${JSON.stringify(jsonReport(end.id, end.report))}\n`);
  } else {
    const terminal = openTerminal(process.stdout);
    const style = { width: terminal.interactive ? terminal.width() : 100, color: terminal.color };
    const next = own === undefined ? nextOnServer(flags) : nextOnStore(own, flags);
    const lines = reportLines({ ...end.report, again: commandAgain(flags), next }, style);
    process.stdout.write(`${lines.join("\n")}\n`);
  }
  return rejected > 0 ? 1 : 0;
}

/** Where the data of an import without `--server` is, and the command that serves it. */
function nextOnStore({ databaseUrl, dataDir }: Settings, flags: ImportFlags): readonly [text: string, command: string] {
  if (databaseUrl !== undefined) return ["The data is in the database of --database-url. To serve it:", "stoker serve"];
  const isDefault = flags["dataDir"] === undefined;
  const command = isDefault ? "stoker serve" : `stoker serve --data-dir ${quotedText(dataDir)}`;
  const where = isDefault ? ", from this folder" : "";
  return [`The data is in ${dataDir}. To search it, start a server${where}:`, command];
}

function nextOnServer(flags: ImportFlags): readonly [text: string, command: string] {
  const base = serverBase(serverFlag(flags) ?? terminalEnvironment().baseUrl);
  return ["The data is in the server. A first search:", `curl '${base}/Patient?_summary=count'`];
}

function jsonReport(id: string, report: ImportReport): unknown {
  const { rows, ...rest } = report;
  const loaded = rows.reduce((sum, row) => sum + row.loaded, 0);
  const rejected = rows.reduce((sum, row) => sum + row.rejected, 0);
  return { id, state: "completed", loaded, rejected, types: rows, ...rest };
}
