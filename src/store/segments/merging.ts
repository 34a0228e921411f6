import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import type { Logger } from "../../base/logger.ts";
import { mergeSegments } from "./merge-segments.ts";
import { withClient } from "./publish.ts";

/** What merging in the background needs. */
export interface MergingServices {
  readonly database: Pool;
  readonly logger: Logger;
  /** Whether imports are at work: they come first. */
  readonly isBusy: () => Promise<boolean>;
  /** Milliseconds between looks. */
  readonly interval?: number;
  /** Room on the disk, where that can be known. */
  readonly freeBytes?: () => Promise<number>;
}

/** Merging that is going on. */
export interface Merging {
  /** Ends it at once: a merge under way is broken off, and done again by the next server. */
  close(): Promise<void>;
}

const INTERVAL_MS = 5000;
/** Pauses after a merge that could not be done, and after one that failed: a full disk is not to be filled again and again. */
const BUSY_MS = 60_000;
const FAILED_MS = 600_000;
/** So many looks in a row must find no import at work: one import is often followed by the next. */
const QUIET_LOOKS = 2;
/** Looks after which an import is no reason to wait any longer: a store that is always fed has to be merged, too. */
const PATIENT_LOOKS = 120;

/** Merges small segments in the background, while no imports are at work. Any number of processes may do so. */
export function startMerging(services: MergingServices): Merging {
  const stop = new AbortController();
  const running = run(services, stop.signal);
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

async function run(services: MergingServices, stop: AbortSignal): Promise<void> {
  const { database, logger, isBusy, interval = INTERVAL_MS, freeBytes } = services;
  const limits = { stop, ...(freeBytes === undefined ? {} : { freeBytes }) };
  let quiet = 0;
  let waited = 0;
  while (!stop.aborted) {
    let pause = interval;
    try {
      // Without a database there is nothing to be done, and others say so.
      quiet = (await isBusy().catch(() => true)) ? 0 : quiet + 1;
      waited++;
      if (quiet >= QUIET_LOOKS || waited >= PATIENT_LOOKS) {
        waited = 0;
        const started = performance.now();
        const outcome = await withClient(database, stop, (client) => mergeSegments(client, limits));
        if (outcome === "busy") pause = BUSY_MS;
        if (outcome === "merged") {
          logger.info({ seconds: (performance.now() - started) / 1000 }, "small segments were merged");
          continue;
        }
      }
    } catch (error) {
      if (!stop.aborted) logger.warn({ err: error }, "small segments could not be merged yet");
      pause = FAILED_MS;
    }
    await sleep(pause, undefined, { signal: stop }).catch(() => {});
  }
}
