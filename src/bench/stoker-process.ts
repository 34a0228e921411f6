import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { processMemory, processTime } from "./machine.ts";
import { parseStages, type StageSeconds } from "./stages.ts";

/** What a server process is started with. */
export interface StokerOptions {
  readonly databaseUrl: string;
  /** Folder that it may import from. */
  readonly fileRoot: string;
  /** Folder for its own files; also its current folder, so that no settings file of the user's is read. */
  readonly folder: string;
  readonly workers: number | undefined;
}

/** A server process of its own, so that memory and processor time are its own. */
export interface StokerProcess {
  /** FHIR base, without a slash at the end. */
  readonly base: string;
  memory(): ReturnType<typeof processMemory>;
  cpuSeconds(): Promise<number | undefined>;
  stages(): Promise<StageSeconds | undefined>;
  /** Its last log lines. */
  logTail(): string;
  /** Stops it; kills it when it has not ended after some seconds. */
  close(): Promise<void>;
}

const START_MS = 60_000;
const STOP_MS = 15_000;
/** Characters of the server's last log lines that are shown when it fails. */
const TAIL_LENGTH = 2000;

/** Starts `stoker serve` on a free port and waits until it is ready. Throws with its last log lines when it ends. */
export async function startStoker(options: StokerOptions, signal: AbortSignal): Promise<StokerProcess> {
  const program = fileURLToPath(new URL("../../bin/stoker", import.meta.url));
  const flags = {
    "--host": "127.0.0.1",
    "--port": "0",
    "--database-url": options.databaseUrl,
    "--data-dir": options.folder,
    "--file-root": options.fileRoot,
    "--log-level": "warn",
    ...(options.workers === undefined ? {} : { "--workers": String(options.workers) }),
  };
  const child = spawn(process.execPath, [program, "serve", ...Object.entries(flags).flat()], {
    cwd: options.folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const close = async (): Promise<void> => {
    await stop(child);
    process.off("exit", kill);
  };
  let tail = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    tail = (tail + text).slice(-TAIL_LENGTH);
  });
  try {
    const base = await waitUntilReady(child, signal);
    const { pid } = child;
    if (pid === undefined) throw new Error("the server has no process id");
    return {
      base,
      memory: () => processMemory(pid),
      cpuSeconds: () => processTime(pid),
      async stages() {
        const response = await fetch(new URL("/metrics", base));
        return response.ok ? parseStages(await response.text()) : undefined;
      },
      logTail: () => tail.trimEnd(),
      close,
    };
  } catch (error) {
    await close();
    if (signal.aborted) throw error;
    throw new Error(`stoker serve did not start: ${(error as Error).message}\n${tail}`.trimEnd(), { cause: error });
  }
}

async function waitUntilReady(child: ChildProcess, signal: AbortSignal): Promise<string> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
  const ended = once(child, "exit", { signal: limit }).then(([code, by]) => {
    throw new Error(`it ended with ${String(code ?? by)}`);
  });
  const ready = (async (): Promise<string> => {
    if (child.stdout === null) throw new Error("it has no standard output");
    const lines = createInterface({ input: child.stdout, signal: limit });
    for await (const line of lines) {
      const base = /^Stoker ready at (\S+)/.exec(line)?.[1];
      if (base === undefined) continue;
      lines.close();
      child.stdout.resume();
      return base;
    }
    return await ended;
  })();
  try {
    return await Promise.race([ready, ended]);
  } finally {
    ended.catch(() => {}); // it may end later, in its own time
    ready.catch(() => {});
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await Promise.race([ended, sleep(STOP_MS, undefined, { ref: false })]);
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  await ended;
}
