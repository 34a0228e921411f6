import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openLogger } from "../../src/base/logger.ts";
import { loadSettings } from "../../src/base/settings.ts";
import { databaseUrl } from "../../src/bench/databases.ts";
import { openServer, type RunningServer } from "../../src/server/server.ts";
import { createTestDatabase } from "../../src/postgres/testing/test-database.ts";
import { freePort, openAzurite } from "./azurite.ts";
import { input, registration } from "./import-server.ts";

/** What the page calls its server, its folder and its storage account. */
const PAGE = {
  server: "http://127.0.0.1:8080",
  folder: "/data",
  account: "https://myaccount.blob.core.windows.net",
} as const;

/** The server that a page's examples speak to. Texts of the page are given and taken in the page's own names. */
export interface GuideServer {
  /** Starts the server as a command line of the page says, on the same database, unless it runs like this already. */
  start(command: string): Promise<void>;
  writeFile(path: string, content: string): Promise<void>;
  /** `etag`: what the page calls the blob's. */
  writeBlob(url: string, etag: string, content: string): Promise<void>;
  send(method: string, url: string, headers?: Record<string, string>, body?: string): Promise<GuideAnswer>;
  /** The page calls the import `actual` by the id `shown`; what has a name already, on either side, keeps it. */
  call(shown: string, actual: string): void;
  /** Imports a file of the page, as a new import each time; gives the id that the server gave, and the result's JSON. */
  load(url: string, options?: LoadOptions): Promise<{ id: string; body: string }>;
  /** Base of the server as it is. */
  readonly base: string;
  /** Renames what the server said to what the page says. */
  inPageNames(text: string): string;
  close(): Promise<void>;
}

/** How a file is imported. */
export interface LoadOptions {
  readonly mode?: "InitialLoad" | "IncrementalLoad";
  readonly negatives?: boolean;
}

/** An answer, its body in the page's names. */
export interface GuideAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Opens a database, a folder and an Azurite; {@link GuideServer.start} is to be called next. */
export async function openGuideServer(): Promise<GuideServer> {
  const database = await createTestDatabase();
  const azurite = await openAzurite();
  const folder = await realpath(await mkdtemp(join(tmpdir(), "stoker-guide-")));
  // One port for all starts: the address is a part of what makes two registrations the same
  const port = await freePort();
  const names = new Map<string, string>();
  let running: { command: string; server: RunningServer } | undefined;
  let loads = 0;

  const pairs = (): [string, string][] => [
    [PAGE.server, new URL(base()).origin],
    [`file://${PAGE.folder}/`, `${pathToFileURL(folder).href}/`],
    [PAGE.account, azurite.blobEndpoint],
    ...names,
  ];
  const base = (): string => running?.server.baseUrl ?? "";
  const inServerNames = (text: string): string => pairs().reduce((out, [from, to]) => out.replaceAll(from, to), text);
  const inPageNames = (text: string): string => pairs().reduce((out, [to, from]) => out.replaceAll(from, to), text);

  async function stop(): Promise<void> {
    const { server } = running ?? {};
    running = undefined;
    await server?.close();
  }

  async function send(
    method: string,
    url: string,
    headers: Record<string, string> = {},
    body?: string,
  ): Promise<GuideAnswer> {
    const response = await fetch(inServerNames(url), {
      method,
      headers,
      ...(body === undefined ? {} : { body: inServerNames(body) }),
    });
    return { status: response.status, headers: response.headers, body: inPageNames(await response.text()) };
  }

  return {
    get base() {
      return base();
    },
    inPageNames,
    send,
    async start(command) {
      if (running?.command === command) return;
      await stop();
      const environment: Record<string, string> = {};
      for (const [, name = "", value = ""] of command.matchAll(/(STOKER_\w+)=('[^']*'|\S+) /g)) {
        environment[name] = value === PAGE.folder ? folder : value;
        if (value.includes("AccountName=")) environment[name] = azurite.connectionString;
      }
      if (!/^(?:STOKER_\w+=(?:'[^']*'|\S+) )*bin\/stoker serve$/.test(command))
        throw new Error(`not known: ${command}`);
      const settings = loadSettings({
        environment: {
          ...environment,
          STOKER_PORT: String(port),
          STOKER_WORKERS: "2",
          STOKER_DATABASE_URL: databaseUrl(database.connection),
        },
        folder,
      });
      running = { command, server: await openServer(settings, openLogger("silent", "test")) };
    },
    async writeFile(path, content) {
      await writeFile(path.replace(PAGE.folder, folder), content);
    },
    async writeBlob(url, etag, content) {
      const [container = "", name = ""] = url.slice(PAGE.account.length + 1).split("/");
      const blob = await azurite.upload(container, name, content);
      names.set(etag, blob.etag.replaceAll('"', ""));
    },
    call(shown, actual) {
      if (!names.has(shown) && ![...names.values()].includes(actual)) names.set(shown, actual);
    },
    async load(url, { mode, negatives } = {}) {
      const more = [
        { name: "inputSource", valueString: `guide ${String(++loads)}` },
        { name: "allowNegativeVersions", valueBoolean: negatives ?? false },
        { name: "mode", valueString: mode ?? "IncrementalLoad" },
      ];
      const answer = await send(
        "POST",
        `${PAGE.server}/fhir/$import`,
        { prefer: "respond-async", "content-type": "application/fhir+json" },
        JSON.stringify(registration([input(url)], more)),
      );
      const location = answer.headers.get("content-location") ?? "";
      for (;;) {
        const { status, body } = await send("GET", location);
        if (status === 200) return { id: /\d+$/.exec(location)?.[0] ?? "", body };
        if (status !== 202) throw new Error(body);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async close() {
      await stop();
      await azurite.close();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
