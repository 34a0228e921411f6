import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import pg from "pg";
import { StokerError } from "../base/errors.ts";
import { createIndexer } from "../index/indexer.ts";
import { createSources } from "../source/sources.ts";
import { clientConfig } from "../store/connection.ts";
import { databaseError } from "../store/database-errors.ts";
import { failureOf } from "./jobs.ts";
import { claimUnit, releaseUnit, type ClaimedUnit } from "./unit-lease.ts";
import { LeaseLost, UnitRunner } from "./unit-runner.ts";
import type { WorkerMessage, WorkerOrder, WorkerStart } from "./worker-messages.ts";

/**
 * A worker thread: claims units and works on them, one after another, on a connection of its own. Idle, it waits for
 * "wake", and looks by itself once a second, because a wake-up may be lost.
 */

const IDLE_MS = 1000;
/** Pauses after trouble with the database grow up to this. */
const MAX_PAUSE_MS = 5000;
/** A unit that fails so often for an unknown reason fails its job. */
const MAX_ATTEMPTS = 5;

const port = parentPort;
if (port === null) throw new Error("worker-thread.ts runs only as a worker thread");
const start = workerData as WorkerStart;
const stopping = new AbortController();
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
  let pause = 100;
  while (!stopping.signal.aborted) {
    try {
      await workOnConnection(() => {
        pause = 100;
      });
    } catch (error) {
      tell({ kind: "trouble", text: textOf(error), job: undefined });
      await idle(pause);
      pause = Math.min(pause * 2, MAX_PAUSE_MS);
    }
  }
}

/** Works until the worker is stopped or the connection breaks, which throws. */
async function workOnConnection(worked: () => void): Promise<void> {
  // Losing the last commits in a power cut is safe: rows and checkpoint are lost together, and the unit goes on from the
  // checkpoint that is left. The commit that completes the job waits for the disk, and with it for all before.
  const client = new pg.Client({
    ...clientConfig(start.connection, { applicationName: "stoker import worker" }),
    options: "-c synchronous_commit=off",
  });
  let lost: Error | undefined;
  client.on("error", (error) => {
    lost = error;
  });
  await client.connect();
  try {
    const runner = new UnitRunner({
      client,
      sources: createSources(start.sources),
      indexer: createIndexer(),
      report: (report) => tell({ kind: "batch", report, times: runner.times }),
      segmentFull: (segment) => tell({ kind: "segment-full", segment }),
    });
    while (!stopping.signal.aborted) {
      if (lost !== undefined) throw lost;
      woken = false;
      const unit = await claimUnit(client);
      if (unit === undefined) await idle(IDLE_MS);
      else await workOnUnit(client, runner, unit);
      worked();
    }
  } finally {
    await client.end().catch(() => {});
  }
}

async function workOnUnit(client: pg.Client, runner: UnitRunner, unit: ClaimedUnit): Promise<void> {
  try {
    await runner.run(unit, stopping.signal);
    tell({ kind: "unit-done", job: unit.job });
  } catch (error) {
    if (error instanceof LeaseLost) return;
    if (stopping.signal.aborted) {
      await releaseUnit(client, unit);
      return;
    }
    const known = databaseError(error);
    const isUnknown = !(known instanceof StokerError);
    const isFatal = isUnknown ? unit.attempts >= MAX_ATTEMPTS : known.code !== "database-unavailable";
    if (isFatal) {
      tell({ kind: "job-failed", job: unit.job, failure: failureOf(known, unit.input.url) });
      return;
    }
    tell({ kind: "trouble", text: textOf(error), job: unit.job });
    await idle(Math.min(100 * 2 ** unit.attempts, MAX_PAUSE_MS));
    // On a broken connection this throws; the unit is then free when its lease ends.
    await releaseUnit(client, unit);
  }
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
