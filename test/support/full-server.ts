import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openLogger } from "../../src/base/logger.ts";
import { loadSettings } from "../../src/base/settings.ts";
import { databaseUrl } from "../../src/bench/databases.ts";
import { openServer, type RunningServer } from "../../src/server/server.ts";
import { createTestDatabase, type TestDatabase } from "../../src/postgres/testing/test-database.ts";
import { input, registration, type BodyParameter } from "./import-server.ts";

/** The whole server with its worker threads (those of dist/: build first) on a database of its own. */
export interface FullServer {
  /** Another one after a restart. */
  readonly base: string;
  /** The folder below which `file:` inputs may lie. */
  readonly folder: string;
  readonly database: TestDatabase;
  /** Writes an input below the file root and gives its URL. */
  file(name: string, content: string | Uint8Array): Promise<string>;
  /** Sends the registration and gives the answer. */
  register(options: ImportOptions, headers?: Record<string, string>): Promise<Response>;
  /** Registers an import and waits until the status is no longer 202. */
  load(options: ImportOptions): Promise<Outcome>;
  /** Waits until the status at this address is no longer 202. */
  outcome(location: string): Promise<Outcome>;
  get(path: string): Promise<Response>;
  /** The answer's body, which must come with 200. */
  json(path: string): Promise<Json>;
  /** `Type/id` of every resource that a search finds, over all pages, sorted. */
  search(query: string): Promise<string[]>;
  /** Stops the server in good order and starts it again on the same database. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** JSON whose shape a test knows. */
// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into at many depths
export type Json = any;

/** An input, by URL or with declared type or etag. */
export type ImportInput = string | { readonly url: string; readonly type?: string; readonly etag?: string };

/** What is imported and how. */
export interface ImportOptions {
  readonly inputs: readonly ImportInput[];
  readonly mode?: "InitialLoad" | "IncrementalLoad";
  readonly negatives?: boolean;
  readonly unitBytes?: number;
  readonly errorContainer?: string;
}

/** How an import ended. */
export interface Outcome {
  readonly status: number;
  readonly body: Json;
  readonly location: string;
}

/** A line of an error log. */
export interface LoggedError {
  readonly line: number;
  readonly offset: number;
  readonly code: string;
  readonly text: string;
  readonly expression: string | undefined;
}

/** Starts a server. `connectionString`: of a storage account, beside the file root; `environment`: further settings. */
export async function openFullServer(
  options: { connectionString?: string; environment?: Readonly<Record<string, string>> } = {},
): Promise<FullServer> {
  const database = await createTestDatabase();
  // The server tells of files by their real path
  const folder = await realpath(await mkdtemp(join(tmpdir(), "stoker-contract-")));
  const settings = loadSettings({
    environment: {
      STOKER_PORT: "0",
      STOKER_WORKERS: "2",
      STOKER_DATABASE_URL: databaseUrl(database.connection),
      STOKER_FILE_ROOT: folder,
      STOKER_AZURE_STORAGE_CONNECTION_STRING: options.connectionString,
      ...options.environment,
    },
    folder,
  });
  const open = async (): Promise<RunningServer> => await openServer(settings, openLogger("silent", "test"));
  let server = await open().catch(async (error: unknown) => {
    await database.drop();
    throw error;
  });

  async function register(wanted: ImportOptions, headers: Record<string, string> = {}): Promise<Response> {
    const more: BodyParameter[] = [
      { name: "mode", valueString: wanted.mode ?? "IncrementalLoad" },
      { name: "force", valueBoolean: true },
      { name: "allowNegativeVersions", valueBoolean: wanted.negatives ?? false },
    ];
    if (wanted.unitBytes !== undefined) {
      more.push({ name: "processingUnitBytesToRead", valueInteger: wanted.unitBytes });
    }
    if (wanted.errorContainer !== undefined) {
      more.push({ name: "errorContainerName", valueString: wanted.errorContainer });
    }
    const inputs = wanted.inputs.map((one) => (typeof one === "string" ? input(one) : input(one.url, one)));
    return await fetch(`${server.baseUrl}/$import`, {
      method: "POST",
      headers: { prefer: "respond-async", "content-type": "application/fhir+json", ...headers },
      body: JSON.stringify(registration(inputs, more)),
    });
  }

  async function json(path: string): Promise<Json> {
    const response = await fetch(path.startsWith("http") ? path : `${server.baseUrl}/${path}`);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`GET ${path} answered ${String(response.status)}: ${text}`);
    return JSON.parse(text);
  }

  return {
    get base() {
      return server.baseUrl;
    },
    folder,
    database,
    register,
    outcome,
    json,
    async file(name, content) {
      const path = join(folder, name);
      await writeFile(path, content);
      return pathToFileURL(path).href;
    },
    async load(wanted) {
      const response = await register(wanted);
      const location = response.headers.get("content-location");
      if (response.status !== 202 || location === null) throw new Error(await response.text());
      return await outcome(location);
    },
    async get(path) {
      return await fetch(`${server.baseUrl}/${path}`);
    },
    async search(query) {
      const found: string[] = [];
      let next: string | undefined = `${query}${query.includes("?") ? "&" : "?"}_count=1000`;
      while (next !== undefined) {
        const bundle: Json = await json(next);
        for (const { resource } of bundle.entry ?? []) found.push(`${resource.resourceType}/${resource.id}`);
        next = bundle.link.find((link: Json) => link.relation === "next")?.url;
      }
      return found.toSorted();
    },
    async restart() {
      await server.close();
      server = await open();
    },
    async close() {
      await server.close();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until the status at this address is no longer 202. */
async function outcome(location: string): Promise<Outcome> {
  for (;;) {
    const response = await fetch(location);
    const text = await response.text();
    if (response.status !== 202) return { status: response.status, body: JSON.parse(text), location };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The error log of the only input with rejected lines, or of the one with this URL; empty when there is none. */
export async function errorLog({ body }: Outcome, inputUrl?: string): Promise<LoggedError[]> {
  const entries: Json[] = body.error.filter((entry: Json) => inputUrl === undefined || entry.inputUrl === inputUrl);
  if (entries.length > 1) throw new Error("more than one error log");
  if (entries[0] === undefined) return [];
  const response = await fetch(entries[0].url);
  if (response.status !== 200) throw new Error(`the error log answered ${String(response.status)}`);
  const errors = readErrorLog(await response.text());
  if (errors.length !== entries[0].count) throw new Error(`error.count is ${String(entries[0].count)}`);
  return errors;
}

/** Reads an error log strictly: one OperationOutcome with one issue a line, in file order. */
export function readErrorLog(text: string): LoggedError[] {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the error log's last line has no end");
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line) => {
    const { resourceType, issue } = JSON.parse(line);
    if (resourceType !== "OperationOutcome" || issue.length !== 1) throw new Error(`not an error log line: ${line}`);
    const [{ severity, code, details, diagnostics, extension, expression }] = issue;
    const place = /^Failed to process resource at line: (\d+) with stream start offset: 0$/.exec(diagnostics);
    if (severity !== "error" || place === null) throw new Error(`not an error log line: ${line}`);
    const offset = extension[0].valueDecimal as number;
    return { line: Number(place[1]), offset, code, text: details.text, expression: expression?.[0] };
  });
}
