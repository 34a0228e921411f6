import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import pg from "pg";
import { StokerError } from "../../base/errors.ts";
import { createIndexer } from "../../index/indexer.ts";
import { createSources } from "../../source/sources.ts";
import { clientConfig, WORKER_NAME } from "../../postgres/connection.ts";
import { databaseError } from "../../postgres/database-errors.ts";
import { openHashKey } from "../../store/identity/hash-key.ts";
import { openStoreTimeZone } from "../../store/identity/time-zone.ts";
import { importFailureOf } from "../job/jobs.ts";
import { noTimes } from "../../write/batch/stage-times.ts";
import { claimUnit, endFormerSession, releaseUnit, type ClaimedUnit } from "./unit-lease.ts";
import { LeaseLost } from "../../jobs/lease.ts";
import { UnitRunner } from "./unit-runner.ts";
import { type WorkerMessage, type WorkerOrder, type WorkerStart } from "./worker-messages.ts";
import { WorkPlace } from "../../write/batch/work-place.ts";

/**
 * A worker thread: claims units and works on them, one after another, on a connection of its own. Idle, it waits for
 * "wake", and looks by itself once a second, because a wake-up may be lost. While it has a unit it tells the main thread
 * so, which prolongs the lease on another connection: one batch or a stalled source may take longer than a lease.
 */

const IDLE_MS = 1000;
/** Milliseconds between signs of life: well below the lease. */
const ALIVE_MS = 10_000;
/** Pauses after trouble with the database grow from the first to the second. */
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;
/** A unit that fails so often for an unknown reason, without advancing, fails its job. */
const MAX_ATTEMPTS = 5;
/** So does one whose workers vanish so often: a line may be what kills them. */
const MAX_CLAIMS = 20;
/**
 * Losing the last commits in a power cut is safe: rows and checkpoint are lost together, and the unit goes on from the
 * checkpoint that is left. The commit that completes the job waits for the disk, and with it for all before. A machine
 * that is gone, or a process that hangs in a transaction, must not hold its locks for long.
 */
const SESSION = {
  synchronous_commit: "off",
  idle_in_transaction_session_timeout: "30s",
  // A limit that somebody gave to the role is meant for searches: a large batch takes its time.
  statement_timeout: "0",
  tcp_keepalives_idle: "15",
  tcp_keepalives_interval: "5",
  tcp_keepalives_count: "3",
};

const port = parentPort;
if (port === null) throw new Error("worker-thread.ts runs only as a worker thread");
const start = workerData as WorkerStart;
const stopping = new AbortController();
const sources = createSources(start.sources);
const indexer = createIndexer();
/** Over all connections. */
const times = noTimes();
/**
 * The units claimed last. When the connection breaks, those that are still running in this worker's name are put back on
 * the next one: the one at hand, and, where the server crashed, also some whose completion was lost with the last commits.
 * Of tiny files there are hundreds in that time.
 */
const recent: ClaimedUnit[] = [];
const MAX_RECENT = 1024;
/** The job of the unit done last, until the coordinator was told that this worker has no other unit of it. */
let doneJob: string | undefined;
let wake: (() => void) | undefined;
let woken = false;

port.on("message", (order: WorkerOrder) => {
  if (order === "stop") stopping.abort(new Error("the server is stopping"));
  woken = true;
  wake?.();
});

await work();
port.close();

async function work(): Promise<void> {
  let pause = MIN_PAUSE_MS;
  while (!stopping.signal.aborted) {
    try {
      await workOnConnection(() => {
        pause = MIN_PAUSE_MS;
      });
    } catch (error) {
      if (stopping.signal.aborted) return;
      tell({ kind: "trouble", text: textOf(error), job: undefined });
      await pauseFor(pause);
      pause = Math.min(pause * 2, MAX_PAUSE_MS);
    }
  }
}

/** Works until the worker is stopped or the connection breaks, which throws. */
async function workOnConnection(worked: () => void): Promise<void> {
  const client = new pg.Client(clientConfig(start.connection, { applicationName: WORKER_NAME, session: SESSION }));
  let lost: Error | undefined;
  client.on("error", (error) => {
    lost = error;
  });
  await client.connect();
  try {
    await openHashKey(client);
    await openStoreTimeZone(client);
    const runner = new UnitRunner({
      client,
      sources,
      indexer,
      room: start.room,
      times,
      at: start.at,
      report: (report) => tell({ kind: "batch", report, times }),
      segmentFull: (segment) => tell({ kind: "segment-full", segment }),
    });
    for (const unit of recent) await releaseUnit(client, unit, false);
    recent.length = 0;
    while (!stopping.signal.aborted) {
      if (lost !== undefined) throw lost;
      woken = false;
      const unit = await claimUnit(client);
      // Not after every unit: there may be thousands a second, and only after the last one there is something to do.
      if (doneJob !== undefined && unit?.job !== doneJob) {
        tell({ kind: "units-done", job: doneJob });
        doneJob = undefined;
      }
      if (unit === undefined) {
        await idle(IDLE_MS);
      } else {
        if (recent.push(unit) > MAX_RECENT) recent.shift();
        await workOnUnit(client, runner, unit);
      }
      worked();
    }
  } finally {
    await client.end().catch(() => {});
  }
}

/** Ends with the unit done, put back, or its job failed; throws when the connection is broken. */
async function workOnUnit(client: pg.Client, runner: UnitRunner, unit: ClaimedUnit): Promise<void> {
  const fail = async (reason: unknown): Promise<void> => {
    tell({
      kind: "job-failed",
      job: unit.job,
      failure: importFailureOf(reason, unit.input.url),
      reason: textOf(reason),
    });
    // The next unit may be of the same job: until the failure is recorded.
    await pauseFor(MIN_PAUSE_MS);
  };
  if (unit.attempts > MAX_CLAIMS) {
    const failure = new Error(
      `its workers vanished ${unit.attempts - 1} times at byte ${unit.position ?? unit.startOffset}`,
    );
    return await fail(failure);
  }
  const { id, fence } = unit;
  const alive = setInterval(() => tell({ kind: "alive", unit: { id, fence } }), ALIVE_MS);
  try {
    await endFormerSession(client, unit);
    await runner.run(unit, stopping.signal);
    doneJob = unit.job;
  } catch (error) {
    if (error instanceof LeaseLost) return;
    if (stopping.signal.aborted) return await releaseUnit(client, unit, false);
    const known = databaseError(error);
    if (known instanceof StokerError && known.code === "database-unavailable") throw error;
    if (known instanceof StokerError || unit.attempts >= MAX_ATTEMPTS) {
      return await fail(known);
    }
    tell({ kind: "trouble", text: textOf(error), job: unit.job });
    await pauseFor(Math.min(MIN_PAUSE_MS * 2 ** unit.attempts, MAX_PAUSE_MS));
    await releaseUnit(client, unit, true);
  } finally {
    clearInterval(alive);
    start.at[WorkPlace.unit] = 0;
  }
}

/** Waits after trouble; unlike {@link idle}, new work does not end it. */
async function pauseFor(milliseconds: number): Promise<void> {
  await sleep(milliseconds, undefined, { signal: stopping.signal }).catch(() => {});
}

async function idle(milliseconds: number): Promise<void> {
  if (woken || stopping.signal.aborted) return;
  const timer = new AbortController();
  const waked = new Promise<void>((resolve) => {
    wake = resolve;
  });
  await Promise.race([waked, sleep(milliseconds, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
  wake = undefined;
}

function tell(message: WorkerMessage): void {
  port?.postMessage(message);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
