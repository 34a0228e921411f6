import { statfs } from "node:fs/promises";
import { createServer } from "node:net";
import type { FastifyInstance } from "fastify";
import { StokerError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { threadHeapMegabytes, usableMemory } from "../base/memory.ts";
import { baseUrlOf, type Settings } from "../base/settings.ts";
import { destinationOf } from "../export/destination.ts";
import { openExports } from "../export/exports.ts";
import { createApp } from "../http/app.ts";
import type { HttpContext } from "../http/protocol/context.ts";
import { areImportsAtWork } from "../import/report/at-work.ts";
import { startCoordinator } from "../import/coordinator.ts";
import { openImportSignal } from "../jobs/signal.ts";
import { releaseAllUnits } from "../import/work/unit-lease.ts";
import { startWorkers } from "../import/work/workers.ts";
import { releaseAllReindexes } from "../reindex/jobs.ts";
import { openReindexer } from "../reindex/reindexer.ts";
import { createSources } from "../source/sources.ts";
import type { DatabaseConnection } from "../postgres/connection.ts";
import { openEmbedded } from "../postgres/embedded/open-embedded.ts";
import type { DiskRoom } from "../postgres/disk-room.ts";
import { startMerging } from "../store/segments/merging.ts";
import { openHashKey } from "../store/identity/hash-key.ts";
import { migrate } from "../postgres/migrate.ts";
import { openDatabase, type Database } from "../postgres/pool.ts";
import { publishSearchRows } from "../store/segments/publish.ts";
import { openStoreTimeZone } from "../store/identity/time-zone.ts";
import { programVersion } from "../base/version.ts";

/** A running server, or the worker part of one. */
export interface RunningServer {
  /** Public FHIR base; for a process without HTTP the empty text. */
  readonly baseUrl: string;
  readonly database: Database;
  /** Resolves when the embedded PostgreSQL ended by itself and could not be started again. Never, without it. */
  readonly databaseEnded: Promise<void>;
  /** Puts open units back, waits for the requests at hand, stops the embedded PostgreSQL. */
  close(): Promise<void>;
}

/** What surrounds a server that is opened: whom it tells what, and who may want it to stop. */
export interface Surroundings {
  /** Told what takes long at the start, or is not where a person would look for it. */
  readonly notice?: (text: string) => void;
  /** Ends the start where it takes long; the signal's reason is thrown. */
  readonly stop?: AbortSignal;
}

/** Connections that requests and the coordinator share; every worker thread has one more of its own. */
const POOL_CONNECTIONS = 16;

/** Room that imports leave on the disk of the embedded PostgreSQL: for its log, and what each worker writes at once. */
const RESERVE_BYTES = 96 * 1024 * 1024;
const WORKER_BYTES = 32 * 1024 * 1024;

/**
 * The composition root: database → migrations → sources → import (signal, coordinator, worker threads) → HTTP. Whatever
 * was opened is closed again when a later step fails. Throws `setting` for what the user can put right.
 */
export async function openServer(
  settings: Settings,
  logger: Logger,
  surroundings: Surroundings = {},
): Promise<RunningServer> {
  return await assemble(settings, logger, true, surroundings);
}

/** Import workers without HTTP, for a further machine on the same database. */
export async function openWorker(settings: Settings, logger: Logger): Promise<RunningServer> {
  if (settings.databaseUrl === undefined) {
    throw new StokerError(
      "setting",
      "STOKER_DATABASE_URL is not set; a worker needs the database of a server, because an embedded one serves one machine only",
      { expression: "STOKER_DATABASE_URL" },
    );
  }
  return await assemble(settings, logger, false, {});
}

async function assemble(
  settings: Settings,
  logger: Logger,
  listens: boolean,
  surroundings: Surroundings,
): Promise<RunningServer> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    if (listens) await checkAddress(settings);
    const sourceConfig = {
      fileRoot: settings.fileRoot,
      azureConnectionString: settings.azureStorageConnectionString,
      azureStorageUrl: settings.azureStorageUrl,
    };
    const sources = createSources(sourceConfig);
    const { connection, cluster, ended, announce } = await findDatabase(settings, logger, surroundings, undo);
    const database = await openDatabase({
      connection,
      maxConnections: POOL_CONNECTIONS,
      applicationName: listens ? "stoker" : "stoker worker",
      logger,
    });
    undo.push(() => database.close());
    await migrate(database);
    await openHashKey(database.pool);
    await openStoreTimeZone(database.pool, settings.timeZone);
    // Nobody else can be at work on an embedded database: what a killed server had in hand goes on at once.
    if (settings.databaseUrl === undefined) {
      await releaseAllUnits(database.pool);
      await releaseAllReindexes(database.pool);
    }
    const signal = await openImportSignal(database.pool, logger);
    undo.push(() => signal.close());
    const stages = { publish: 0 };
    const coordinator = startCoordinator({
      database: database.pool,
      sources,
      signal,
      logger,
      publish: (stop) => publish(database, stages, stop),
      limits: { open: settings.importMaxOpen, hours: settings.jobMaxHours },
    });
    // All at once: stopping must not take the sum of their times.
    const working: (() => Promise<unknown>)[] = [() => coordinator.close()];
    undo.push(() => Promise.all(working.map((end) => end())));
    const room =
      cluster === undefined ? undefined : { folder: cluster, bytes: RESERVE_BYTES + settings.workers * WORKER_BYTES };
    const workers = startWorkers({
      count: settings.workers,
      heapMegabytes: threadHeapMegabytes(usableMemory(), settings.workers),
      connection,
      sources: sourceConfig,
      room,
      database: database.pool,
      signal,
      logger,
    });
    working.push(() => workers.close());
    const merging = startMerging({
      database: database.pool,
      logger,
      isBusy: () => areImportsAtWork(database.pool),
      ...(cluster === undefined ? {} : { freeBytes: () => freeBytes(cluster) }),
    });
    working.push(() => merging.close());
    const stageSeconds = (): Record<string, number> => ({ ...workers.stageSeconds(), ...stages });
    const services = { database, room, sources, signal, logger, stageSeconds, cluster };
    const baseUrl = listens ? await listen(settings, services, working) : "";
    if (listens) await announce?.(baseUrl);
    return { baseUrl, database, databaseEnded: ended, close };
  } catch (error) {
    await close().catch((failure: unknown) =>
      logger.error({ err: failure }, "closing after a failed start failed, too"),
    );
    throw error;
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Makes the search rows of an import quick to find, and counts the time that takes. */
async function publish(database: Database, stages: { publish: number }, stop: AbortSignal): Promise<void> {
  const started = performance.now();
  try {
    await publishSearchRows(database.pool, stop);
  } finally {
    stages.publish += (performance.now() - started) / 1000;
  }
}

async function findDatabase(
  settings: Settings,
  logger: Logger,
  surroundings: Surroundings,
  undo: (() => Promise<unknown>)[],
): Promise<{
  connection: DatabaseConnection;
  cluster: string | undefined;
  ended: Promise<void>;
  announce?: (url: string) => Promise<void>;
}> {
  if (settings.databaseUrl !== undefined) {
    return { connection: { url: settings.databaseUrl }, cluster: undefined, ended: new Promise(() => undefined) };
  }
  let closing = false;
  const embedded = await openEmbedded({ dataDirectory: settings.dataDir, logger, restart: true, ...surroundings });
  undo.push(async () => {
    closing = true;
    await embedded.close();
  });
  const ended = new Promise<void>((resolve) => {
    void embedded.ended.then(() => {
      if (!closing) resolve();
    });
  });
  return {
    connection: embedded.connection,
    cluster: embedded.cluster,
    ended,
    announce: (url) => embedded.announce(url),
  };
}

async function listen(
  settings: Settings,
  services: Pick<HttpContext, "database" | "room" | "sources" | "signal" | "logger" | "stageSeconds"> & {
    readonly cluster: string | undefined;
  },
  closers: (() => Promise<unknown>)[],
): Promise<string> {
  let baseUrl = baseUrlOf(settings, settings.port);
  const destination = destinationOf(settings);
  const exports = openExports({
    database: services.database.pool,
    connection: services.database.connection,
    destination,
    limits: {
      open: settings.exportMaxOpen,
      hours: settings.jobMaxHours,
      room: roomOf(destination.kind === "folder" ? destination.path : undefined, settings),
    },
    keptHours: settings.jobExpiry,
    threads: settings.workers,
    isAlone: settings.databaseUrl === undefined,
    rules: {
      get baseUrl() {
        return baseUrl;
      },
      dateEquality: settings.dateEquality,
    },
    logger: services.logger,
  });
  closers.push(() => exports.close());
  const databaseLimits = { hours: settings.jobMaxHours, room: roomOf(services.cluster, settings) };
  const reindexes = { ...databaseLimits, open: 1, keptHours: settings.jobExpiry };
  const reindexer = openReindexer(services.database.pool, services.logger, reindexes);
  closers.push(() => reindexer.close());
  const context = {
    ...services,
    exports,
    reindexer,
    version: programVersion(),
    // with port 0 it is known only after listening
    get baseUrl() {
      return baseUrl;
    },
    importEnabled: settings.importEnabled,
    initialImportMode: settings.initialImportMode,
    importMaxInputs: settings.importMaxInputs,
    jobLimits: { imports: { ...databaseLimits, open: settings.importMaxOpen }, reindexes },
    dateEquality: settings.dateEquality,
    conditionalDeletes: settings.conditionalDeleteMultiple ? settings.conditionalDeleteLimit : 1,
    corsOrigins: settings.corsOrigins,
  };
  const app: FastifyInstance = createApp(context);
  closers.push(() => app.close());
  try {
    await app.listen({ host: settings.host, port: settings.port });
  } catch (cause) {
    throw listenError(settings, cause);
  }
  const address = app.server.address();
  if (typeof address === "object" && address !== null) baseUrl = baseUrlOf(settings, address.port);
  return baseUrl;
}

/** Room that jobs need on the disk of a folder; undefined where there is none to look at. */
function roomOf(folder: string | undefined, { jobMinFreeBytes: bytes }: Settings): DiskRoom | undefined {
  return folder === undefined ? undefined : { folder, bytes };
}

/** Finds out before the database is started whether the address can be had; `listen` may fail all the same. */
async function checkAddress(settings: Settings): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen({ host: settings.host, port: settings.port }, resolve);
    });
  } catch (cause) {
    throw listenError(settings, cause);
  }
  await new Promise((resolve) => probe.close(resolve));
}

function listenError(settings: Settings, cause: unknown): unknown {
  const place = `${settings.host}:${String(settings.port)}`;
  switch ((cause as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new StokerError(
        "setting",
        `STOKER_PORT: ${place} is in use by another program; choose another port (0 for any free one)`,
        {
          expression: "STOKER_PORT",
          cause,
        },
      );
    case "EACCES":
      return new StokerError("setting", `STOKER_PORT: this user may not listen on ${place}; choose a port above 1023`, {
        expression: "STOKER_PORT",
        cause,
      });
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new StokerError("setting", `STOKER_HOST: ${settings.host} is not an address of this machine`, {
        expression: "STOKER_HOST",
        cause,
      });
    default:
      return cause;
  }
}
