import { LEASE_SECONDS, LeaseLost, withLease } from "../jobs/lease.ts";
import { StokerError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { lackOfRoom, tooOld, type JobLimits } from "../jobs/job-limits.ts";
import { placeOf } from "./destination.ts";
import { exportFailureOf, isFinal } from "./failure.ts";
import {
  claimExport,
  deleteExpired,
  endOldExports,
  failExport,
  forgetFolder,
  leftFolders,
  postponeExport,
  releaseAllExports,
  releaseExport,
  releaseFolder,
  renewExport,
  type ClaimedExport,
} from "./jobs.ts";
import { openFolder } from "./output-file.ts";
import { runExport, type ExportServices } from "./run-export.ts";
import { ThreadFailed } from "./threads.ts";

/** What the exporter works with. */
export interface ExporterServices extends ExportServices {
  readonly logger: Logger;
  readonly limits: JobLimits;
  /** Hours that a finished export and its files are kept. */
  readonly keptHours: number;
  /** Nobody else works on this database, so that what a killed server had in hand goes on at once. */
  readonly isAlone: boolean;
}

/** A running exporter. */
export interface Exporter {
  /** Says that there may be something to do: an export was asked for, or deleted. */
  notify(): void;
  /** Ends; the export at hand is given back for another process, or the next start. */
  close(): Promise<void>;
}

/** Pause between looks when nobody woke us: other servers may take requests, too. */
const POLL_MS = 1000;
/** Pause between looks for what was left behind. */
const CLEAN_MS = 10_000;
/** After so many attempts that broke off, an export fails instead of being tried for ever. */
const MAX_CLAIMS = 10;

/**
 * Starts the exporter: it runs open exports, one at a time, and removes folders that are of no use any more. Any number of
 * processes may run one; a job's lease and fence decide who runs it.
 */
export function startExporter(services: ExporterServices): Exporter {
  const stop = new AbortController();
  const pause = createPause();
  let check: (() => void) | undefined;
  const runLoop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const done = await takeExport(services, stop.signal, (renew) => (check = renew)).catch((error: unknown) =>
        services.logger.error({ err: error }, "an export could not be claimed"),
      );
      check = undefined;
      if (done !== true) await pause.wait(POLL_MS);
    }
  };
  let cleaned: Promise<void> = Promise.resolve();
  const cleanSoon = (): void => {
    cleaned = cleaned
      .then(() => clean(services))
      .catch((error: unknown) => {
        services.logger.warn({ err: error }, "folders of exports could not be removed yet");
      });
  };
  const timer = setInterval(cleanSoon, CLEAN_MS);
  cleanSoon();
  const loop = releaseFormer(services).then(runLoop);
  return {
    notify() {
      pause.end();
      check?.();
      cleanSoon();
    },
    async close() {
      stop.abort(new Error("the server is stopping"));
      pause.end();
      clearInterval(timer);
      await loop;
      await cleaned;
    },
  };
}

async function releaseFormer({ database, isAlone, logger }: ExporterServices): Promise<void> {
  if (!isAlone) return;
  // Otherwise their leases run out.
  await releaseAllExports(database).catch((error: unknown) =>
    logger.warn({ err: error }, "exports could not be released"),
  );
}

/** A pause that can be ended; one that is ended before it begins is none. */
function createPause(): { wait(milliseconds: number): Promise<void>; end(): void } {
  let isEnded = false;
  let wake: (() => void) | undefined;
  return {
    async wait(milliseconds) {
      if (!isEnded) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = undefined;
      isEnded = false;
    },
    end() {
      isEnded = true;
      wake?.();
    },
  };
}

/** Claims one export and runs it; false when there was none. */
async function takeExport(
  services: ExporterServices,
  stop: AbortSignal,
  onStart: (renew: () => void) => void,
): Promise<boolean> {
  const { database, logger, limits } = services;
  // What waits goes on waiting until there is room.
  if ((await lackOfRoom(limits.room)) !== undefined) return false;
  const job = await claimExport(database);
  if (job === undefined) return false;
  let resources = 0;
  const lease = {
    what: `export ${job.id}`,
    beatMs: PROGRESS_MS,
    async renew(end: (reason: Error) => void): Promise<boolean> {
      const lack = await lackOfRoom(limits.room);
      if (lack !== undefined) end(new StokerError("database-full", `the export was ended: ${lack}`));
      return await renewExport(database, job, resources);
    },
    onTrouble: (error: unknown) =>
      logger.warn({ err: error, job: job.id }, "the lease of an export could not be renewed"),
  };
  try {
    await withLease(lease, stop, async (signal, beatNow) => {
      onStart(beatNow);
      const completed = await runExport(services, job, signal, (more) => (resources += more));
      if (!completed) throw new LeaseLost(`export ${job.id} is no longer ours`);
    });
    logger.info({ job: job.id, resources }, "an export is complete");
  } catch (error) {
    await handleFailure(services, job, stop, error);
  }
  await clean(services).catch(() => {});
  return true;
}

/** Signs of life are given often: they also say how far the export is. */
const PROGRESS_MS: number = (LEASE_SECONDS * 1000) / 15;

async function handleFailure(
  services: ExporterServices,
  job: ClaimedExport,
  stop: AbortSignal,
  error: unknown,
): Promise<void> {
  const { database, logger } = services;
  if (stop.aborted) return await releaseExport(database, job);
  if (error instanceof LeaseLost) {
    logger.info({ job: job.id }, "an export was deleted or taken over");
    return await releaseFolder(database, job);
  }
  const failure = error instanceof ThreadFailed ? error.failure : exportFailureOf(error);
  const attempts = Number(job.fence);
  if (!isFinal(failure) && attempts < MAX_CLAIMS) {
    logger.error({ err: error, job: job.id }, "an export was interrupted and will be retried");
    return await postponeExport(database, job, Math.min(LEASE_SECONDS, 2 ** attempts));
  }
  logger.error({ err: error, job: job.id }, "an export failed");
  await failExport(database, job, failure);
}

/** Removes what no export has any use for, at the places that can be reached from here. */
async function clean(services: ExporterServices): Promise<void> {
  const { database, destination, limits, keptHours, logger } = services;
  for (const job of await endOldExports(database, limits)) logger.error({ job }, tooOld("export", limits));
  await deleteExpired(database, keptHours);
  for (const container of await containersOf(services)) {
    for (const left of await leftFolders(database, placeOf(destination, container))) {
      const folder = await openFolder(destination, container, left.name);
      await folder.remove();
      await forgetFolder(database, left);
    }
  }
}

/** The containers that exports were written to; of a folder, one name stands for all. */
async function containersOf({ database, destination }: ExporterServices): Promise<string[]> {
  if (destination.kind === "folder") return [""];
  const prefix = `${destination.account.endpoint}/`;
  const { rows } = await database.query<{ place: string }>(
    "select distinct place from export_folder where starts_with(place, $1)",
    [prefix],
  );
  return rows.map(({ place }) => place.slice(prefix.length));
}
