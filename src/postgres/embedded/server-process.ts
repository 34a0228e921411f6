import { execFile, spawn, type ChildProcess } from "node:child_process";
import { StokerError } from "../../base/errors.ts";
import { program, type Binaries } from "./binaries.ts";
import { SERVER_ENVIRONMENT } from "./cluster.ts";
import { readPostmasterFile } from "./leftover-server.ts";
import { dataDirectoryError } from "./place.ts";
import { pause } from "./processes.ts";
import type { ServerLog } from "./server-log.ts";
import type { ServerUser } from "./server-user.ts";
import { openWatchdog } from "./watchdog.ts";

/** A started server. */
export interface ServerProcess {
  readonly pid: number;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Fast shutdown; immediate after 8 s (the next start then recovers from the log); by force after 2 s more. */
  stop(): Promise<void>;
}

/** What a server is started with. */
export interface ServerStart {
  readonly binaries: Binaries;
  readonly cluster: string;
  readonly user: ServerUser | undefined;
  /** Path of the configuration file. */
  readonly configuration: string;
  readonly log: ServerLog;
}

const FAST_MS = 8000;
const IMMEDIATE_MS = 2000;
/** A server that recovers may take long, but says so every 10 s; one that says nothing for this long hangs. */
const SILENCE_MS = 60_000;

/** Starts the server and waits until it accepts connections. Throws `setting` or `database-full` with its last words. */
export async function startServer(start: ServerStart): Promise<ServerProcess> {
  const { binaries, cluster, user, log } = start;
  const child = spawn(program(binaries, "postgres"), ["-D", cluster, "-c", `config_file=${start.configuration}`], {
    cwd: cluster,
    env: SERVER_ENVIRONMENT,
    stdio: ["ignore", log.descriptor, log.descriptor],
    detached: process.platform !== "win32", // an interrupt from the terminal is for Stoker, which then stops the server
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  let failure: Error | undefined;
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      failure = error;
      resolve();
    });
  });
  const watchdog = child.pid === undefined ? undefined : openWatchdog(child.pid, user);
  const ended = exited.then(() => watchdog?.close());
  const running = child.pid === undefined ? undefined : serverProcess(child, child.pid, ended, start);
  const state = await Promise.race([ready(child, cluster, log), ended.then(() => "ended" as const)]);
  if (state === "ready" && running !== undefined) return running;
  await running?.stop();
  throw explain(state, failure, await log.tail(), start);
}

async function ready(child: ChildProcess, cluster: string, log: ServerLog): Promise<"ready" | "silent" | "ended"> {
  let size = -1;
  let spoke = performance.now();
  while (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const file = await readPostmasterFile(cluster);
    if (file?.pid === child.pid && file.status === "ready") return "ready";
    const now = await log.size();
    if (now !== size) {
      size = now;
      spoke = performance.now();
    } else if (performance.now() - spoke > SILENCE_MS) return "silent";
    await pause(15);
  }
  return "ended";
}

function serverProcess(child: ChildProcess, pid: number, ended: Promise<void>, start: ServerStart): ServerProcess {
  const endsWithin = async (milliseconds: number): Promise<boolean> => {
    const timeout = new AbortController();
    const late = pause(milliseconds, timeout.signal).then(() => false);
    const result = await Promise.race([ended.then(() => true), late]);
    timeout.abort();
    return result;
  };
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    child.ref();
    if (process.platform === "win32") {
      execFile(program(start.binaries, "pg_ctl"), ["stop", "-D", start.cluster, "-m", "fast", "-W"], () => undefined);
    } else child.kill("SIGINT");
    if (await endsWithin(FAST_MS)) return;
    if (process.platform !== "win32") child.kill("SIGQUIT");
    if (await endsWithin(IMMEDIATE_MS)) return;
    child.kill("SIGKILL");
    await ended;
  };
  child.unref(); // who forgets to close still gets an end, and the watchdog then stops the server
  return { pid, ended, stop: () => (stopping ??= stop()) };
}

function explain(state: string, failure: Error | undefined, tail: string, start: ServerStart): StokerError {
  const what = state === "silent" ? "has not become ready" : "does not start";
  const said = tail || failure?.message || "it printed nothing";
  if (said.includes("No space left on device")) {
    return new StokerError(
      "database-full",
      `The embedded PostgreSQL ${what}: no room left for ${start.cluster} (STOKER_DATA_DIR). Its output: ${said}`,
      { expression: "STOKER_DATA_DIR", cause: failure },
    );
  }
  const as = start.user === undefined ? "" : ` (as user ${start.user.name})`;
  return dataDirectoryError(
    `the embedded PostgreSQL in ${start.cluster}${as} ${what}. Its output: ${said}`,
    "fix the cause, choose another folder, or set STOKER_DATABASE_URL",
    failure,
  );
}
