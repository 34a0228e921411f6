import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, lstat, mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { StokerError } from "../../base/errors.ts";
import { makeFolders } from "../../base/make-folders.ts";
import { CLUSTERS, POINTER } from "./leftover-clusters.ts";
import { chooseServerUser, firstClosedFolder, runsAsRoot, serverUserById, type ServerUser } from "./server-user.ts";

/**
 * Where the cluster lies, and as whom its server runs.
 *
 * Normally that is `postgres/` in the data folder. But PostgreSQL refuses to run as root, and the user it then runs as
 * may have no way into the data folder (a checkout under /root, a home folder with mode 0700): it changes into the
 * folder by its whole path, so nothing that root prepares for it helps. Then the cluster lies in a folder that
 * everybody may enter, and the file `postgres.location` in the data folder says where: below /var/lib/stoker where that can
 * be, but below a folder for temporary files when the data folder itself is in one. The cluster has mode 0700 wherever it is.
 */
export interface DataDirectory {
  /** Absolute path without links. */
  readonly cluster: string;
  readonly user: ServerUser | undefined;
  /** False: nothing is there yet. */
  readonly exists: boolean;
  /** Folders where a copy of the programs may be put, best first. */
  readonly copyFolders: readonly string[];
}

/** Folders whose content is temporary. */
const TEMPORARY_FOLDERS = [...new Set([tmpdir(), "/tmp", "/var/tmp"])];

/** Folders that a server user who cannot enter the data folder can enter, best first: those of {@link lastingFolders} come first. */
export function openFolders(dataDirectory: string): string[] {
  const own = `stoker-${process.getuid?.() ?? 0}`;
  return [...(isTemporary(dataDirectory) ? [] : lastingFolders()), join("/var/tmp", own), join(tmpdir(), own)];
}

/** Folders outside of those for temporary files in which this user's clusters may lie. */
export function lastingFolders(): string[] {
  return runsAsRoot() ? ["/var/lib/stoker"] : [];
}

/** Whether a data folder lies in a folder for temporary files, as those of tests and demonstrations do. */
export function isTemporary(dataDirectory: string): boolean {
  return TEMPORARY_FOLDERS.some((folder) => dataDirectory.startsWith(`${folder}/`));
}

/** Makes the data folder where it is missing and gives its path without links. Throws `setting`. */
export async function openDataDirectory(dataDirectory: string): Promise<string> {
  const path = resolve(dataDirectory);
  try {
    if (!existsSync(path)) {
      await makeFolders(path);
      // Root's server user must get through; nobody needs to look around.
      await chmod(path, runsAsRoot() ? 0o711 : 0o700);
    }
    const probe = join(path, `.write-${randomBytes(6).toString("hex")}`);
    await writeFile(probe, "");
    await rm(probe, { force: true });
    return await realpath(path);
  } catch (error) {
    throw fileError(error, path);
  }
}

/** What a failed file operation in the data folder means to the user; errors that are none come back as they are. */
export function fileError(error: unknown, dataDirectory: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new StokerError("database-full", `There is no disk space left in ${dataDirectory} (STOKER_DATA_DIR).`, {
      expression: "STOKER_DATA_DIR",
      cause: error,
    });
  }
  if (error instanceof StokerError || code === undefined || syscall === undefined) return error;
  return dataDirectoryError(
    `${dataDirectory} cannot be used (${(error as Error).message})`,
    "choose another folder",
    error,
  );
}

/** Finds the cluster of a data folder, or decides where the new one goes. Throws `setting`. */
export async function findPlace(dataDirectory: string, folders: readonly string[]): Promise<DataDirectory> {
  const inside = join(dataDirectory, "postgres");
  const pointer = join(dataDirectory, POINTER);
  const elsewhere = existsSync(pointer) ? (await readFile(pointer, "utf8")).trim() : undefined;
  const copyFolders = [dataDirectory, ...folders];
  const cluster = elsewhere ?? inside;
  if (existsSync(cluster)) {
    return { cluster: await realpath(cluster), user: await ownerOf(cluster), exists: true, copyFolders };
  }
  if (elsewhere !== undefined) {
    throw dataDirectoryError(
      `${pointer} says that the database lies in ${elsewhere}, which is not there`,
      "restore that folder, or remove the file to start with an empty database",
    );
  }
  if (!runsAsRoot()) return { cluster: inside, user: undefined, exists: false, copyFolders };
  const user = await chooseServerUser();
  if ((await firstClosedFolder(dataDirectory, user)) === undefined) {
    return { cluster: inside, user, exists: false, copyFolders };
  }
  const folder = await openFolderFor(user, join(CLUSTERS, randomBytes(6).toString("hex")), folders);
  return { cluster: join(folder, "postgres"), user, exists: false, copyFolders };
}

/** Notes where a new cluster lies, when that is not in the data folder. */
export async function rememberPlace(dataDirectory: string, place: DataDirectory): Promise<void> {
  if (place.cluster === join(dataDirectory, "postgres")) return;
  const pointer = join(dataDirectory, POINTER);
  await writeFile(`${pointer}.tmp`, `${place.cluster}\n`);
  await rename(`${pointer}.tmp`, pointer);
}

/**
 * The first of `folders` that exists or can be made, is ours alone to write to (somebody else's programs must not be
 * run from there) and that `user` can enter, with the folders of `name` (which may be empty) made below it.
 */
export async function openFolderFor(
  user: ServerUser | undefined,
  name: string,
  folders: readonly string[],
): Promise<string> {
  const reasons: string[] = [];
  for (const base of folders) {
    try {
      if (!existsSync(base)) {
        await mkdir(base, { recursive: true });
        await chmod(base, 0o755);
      }
      const { uid, mode } = await lstat(base);
      const foreign = uid !== process.getuid?.() || (mode & 0o022) !== 0;
      const closed = user === undefined ? undefined : await firstClosedFolder(base, user);
      if (foreign) reasons.push(`${base} belongs to another user`);
      else if (closed !== undefined) reasons.push(`${user?.name} cannot enter ${closed}`);
      else {
        let path = base;
        for (const part of name.split("/").filter((part) => part !== "")) {
          path = join(path, part);
          await mkdir(path, { recursive: true });
          await chmod(path, 0o755);
        }
        return path;
      }
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw dataDirectoryError(
    `The user ${user?.name ?? "of this process"}, whom PostgreSQL runs as, cannot reach a folder for the database (${reasons.join("; ")})`,
    "choose a folder that every user can enter, or run Stoker as an ordinary user",
  );
}

/** An error about the data folder: what is wrong, and what to do. */
export function dataDirectoryError(what: string, advice: string, cause?: unknown): StokerError {
  return new StokerError("setting", `STOKER_DATA_DIR: ${what}; ${advice}.`, { expression: "STOKER_DATA_DIR", cause });
}

/** The server of an existing cluster must run as its owner. */
async function ownerOf(cluster: string): Promise<ServerUser | undefined> {
  const { uid, gid } = await stat(cluster);
  const own = process.getuid?.();
  if (own === undefined || (uid === own && own !== 0)) return undefined;
  const owner = await serverUserById(uid, gid);
  if (own !== 0 || uid === 0) {
    throw dataDirectoryError(
      `the database in ${cluster} belongs to user ${owner.name}`,
      own === 0 ? "give it to an ordinary user with chown" : "run Stoker as that user, or choose another folder",
    );
  }
  const closed = await firstClosedFolder(cluster, owner);
  if (closed !== undefined) {
    throw dataDirectoryError(
      `user ${owner.name}, whom PostgreSQL runs as, may not enter ${closed} on the way to ${cluster}`,
      "let it pass (chmod o+x), or move the folder",
    );
  }
  return owner;
}
