import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** True while a process with this id exists, whoever owns it. A zombie counts as gone. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const state = (await procStat(pid))?.[0];
  return state !== "Z" && state !== "X";
}

/**
 * A text that tells this process from a later one with the same id: its start time, with the boot it belongs to.
 * Undefined when it is gone or the system does not say.
 */
export async function startMark(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const started = (await procStat(pid))?.[19];
    if (started === undefined) return undefined;
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
    return `${boot.trim()}/${started}`;
  }
  if (process.platform === "win32") return undefined;
  const { stdout } = await run("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return stdout.trim() || undefined;
}

/** Names the set of process ids that this process lives in: ids of another host or container mean nothing here. */
export async function processSpace(hostname: string): Promise<string> {
  const space = await readlink("/proc/self/ns/pid").catch(() => "");
  return `${hostname} ${space}`.trim();
}

/** Ids of the PostgreSQL processes that serve the cluster `folder`: it is their working folder. Linux only. */
export async function serverProcessesIn(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const cwd = await readlink(`/proc/${entry}/cwd`).catch(() => undefined);
    if (cwd !== folder) continue;
    const name = await readFile(`/proc/${entry}/comm`, "utf8").catch(() => "");
    if (name.trim() === "postgres") found.push(Number(entry)); // else a shell that somebody left there
  }
  return found;
}

/** The command line of a process as `ps` shows it, or an empty text. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === "win32") return "";
  const { stdout } = await run("ps", ["-o", "command=", "-p", String(pid)]).catch(() => ({ stdout: "" }));
  return stdout.trim();
}

/** Waits until none of the processes is alive. False when `milliseconds` passed before. */
export async function waitUntilGone(pids: readonly number[], milliseconds: number): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const alive = await Promise.all(pids.map(isAlive));
    if (!alive.includes(true)) return true;
    if (performance.now() > deadline) return false;
    await pause(50);
  }
}

/** Sends a signal; a process that is gone already is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Resolves after some milliseconds, or when the signal says so. */
export function pause(milliseconds: number, until?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    until?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Fields of /proc/PID/stat from the state on (the name before it may hold anything). */
async function procStat(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}
