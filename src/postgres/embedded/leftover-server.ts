import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Logger } from "../../base/logger.ts";
import { commandLine, isAlive, serverProcessesIn, signal, waitUntilGone } from "./processes.ts";

/** Start of the names of short socket folders; see {@link ../embedded/server-address.ts}. */
export const SOCKET_FOLDER_PREFIX = "stoker-pg-";

/** What a server says about itself in postmaster.pid. */
export interface PostmasterFile {
  readonly pid: number;
  readonly socketFolder: string;
  /** "starting", "ready", "stopping" … */
  readonly status: string;
}

/** Reads `postmaster.pid` of a cluster; undefined when there is none (or not yet a whole one). */
export async function readPostmasterFile(cluster: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(join(cluster, "postmaster.pid"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const lines = text.split("\n");
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid === 0) return undefined;
  return { pid: Math.abs(pid), socketFolder: lines[4] ?? "", status: (lines[7] ?? "").trim() };
}

/**
 * Stops what a killed Stoker left of the server of `cluster` (an absolute path without links), and removes its lock
 * files, which PostgreSQL would believe in when their process id is another's by now. The caller holds the lock of the
 * folder, so no living Stoker uses this server. A socket folder outside the cluster goes, too, unless it is to be kept.
 */
export async function clearLeftoverServer(
  cluster: string,
  logger: Logger,
  folder: "remove socket folder" | "keep socket folder" = "remove socket folder",
): Promise<void> {
  const file = await readPostmasterFile(cluster);
  if (file === undefined) return;
  const isOurs = (await isAlive(file.pid)) && (await servesCluster(file.pid, cluster));
  if (isOurs) {
    logger.warn({ pid: file.pid }, "stopping the PostgreSQL server that an earlier Stoker left behind");
    await stopServer(file.pid);
  }
  // Backends may outlive a killed postmaster; with them alive a second server would destroy the data.
  const rest = await serverProcessesIn(cluster);
  if (rest.length > 0) {
    for (const pid of rest) signal(pid, "SIGQUIT");
    if (!(await waitUntilGone(rest, 5000))) {
      for (const pid of rest) signal(pid, "SIGKILL");
      await waitUntilGone(rest, 5000);
    }
  }
  await rm(join(cluster, "postmaster.pid"), { force: true });
  const { socketFolder } = file;
  for (const place of new Set([cluster, socketFolder === "" ? cluster : socketFolder])) {
    await rm(join(place, ".s.PGSQL.5432"), { force: true });
    await rm(join(place, ".s.PGSQL.5432.lock"), { force: true });
  }
  if (folder === "keep socket folder") return;
  if (basename(socketFolder).startsWith(SOCKET_FOLDER_PREFIX) && [tmpdir(), "/tmp"].includes(dirname(socketFolder))) {
    await rm(socketFolder, { recursive: true, force: true });
  }
}

/** Stops a postmaster: fast shutdown, after 15 s immediate, after 5 more seconds by force. */
async function stopServer(pid: number): Promise<void> {
  for (const [name, milliseconds] of [
    ["SIGINT", 15_000],
    ["SIGQUIT", 5000],
    ["SIGKILL", 5000],
  ] as const) {
    signal(pid, name);
    if (await waitUntilGone([pid], milliseconds)) return;
  }
}

async function servesCluster(pid: number, cluster: string): Promise<boolean> {
  if (process.platform === "linux") return (await serverProcessesIn(cluster)).includes(pid);
  const command = await commandLine(pid);
  return command.includes("postgres") && command.includes(cluster);
}
