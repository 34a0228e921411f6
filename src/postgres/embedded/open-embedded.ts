import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { rm } from "node:fs/promises";
import type { Logger } from "../../base/logger.ts";
import type { DatabaseConnection } from "../connection.ts";
import { copyBinaries, findInstalledBinaries, whyUnusable, type Binaries } from "./binaries.ts";
import { CLUSTER_DATABASE, CLUSTER_USER, createCluster, readCluster, writeClusterFile } from "./cluster.ts";
import { isHolder, lockFolder, type FolderLock } from "./folder-lock.ts";
import { keepServer } from "./kept-server.ts";
import { findLeftoverClusters, noteOwner, removeLeftoverCluster } from "./leftover-clusters.ts";
import { clearLeftoverServer } from "./leftover-server.ts";
import {
  dataDirectoryError,
  fileError,
  findPlace,
  openDataDirectory,
  openFolderFor,
  isTemporary,
  openFolders,
  rememberPlace,
} from "./place.ts";
import type { DataDirectory } from "./place.ts";
import { chooseAddress } from "./server-address.ts";
import { openServerLog } from "./server-log.ts";
import { measureMachine, serverSettings, settingsFile, type ServerSettings } from "./server-settings.ts";

/** What {@link openEmbedded} is told. */
export interface EmbeddedOptions {
  /** STOKER_DATA_DIR: the cluster is kept in it (or found from it). Made where it is missing. */
  readonly dataDirectory: string;
  readonly logger: Logger;
  /** Processors to use; all by default. */
  readonly cores?: number;
  /** Memory that Stoker and the server may use together, in bytes; by default the machine's or the container's. */
  readonly memoryBytes?: number;
  /** False: nothing must survive a power cut (tests). */
  readonly durable?: boolean;
  /** Whether a server that dies is started again, at the same address. By default it is not. */
  readonly restart?: boolean;
  /** Settings of postgresql.conf that win over ours. */
  readonly settings?: ServerSettings;
  /** Where programs and cluster go when the server's user cannot reach them; see place.ts. */
  readonly folders?: readonly string[];
  /** Told what takes long or is not where a person would look for it, in one sentence each. */
  readonly notice?: (text: string) => void;
  /** Ends the making of a cluster, and of nothing else; the signal's reason is thrown, and nothing is left behind. */
  readonly stop?: AbortSignal;
}

const NOT_DURABLE: ServerSettings = { fsync: "off", full_page_writes: "off", synchronous_commit: "off" };

/** A running embedded server. */
export interface EmbeddedServer {
  readonly connection: DatabaseConnection;
  /** The cluster's folder. */
  readonly cluster: string;
  /** Process id of the postmaster that runs now. */
  readonly pid: number;
  /** Resolves when the server has ended for good; before {@link close} was called that means it died. */
  readonly ended: Promise<void>;
  /** Adds the URL that this process answers at to what others are told when they want the same folder. */
  announce(url: string): Promise<void>;
  /** Stops the server (within about 10 s) and lets go of the folder. Close the pools first. */
  close(): Promise<void>;
}

/**
 * Starts the PostgreSQL that comes with Stoker on the cluster of a data folder, making the cluster at the first time.
 *
 * Life: lock the folder → find or make the cluster → stop what a killed Stoker left → start, watched by a watchdog →
 * `close()` stops the server, then gives the lock back. Throws `setting` (naming STOKER_DATA_DIR or
 * STOKER_DATABASE_URL) and `database-full`.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { notice } = options;
  const dataDirectory = await openDataDirectory(options.dataDirectory);
  const folders = options.folders ?? openFolders(dataDirectory);
  const undo: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const lock = await takeLock(dataDirectory);
    undo.push(() => lock.release());
    const place = await findPlace(dataDirectory, folders);
    const binaries = await findBinaries(place, options.logger);
    const cores = options.cores ?? availableParallelism();
    const machine = await measureMachine(dirname(place.cluster), cores, options.memoryBytes);
    const durable = options.durable ?? true;
    const settings = { ...serverSettings(machine), ...(durable ? {} : NOT_DURABLE) };
    if (!place.exists) {
      if (isTemporary(dataDirectory)) await removeTemporaryLeftovers(folders, options.logger);
      notice?.(`Creating the database in ${place.cluster}: this takes a few seconds, but only the first time.`);
      options.logger.info({ cluster: place.cluster, user: place.user?.name }, "creating a PostgreSQL cluster");
      if (dirname(place.cluster) !== dataDirectory) {
        await noteOwner(place.cluster, dataDirectory);
        undo.push(() => removeWithoutCluster(place.cluster));
      }
      await createCluster({
        binaries,
        cluster: place.cluster,
        user: place.user,
        settings,
        durable,
        stop: options.stop,
      });
      await rememberPlace(dataDirectory, place);
    }
    const { password } = await readCluster(binaries, place.cluster);
    if (place.cluster !== join(dataDirectory, "postgres")) {
      // A copied data folder points to the same cluster.
      const second = await takeLock(join(place.cluster, ".."));
      undo.push(() => second.release());
      notice?.(
        `The database of ${dataDirectory} lies in ${place.cluster}, because PostgreSQL runs as user ${place.user?.name ?? "of this process"}, who cannot enter the data folder.`,
      );
    }
    await clearLeftoverServer(place.cluster, options.logger);
    const address = await chooseAddress(place.cluster, place.user);
    undo.push(() => address.close());
    const text = settingsFile({ ...settings, ...address.settings, ...options.settings });
    const configuration = await writeClusterFile(place.cluster, "stoker.conf", text, place.user);
    const log = await openServerLog(join(dataDirectory, "postgres.log"));
    undo.push(() => log.close());
    const start = { binaries, cluster: place.cluster, user: place.user, configuration, log };
    const server = await keepServer(start, options.restart ?? false, options.logger);
    undo.push(() => server.stop());
    options.logger.info({ pid: server.pid(), socket: address.host, version: binaries.version }, "PostgreSQL is ready");
    const connection = {
      host: address.host,
      port: address.port,
      user: CLUSTER_USER,
      password,
      database: CLUSTER_DATABASE,
    };
    return {
      connection,
      cluster: place.cluster,
      get pid() {
        return server.pid();
      },
      ended: server.ended,
      announce: (url) => lock.announce(url),
      close,
    };
  } catch (error) {
    await close().catch(() => undefined); // a full disk also stops the clean-up; the lock ends with this process
    throw fileError(error, dataDirectory);
  }
}

async function takeLock(folder: string): Promise<FolderLock> {
  const result = await lockFolder(folder, "stoker.lock");
  if (!isHolder(result)) return result;
  const answers = result.url === undefined ? "" : `, which answers at ${result.url}`;
  throw dataDirectoryError(
    `${folder} is in use by another Stoker (process ${result.pid} on ${result.space.split(" ")[0]}${answers})`,
    "stop that one, or choose another folder",
  );
}

/** Removes the folder made for a cluster that then was not made. */
async function removeWithoutCluster(cluster: string): Promise<void> {
  if (!existsSync(cluster)) await rm(dirname(cluster), { recursive: true, force: true });
}

/** Clusters of temporary data folders are nobody's when the data folder is gone. */
async function removeTemporaryLeftovers(folders: readonly string[], logger: Logger): Promise<void> {
  for (const cluster of await findLeftoverClusters(folders)) {
    if (isTemporary(cluster.dataDirectory)) await removeLeftoverCluster(cluster, logger);
  }
}

/** The programs in place where the server's user can run them, else a copy that it can. */
async function findBinaries(place: DataDirectory, logger: EmbeddedOptions["logger"]): Promise<Binaries> {
  const installed = await findInstalledBinaries();
  const why = await whyUnusable(installed, place.user);
  if (why === undefined) return installed;
  const reasons: string[] = [why];
  for (const folder of place.copyFolders) {
    try {
      const base = await openFolderFor(place.user, "", [folder]);
      const target = join(base, `postgresql-${installed.version}-${process.arch}`);
      const copy = await copyBinaries(installed, target);
      const whyNot = await whyUnusable(copy, place.user);
      if (whyNot === undefined) {
        logger.debug({ folder: target, why }, "using a copy of the PostgreSQL programs");
        return copy;
      }
      reasons.push(whyNot);
      await rm(target, { recursive: true, force: true });
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw dataDirectoryError(
    `the embedded PostgreSQL does not run on this system (${reasons.join("; ")})`,
    "choose another folder, or set STOKER_DATABASE_URL",
  );
}
