import { existsSync } from "node:fs";
import { readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Logger } from "../../base/logger.ts";
import { isHolder, lockFolder } from "./folder-lock.ts";
import { clearLeftoverServer } from "./leftover-server.ts";

/**
 * Clusters that lie outside of their data folder (place.ts). Each has the path of its data folder beside it, so that a cluster
 * whose data folder was removed can be found and removed as well.
 */
export const CLUSTERS = "clusters";

/** Name of the file in a data folder that says where its cluster lies. */
export const POINTER = "postgres.location";

/** Name of the file beside a cluster that says which data folder it belongs to. */
const OWNER = "data-folder";

/** A cluster whose data folder no longer exists. */
export interface LeftoverCluster {
  /** The folder to remove; the cluster is in it. */
  readonly folder: string;
  /** Where the data folder was. */
  readonly dataDirectory: string;
}

/** Notes the data folder of a cluster that lies outside of it. */
export async function noteOwner(cluster: string, dataDirectory: string): Promise<void> {
  await writeFile(join(dirname(cluster), OWNER), `${dataDirectory}\n`);
}

/** The clusters below `folders` (those of place.ts) whose data folder no longer exists or has another cluster by now. */
export async function findLeftoverClusters(folders: readonly string[]): Promise<LeftoverCluster[]> {
  const found: LeftoverCluster[] = [];
  for (const folder of folders.map((each) => join(each, CLUSTERS))) {
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const dataDirectory = await textOf(join(path, OWNER));
      if (dataDirectory === undefined || (await isUsed(path, dataDirectory))) continue;
      found.push({ folder: path, dataDirectory });
    }
  }
  return found;
}

/**
 * Removes a leftover cluster, with the server that may still run on it. False when a living process uses it, or when its data
 * folder is there again.
 */
export async function removeLeftoverCluster(cluster: LeftoverCluster, logger: Logger): Promise<boolean> {
  const lock = await lockFolder(cluster.folder, "stoker.lock");
  if (isHolder(lock)) return false;
  try {
    if (await isUsed(cluster.folder, cluster.dataDirectory)) return false;
    const path = join(cluster.folder, "postgres");
    if (existsSync(path)) await clearLeftoverServer(await realpath(path), logger);
    await rm(cluster.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    return true;
  } finally {
    await lock.release().catch(() => undefined); // gone with the folder
  }
}

/** Bytes that a leftover cluster takes on the disk. */
export async function bytesOfCluster({ folder }: LeftoverCluster): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    bytes += (file?.blocks ?? 0) * 512;
  }
  return bytes;
}

async function isUsed(folder: string, dataDirectory: string): Promise<boolean> {
  const pointed = await textOf(join(dataDirectory, POINTER));
  return pointed !== undefined && dirname(pointed) === folder;
}

async function textOf(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text?.trim();
}
