import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { rm } from "node:fs/promises";
import type { Logger } from "../../base/logger.ts";
import type { DatabaseConnection } from "../connection.ts";
import { copyBinaries, findInstalledBinaries, whyUnusable, type Binaries } from "./binaries.ts";
import { CLUSTER_DATABASE, CLUSTER_USER, createCluster, readCluster, writeClusterFile } from "./cluster.ts";
import { isHolder, lockFolder, type FolderLock } from "./folder-lock.ts";
import { keepServer } from "./kept-server.ts";
import { clearLeftoverServer } from "./leftover-server.ts";
import {
  dataDirectoryError,
  fileError,
  findPlace,
  openDataDirectory,
  openFolderFor,
  openFolders,
  rememberPlace,
} from "./place.ts";
import type { Place } from "./place.ts";
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
  const folders = options.folders ?? openFolders();
  const dataDirectory = await openDataDirectory(options.dataDirectory);
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
      options.logger.info({ cluster: place.cluster, user: place.user?.name }, "making a PostgreSQL cluster");
      await createCluster({ binaries, cluster: place.cluster, user: place.user, settings, durable });
      await rememberPlace(dataDirectory, place);
    }
    const { password } = await readCluster(binaries, place.cluster);
    if (place.cluster !== join(dataDirectory, "postgres")) {
      // A copied data folder points to the same cluster.
      const second = await takeLock(join(place.cluster, ".."));
      undo.push(() => second.release());
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
  throw dataDirectoryError(
    `${folder} is in use by another Stoker (process ${result.pid} on ${result.space.split(" ")[0]})`,
    "stop that one, or choose another folder",
  );
}

/** The programs in place where the server's user can run them, else a copy that it can. */
async function findBinaries(place: Place, logger: EmbeddedOptions["logger"]): Promise<Binaries> {
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
