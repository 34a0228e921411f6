import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { input, registration, type BodyParameter } from "./import-server.ts";

/** A temporary folder with a file root and a data folder, and the processes that were started in it. */
export interface Workplace {
  /** Files below it may be imported. */
  readonly files: string;
  /** Data folder of the servers that have no other database. */
  readonly data: string;
  /** Starts `bin/stoker serve` and waits until it is ready. */
  serve(settings?: Readonly<Record<string, string>>): Promise<StokerRun>;
  /** Starts `bin/stoker worker`, which has no FHIR base, and waits until it is ready. */
  work(settings: Readonly<Record<string, string>>): Promise<StokerRun>;
  /** Kills what is left and removes everything. */
  close(): Promise<void>;
}

/** A running `bin/stoker serve` or `bin/stoker worker`. */
export interface StokerRun {
  readonly child: ChildProcess;
  /** FHIR base, without a slash at the end; of a worker the empty text. */
  readonly base: string;
  /** What it said on standard error so far. */
  said(): string;
  /** Sends a signal and waits for the end; the exit code, null after SIGKILL. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Makes a workplace. */
export async function openWorkplace(): Promise<Workplace> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "stoker-faults-")));
  await chmod(folder, 0o711); // started by root, PostgreSQL runs as another user
  const files = join(folder, "files");
  await mkdir(files);
  const data = join(folder, "data");
  const children = new Set<ChildProcess>();
  const killAll = (): void => children.forEach((child) => void child.kill("SIGKILL"));
  process.once("exit", killAll);
  const start = async (command: Command, settings: Readonly<Record<string, string>>): Promise<StokerRun> => {
    const run = startRun(folder, command, { STOKER_DATA_DIR: data, STOKER_FILE_ROOT: files, ...settings });
    children.add(run.child);
    run.child.once("exit", () => children.delete(run.child));
    return await run.ready;
  };
  return {
    files,
    data,
    serve: (settings = {}) => start("serve", settings),
    work: (settings) => start("worker", settings),
    async close() {
      const ends = [...children].map((child) => once(child, "exit"));
      killAll();
      await Promise.all(ends);
      process.off("exit", killAll);
      // The watchdog of a killed server stops its PostgreSQL, which may still write.
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
    },
  };
}

type Command = "serve" | "worker";

const READY: Readonly<Record<Command, RegExp>> = {
  serve: /^Stoker ready at (\S+)/m,
  worker: /^Stoker worker ready()/m,
};

function startRun(
  folder: string,
  command: Command,
  settings: Readonly<Record<string, string>>,
): { child: ChildProcess; ready: Promise<StokerRun> } {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("STOKER_"));
  const child = spawn(process.execPath, [resolve("bin", "stoker"), command], {
    cwd: folder,
    env: { ...Object.fromEntries(inherited), STOKER_PORT: "0", STOKER_WORKERS: "2", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ready = new Promise<StokerRun>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const base = READY[command].exec(text)?.[1];
      if (base === undefined) return;
      resolve({
        child,
        base,
        said: () => said,
        async end(signal) {
          child.kill(signal);
          await exited;
          return child.exitCode;
        },
      });
    });
    child.once("close", () => reject(new Error(`stoker ${command} ended before it was ready: ${said}`)));
  });
  return { child, ready };
}

/** An import under way: the path below the base, so that a server that was started again can be asked. */
export type ImportPath = string;

/** Registers an import of files, given by path or URL; throws when it is refused. */
export async function startImport(
  server: StokerRun,
  paths: readonly string[],
  options: { unitBytes?: number } = {},
): Promise<ImportPath> {
  const more: BodyParameter[] = [{ name: "mode", valueString: "IncrementalLoad" }];
  if (options.unitBytes !== undefined)
    more.push({ name: "processingUnitBytesToRead", valueInteger: options.unitBytes });
  const inputs = paths.map((path) => input(path.includes("://") ? path : pathToFileURL(path).href));
  const response = await fetch(`${server.base}/$import`, {
    method: "POST",
    headers: { prefer: "respond-async", "content-type": "application/fhir+json" },
    body: JSON.stringify(registration(inputs, [...more, { name: "force", valueBoolean: true }])),
  });
  const location = response.headers.get("content-location");
  if (response.status !== 202 || location === null) throw new Error(await response.text());
  return location.slice(server.base.length);
}

/** What the status endpoint says, as far as these tests look. */
export interface Answer {
  readonly status: number;
  readonly body: {
    readonly resourceType?: string;
    readonly issue?: readonly { readonly code: string; readonly diagnostics: string }[];
    readonly error?: readonly {
      readonly count: number;
      readonly inputUrl: string;
      readonly url: string;
      readonly rejectedUrl?: string;
    }[];
    readonly stoker?: Readonly<
      Record<"loaded" | "rejected" | "created" | "updated" | "unchanged" | "deleted" | "bytes", number>
    >;
  };
}

/** Asks for the status of an import once. */
export async function ask(server: StokerRun, path: ImportPath): Promise<Answer> {
  const response = await fetch(server.base + path);
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : (JSON.parse(text) as Answer["body"]) };
}

/** Asks until the import has ended; 503 (the database is away) does not end it. */
export async function ended(server: StokerRun, path: ImportPath): Promise<Answer> {
  return await until(
    () => ask(server, path),
    ({ status }) => status !== 202 && status !== 503,
  );
}

/** Asks until the import has loaded so many lines; throws when it ends before. */
export async function loadedAtLeast(server: StokerRun, path: ImportPath, lines: number): Promise<void> {
  const answer = await until(
    () => ask(server, path),
    ({ status, body }) => status !== 202 || (body.stoker?.loaded ?? 0) >= lines,
  );
  if (answer.status !== 202) throw new Error(`the import ended early: ${JSON.stringify(answer)}`);
}

/** Asks every 50 ms until the answer will do; gives up after two minutes. */
export async function until<Value>(ask: () => Promise<Value>, good: (value: Value) => boolean): Promise<Value> {
  let value: Value | undefined;
  for (const deadline = performance.now() + 120_000; performance.now() < deadline; await sleep(50)) {
    value = await ask();
    if (good(value)) return value;
  }
  throw new Error(`what was waited for did not come; there was ${JSON.stringify(value)}`);
}
