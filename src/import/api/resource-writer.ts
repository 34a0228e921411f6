import { setTimeout as sleep } from "node:timers/promises";
import { Pool, type PoolClient } from "pg";
import { StokerError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { createIndexer, type Indexer } from "../../index/indexer.ts";
import { isRepeatable, isRetryable } from "../../store/database-errors.ts";
import { eraseResource } from "../../store/erase.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { clientConfig, type DatabaseConnection } from "../../store/connection.ts";
import { readCurrent } from "../../store/read.ts";
import { changeStatement, removeDefinition } from "../../store/search-parameters.ts";
import { DEFINING_TYPE } from "./define-parameters.ts";
import { WRITER_NAME } from "../pipeline/frozen-writers.ts";
import type { RequestOutcome } from "./group-plan.ts";
import { BEGIN, WriteGroup } from "./write-group.ts";
import { StalePlan, type Precondition, type WriteRequest, type WrittenResource } from "./write-request.ts";

/** Writes what API requests ask for. */
export interface ResourceWriter {
  /**
   * Carries a request out and resolves when it is committed, with one result per change. Rejects with a StokerError when a
   * precondition fails, or with PostgreSQL's error; then nothing of the request is written.
   */
  write(request: WriteRequest): Promise<WrittenResource[]>;
  /**
   * Removes a resource for good, with its history; see `eraseResource`. False when it is not there. `check` is asked under the
   * lock on it.
   */
  erase(type: string, id: string, check?: Precondition): Promise<boolean>;
  /** Waits for the writes at hand, and closes the writer's connections. */
  close(): Promise<void>;
}

/** Groups that are written at once, each on a connection of its own. */
const WRITERS = 2;
/** A group is full at so many requests, or bytes of bodies. */
const GROUP_REQUESTS = 200;
const GROUP_BYTES = 4 << 20;
/** Bytes of bodies that may wait. More than that is refused rather than held in memory. */
const WAITING_BYTES = 256 << 20;
const MAX_REPEATS = 12;
/** After so many milliseconds it is not tried again: the client has waited long enough for the others. */
const PATIENCE_MS = 30_000;

/**
 * What is committed on the way to a write (new terms, counters) need not wait for the disk: the write itself does, and
 * with it everything before. A process that hangs in a transaction must not hold its locks for long, and who waits for it
 * waits a little longer; see also `frozen-writers.ts`.
 */
const SESSION = { synchronous_commit: "off", idle_in_transaction_session_timeout: "15s", lock_timeout: "20s" };

interface Waiting {
  request: WriteRequest;
  resolve: (results: WrittenResource[]) => void;
  reject: (error: unknown) => void;
}

/**
 * Opens a writer with connections of its own, so that it never waits for searches; they are opened when needed. Requests that arrive while all writers are busy wait in a queue; a writer that becomes free
 * takes all of them it can, so that they share one transaction and its flush to disk: the more clients, the larger the
 * groups. Each request succeeds or fails by itself.
 */
export function openResourceWriter(options: { connection: DatabaseConnection; logger: Logger }): ResourceWriter {
  const pool = new Pool({
    ...clientConfig(options.connection, { applicationName: WRITER_NAME, session: SESSION }),
    max: WRITERS,
    idleTimeoutMillis: 60_000,
  });
  // Without a listener the end of an idle connection would end the process.
  pool.on("error", (error) => options.logger.warn({ reason: error.message }, "an idle database connection was lost"));
  const queue: Waiting[] = [];
  /** One for each connection: what it has stored and reserved may be lost when PostgreSQL crashes, as the connection is. */
  const groups = new WeakMap<PoolClient, WriteGroup>();
  const running = new Set<Promise<void>>();
  let indexer: Indexer | undefined;
  let writing = 0;
  let isUntidy = false;
  let waitingBytes = 0;

  function tellOfTrouble(error: unknown): void {
    options.logger.warn({ err: error }, "tidying up after writes failed");
  }

  function groupOf(client: PoolClient): WriteGroup {
    let group = groups.get(client);
    if (group === undefined) groups.set(client, (group = new WriteGroup((indexer ??= createIndexer()))));
    return group;
  }

  async function write(requests: readonly WriteRequest[]): Promise<RequestOutcome[]> {
    return await repeated(() =>
      onClient(pool, async (client) => {
        const group = groupOf(client);
        const outcomes = await group.write(client, requests);
        isUntidy ||= group.isUntidy;
        return outcomes;
      }),
    );
  }

  /** After the answers: nobody waits for it. */
  async function tidy(): Promise<void> {
    isUntidy = false;
    await onClient(pool, async (client) => {
      const group = groupOf(client);
      if (group.isUntidy) await group.tidy(client);
    });
  }

  function start(): void {
    if (queue.length === 0 || writing === WRITERS) return;
    writing++;
    const work = drain().finally(() => {
      writing--;
      running.delete(work);
    });
    running.add(work);
  }

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const group = takeGroup(queue);
      const deferred = await carryOut(write, group);
      // First in the queue: they came first.
      queue.unshift(...deferred);
      if (isUntidy) await tidy().catch(tellOfTrouble);
    }
  }

  return {
    write(request) {
      if (waitingBytes > 0 && waitingBytes + request.bytes > WAITING_BYTES) {
        return Promise.reject(new StokerError("busy", "Too many writes are waiting; try again in a moment."));
      }
      waitingBytes += request.bytes;
      return new Promise<WrittenResource[]>((resolve, reject) => {
        queue.push({ request, resolve, reject });
        start();
      }).finally(() => {
        waitingBytes -= request.bytes;
      });
    },
    async erase(type, id, check) {
      const work = repeated(() => onClient(pool, (client) => eraseOnClient(client, type, id, check)));
      const settled = work.then(
        () => undefined,
        () => undefined,
      );
      running.add(settled);
      void settled.finally(() => running.delete(settled));
      return await work;
    },
    async close() {
      while (running.size > 0) await Promise.all(running);
      await pool.end();
    },
  };
}

async function eraseOnClient(
  client: PoolClient,
  type: string,
  id: string,
  check: Precondition | undefined,
): Promise<boolean> {
  // Nothing is indexed, so that no definition needs to be known.
  await client.query([...BEGIN, ...(type === DEFINING_TYPE ? [changeStatement(undefined)] : [])].join("; "));
  try {
    if (check !== undefined) {
      await client.query("select from head where key = $1 for update", [resourceKeyOf(type, id)]);
      check(await readCurrent(client, type, id));
    }
    const isErased = await eraseResource(client, resourceKeyOf(type, id), id);
    if (type === DEFINING_TYPE) await removeDefinition(client, id);
    await client.query("commit");
    return isErased;
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}

/** Takes the oldest requests that fit into a group. No two of them have a lock in common. */
function takeGroup(queue: Waiting[]): Waiting[] {
  const group: Waiting[] = [];
  const locks = new Set<string>();
  let bytes = 0;
  let at = 0;
  while (at < queue.length && group.length < GROUP_REQUESTS) {
    const { request } = queue[at] as Waiting;
    if (group.length > 0 && bytes + request.bytes > GROUP_BYTES) break;
    if (request.locks.some((name) => locks.has(name))) {
      at++;
      continue;
    }
    for (const name of request.locks) locks.add(name);
    bytes += request.bytes;
    group.push(...queue.splice(at, 1));
  }
  return group;
}

/** Writes a group and answers its requests; returns those that were put off. Never throws. */
async function carryOut(
  write: (requests: readonly WriteRequest[]) => Promise<RequestOutcome[]>,
  group: readonly Waiting[],
): Promise<Waiting[]> {
  let outcomes: RequestOutcome[];
  try {
    outcomes = await write(group.map(({ request }) => request));
  } catch (error) {
    // A connection that was lost may have committed: nothing of the group may be written a second time.
    if (group.length === 1 || isRetryable(error)) {
      for (const { reject } of group) reject(error);
      return [];
    }
    // One of them is to blame; the others must not suffer.
    const deferred: Waiting[] = [];
    for (const one of group) deferred.push(...(await carryOut(write, [one])));
    return deferred;
  }
  const deferred: Waiting[] = [];
  for (const [index, waiting] of group.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined || outcome === "deferred") deferred.push(waiting);
    else if ("error" in outcome) waiting.reject(outcome.error);
    else waiting.resolve(outcome.results);
  }
  return deferred;
}

/** Runs `attempt` again, a bounded number of times, where another writer was in its way. */
async function repeated<Result>(attempt: () => Promise<Result>): Promise<Result> {
  const begun = performance.now();
  for (let repeat = 1; ; repeat++) {
    try {
      return await attempt();
    } catch (error) {
      if (!mayBeRepeated(error)) throw error;
      if (repeat >= MAX_REPEATS || performance.now() - begun > PATIENCE_MS) {
        throw new StokerError("busy", "The resource is being written by others; try again in a moment.", {
          cause: error,
        });
      }
      await sleep(Math.random() * Math.min(500, 2 ** repeat));
    }
  }
}

function mayBeRepeated(error: unknown): boolean {
  return error instanceof StalePlan || isRepeatable(error);
}

/** Runs `work` on a connection of the pool, which is closed afterwards when it was lost or work left it in doubt. */
async function onClient<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on("error", onError);
  try {
    return await work(client);
  } catch (error) {
    // After an orderly refusal by the server the transaction was rolled back, and the connection is as good as new.
    if (!mayBeRepeated(error) && !(error instanceof StokerError)) broken ??= error as Error;
    throw error;
  } finally {
    client.off("error", onError);
    client.release(broken ?? false);
  }
}
