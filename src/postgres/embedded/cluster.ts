import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StokerError } from "../../base/errors.ts";
import { program, type Binaries } from "./binaries.ts";
import { dataDirectoryError } from "./place.ts";
import type { ServerSettings } from "./server-settings.ts";
import type { ServerUser } from "./server-user.ts";

/** The database user and database of every embedded cluster. */
export const CLUSTER_USER = "stoker";
export const CLUSTER_DATABASE = "postgres";

/** Retried, because an initdb that outlived its Stoker may still be writing there. */
const REMOVE = { recursive: true, force: true, maxRetries: 10, retryDelay: 200 };

const PASSWORD_FILE = "stoker.password";

/** The programs inherit nothing: LANG may name a locale this system lacks, and PG* variables are meant for others. */
export const SERVER_ENVIRONMENT: NodeJS.ProcessEnv = { LC_ALL: "C" };

/** What {@link createCluster} is told. */
export interface ClusterCreation {
  readonly binaries: Binaries;
  /** Path of the new cluster; its parent exists. */
  readonly cluster: string;
  readonly user: ServerUser | undefined;
  readonly settings: ServerSettings;
  /** False: not written through to the disk. */
  readonly durable: boolean;
  /** Ends it: nothing is left of the cluster, and the signal's reason is thrown. */
  readonly stop?: AbortSignal | undefined;
}

/**
 * Makes a cluster at `cluster` (which does not exist yet). It is made beside it and renamed when it is whole, so that a
 * process killed meanwhile leaves nothing that looks like a cluster. Throws `setting` or `database-full`.
 */
export async function createCluster(creation: ClusterCreation): Promise<void> {
  const { cluster, user } = creation;
  await removeUnfinished(cluster);
  const unfinished = `${cluster}.new-${randomBytes(6).toString("hex")}`;
  const passwordFile = `${unfinished}.password`;
  const password = randomBytes(24).toString("base64url");
  try {
    await mkdir(unfinished, { mode: 0o700 });
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (user !== undefined) {
      await chown(unfinished, user.uid, user.gid);
      await chown(passwordFile, user.uid, user.gid);
    }
    const arguments_ = [
      `--pgdata=${unfinished}`,
      `--username=${CLUSTER_USER}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--set=scram_iterations=256", // the password is 192 random bits: stretching it only slows connections down
      // initdb believes in /dev/shm as soon as it exists, however small it is.
      `--set=dynamic_shared_memory_type=${creation.settings["dynamic_shared_memory_type"]}`,
      ...(creation.durable ? [] : ["--no-sync"]),
    ];
    await runInitdb(creation, arguments_, unfinished);
    const kept = join(unfinished, PASSWORD_FILE);
    await writeFile(kept, password, { mode: 0o600 });
    if (user !== undefined) await chown(kept, user.uid, user.gid);
    await rename(unfinished, cluster);
  } catch (error) {
    await rm(unfinished, REMOVE);
    creation.stop?.throwIfAborted();
    throw error instanceof StokerError ? error : explain(error, cluster, user);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Reads the password of a cluster; throws `setting` when the cluster is none that this Stoker can run. */
export async function readCluster(binaries: Binaries, cluster: string): Promise<{ password: string }> {
  const found = await readFile(join(cluster, "PG_VERSION"), "utf8").catch(() => undefined);
  if (found === undefined) {
    throw dataDirectoryError(`${cluster} is not a PostgreSQL cluster`, "choose another folder");
  }
  const needed = binaries.version.split(".")[0];
  if (found.trim() !== needed) {
    throw dataDirectoryError(
      `the database in ${cluster} is of PostgreSQL ${found.trim()}, and this Stoker brings PostgreSQL ${needed}`,
      "use the Stoker version that made it, or choose another folder and import again",
    );
  }
  try {
    return { password: await readFile(join(cluster, PASSWORD_FILE), "utf8") };
  } catch (cause) {
    throw dataDirectoryError(
      `${join(cluster, PASSWORD_FILE)} cannot be read`,
      "restore it, or choose another folder",
      cause,
    );
  }
}

/** Writes a file of the server into the cluster, readable by the server's user. */
export async function writeClusterFile(
  cluster: string,
  name: string,
  text: string,
  user: ServerUser | undefined,
): Promise<string> {
  const path = join(cluster, name);
  await writeFile(path, text, { mode: 0o600 });
  await chmod(path, 0o600);
  if (user !== undefined) await chown(path, user.uid, user.gid);
  return path;
}

async function removeUnfinished(cluster: string): Promise<void> {
  const start = `${basename(cluster)}.new-`;
  for (const name of await readdir(dirname(cluster))) {
    if (name.startsWith(start)) await rm(join(dirname(cluster), name), REMOVE);
  }
}

function runInitdb(creation: ClusterCreation, arguments_: readonly string[], folder: string): Promise<void> {
  const { binaries, user, stop } = creation;
  stop?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program(binaries, "initdb"), arguments_, {
      cwd: folder,
      env: SERVER_ENVIRONMENT,
      stdio: ["ignore", "ignore", "pipe"],
      detached: process.platform !== "win32", // an interrupt from the terminal is for Stoker, which then stops it
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
    });
    // With the servers that it starts: they are its process group.
    const end = (): void => {
      if (child.pid === undefined) return;
      if (process.platform === "win32") child.kill();
      else process.kill(-child.pid, "SIGTERM");
    };
    stop?.addEventListener("abort", end, { once: true });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4000);
    });
    child.once("error", reject);
    child.once("close", (code) => {
      stop?.removeEventListener("abort", end);
      if (code === 0) resolve();
      else reject(new Error(`initdb failed: ${said.trim() || `exit status ${code}`}`));
    });
  });
}

function explain(error: unknown, cluster: string, user: ServerUser | undefined): StokerError {
  const { message, code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT" || message.includes("No space left on device")) {
    return new StokerError(
      "database-full",
      `There is not enough disk space for a database in ${cluster}: free some space, or choose another folder (STOKER_DATA_DIR).`,
      { expression: "STOKER_DATA_DIR", cause: error },
    );
  }
  if (message.includes("could not look up effective user ID")) {
    return dataDirectoryError(
      `PostgreSQL cannot create a database for a user without a name (uid ${process.getuid?.()} is not in /etc/passwd)`,
      "run Stoker as a user that has one, or set STOKER_DATABASE_URL",
      error,
    );
  }
  const as = user === undefined ? "" : ` as user ${user.name}`;
  return dataDirectoryError(
    `no database could be created in ${cluster}${as}: ${message}`,
    "choose another folder, or set STOKER_DATABASE_URL",
    error,
  );
}
