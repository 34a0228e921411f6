import { setTimeout as sleep } from "node:timers/promises";
import { Pool, type PoolClient } from "pg";
import { StokerError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { createIndexer, type Indexer } from "../../index/indexer.ts";
import { isRepeatable, isRetryable } from "../../postgres/database-errors.ts";
import { processIdOf } from "../../postgres/cancel.ts";
import { clientConfig, type DatabaseConnection } from "../../postgres/connection.ts";
import type { DatabaseControl } from "../../postgres/control.ts";
import { eraseOne } from "./erase-one.ts";
import { WRITER_NAME } from "./frozen-writers.ts";
import type { RequestOutcome } from "./group-plan.ts";
import { WriteGroup } from "./write-group.ts";
import { WriteQueue, type GroupLimits, type Lane, type QueuedWrite } from "./write-queue.ts";
import {
  StalePlan,
  type Precondition,
  type WriteOrigin,
  type WriteRequest,
  type WrittenResource,
} from "./write-request.ts";

/** Writes what API requests ask for. */
export interface ResourceWriter {
  /**
   * Carries a request out and resolves when it is committed, with one result per change. Rejects with a StokerError when a
   * precondition fails, or with PostgreSQL's error; then nothing of the request is written. Rejects with `busy` when too much
   * waits, when it has waited for too long, and when its client has gone before it began.
   */
  write(request: WriteRequest, from?: WriteOrigin): Promise<WrittenResource[]>;
  /**
   * Removes a resource for good, with its history; see `eraseResource`. False when it is not there. `check` is asked under the
   * lock on it. Rejects like {@link write}.
   */
  erase(type: string, id: string, check?: Precondition, from?: WriteOrigin): Promise<boolean>;
  /** Writes and erasures that are not done. */
  readonly waiting: number;
  /** Refuses what waits and what comes, and gives up long searches of what is at work. */
  stop(): void;
  /** Stops, waits for the writes at work, and closes the writer's connections. */
  close(): Promise<void>;
}

/** Groups that are written at once, by lane, each on a connection of its own. */
const WRITERS: Readonly<Record<Lane, number>> = { plain: 2, planned: 2, slow: 1, erase: 1 };
/** What a group may have. */
const GROUP: Readonly<Record<Lane, GroupLimits>> = {
  plain: { requests: 200, bytes: 4 << 20 },
  planned: { requests: 200, bytes: 4 << 20 },
  slow: { requests: 1, bytes: 0 },
  erase: { requests: 1, bytes: 0 },
};
/** How long the plans of a group may search, all together, in milliseconds; others wait for it. */
const PLANNING_MS: Readonly<Record<Lane, number>> = { plain: 60_000, planned: 500, slow: 60_000, erase: 0 };
/** Requests with more bytes take their time, and are written alone. */
const LARGE_BYTES = 1 << 20;
/** Bytes of bodies that may wait. More than that is refused rather than held in memory. */
const WAITING_BYTES = 256 << 20;
/** A write that has waited so many milliseconds is refused, and so is what a Bundle still has to write after that time. */
const WAITING_MS = 120_000;
const MAX_REPEATS = 12;
/** After so many milliseconds it is not tried again: the client has waited long enough for the others. */
const PATIENCE_MS = 30_000;

/**
 * What is committed on the way to a write (new terms, counters) need not wait for the disk: the write itself does, and
 * with it everything before. A process that hangs in a transaction must not hold its locks for long, and who waits for it
 * waits a little longer; see also `frozen-writers.ts`.
 */
const SESSION = { synchronous_commit: "off", idle_in_transaction_session_timeout: "15s", lock_timeout: "20s" };

interface Waiting extends QueuedWrite {
  readonly request: WriteRequest;
  /** Undefined: an erasure. */
  readonly erasure?: (client: PoolClient) => Promise<boolean>;
  /** Milliseconds of `performance.now()`. */
  readonly until: number;
  readonly resolve: (results: WrittenResource[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens a writer with connections of its own, so that it never waits for searches; they are opened when needed. Requests that
 * arrive while all writers of their lane are busy wait in a queue in which clients take turns; a writer that becomes free
 * takes a group of them, so that they share one transaction and its flush to disk: the more clients, the larger the
 * groups. Each request succeeds or fails by itself.
 */
export function openResourceWriter(options: {
  connection: DatabaseConnection;
  logger: Logger;
  control?: Pick<DatabaseControl, "cancel">;
}): ResourceWriter {
  return new GroupingWriter(options.connection, options.logger, options.control);
}

class GroupingWriter implements ResourceWriter {
  readonly #pool: Pool;
  readonly #logger: Logger;
  readonly #control: Pick<DatabaseControl, "cancel"> | undefined;
  readonly #queue = new WriteQueue<Waiting>();
  /** One for each connection: what it has stored and reserved may be lost when PostgreSQL crashes, as the connection is. */
  readonly #groups = new WeakMap<PoolClient, WriteGroup>();
  readonly #running = new Set<Promise<void>>();
  readonly #writing: Record<Lane, number> = { plain: 0, planned: 0, slow: 0, erase: 0 };
  readonly #stopping = new AbortController();
  /** Requests of which something waits or is at work, with what ends the waiting when their client has gone. */
  readonly #watched = new WeakMap<WriteOrigin, number>();
  #indexer: Indexer | undefined;
  #isUntidy = false;
  #waitingBytes = 0;
  waiting = 0;

  constructor(connection: DatabaseConnection, logger: Logger, control: Pick<DatabaseControl, "cancel"> | undefined) {
    this.#logger = logger;
    this.#control = control;
    this.#pool = new Pool({
      ...clientConfig(connection, { applicationName: WRITER_NAME, session: SESSION }),
      max: Object.values(WRITERS).reduce((sum, count) => sum + count, 0),
      idleTimeoutMillis: 60_000,
    });
    // Without a listener the end of an idle connection would end the process.
    this.#pool.on("error", (error) => logger.warn({ reason: error.message }, "an idle database connection was lost"));
  }

  async write(request: WriteRequest, from: WriteOrigin = NOBODY): Promise<WrittenResource[]> {
    const lane = request.bytes > LARGE_BYTES ? "slow" : request.isPlain === true ? "plain" : "planned";
    return await this.#enqueue({ request, from, lane });
  }

  async erase(type: string, id: string, check?: Precondition, from: WriteOrigin = NOBODY): Promise<boolean> {
    let isErased = false;
    const erasure = async (client: PoolClient): Promise<boolean> =>
      (isErased = await eraseOne(client, type, id, check));
    const request = { bytes: 0, locks: [], resources: [`${type}/${id}`], plan: () => [] };
    await this.#enqueue({ request, from, lane: "erase", erasure });
    return isErased;
  }

  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    for (const { reject } of this.#queue.remove()) reject(stopping());
  }

  async close(): Promise<void> {
    this.stop();
    while (this.#running.size > 0) await Promise.all(this.#running);
    await this.#pool.end();
  }

  async #enqueue(entry: Pick<Waiting, "request" | "from" | "lane" | "erasure">): Promise<WrittenResource[]> {
    const { bytes } = entry.request;
    if (this.#stopping.signal.aborted) throw stopping();
    if (entry.from.signal?.aborted === true) throw gone();
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > WAITING_BYTES) {
      throw new StokerError("busy", "Too many writes are waiting; try again in a moment.");
    }
    const until = this.#watch(entry.from);
    if (performance.now() > until) throw tooLate();
    this.#waitingBytes += bytes;
    this.waiting++;
    try {
      return await new Promise<WrittenResource[]>((resolve, reject) => {
        this.#queue.add({ ...entry, until, resolve, reject });
        this.#start(entry.lane);
      });
    } finally {
      this.#waitingBytes -= bytes;
      this.waiting--;
    }
  }

  /** Until when entries of this request may wait. From its first one on, those that wait are left when its client goes. */
  #watch(from: WriteOrigin): number {
    if (from === NOBODY) return performance.now() + WAITING_MS;
    const known = this.#watched.get(from);
    if (known !== undefined) return known;
    const until = performance.now() + WAITING_MS;
    this.#watched.set(from, until);
    const leave = (): void => {
      for (const { reject } of this.#queue.remove(from)) reject(gone());
    };
    from.signal?.addEventListener("abort", leave, { once: true });
    return until;
  }

  #start(lane: Lane): void {
    if (this.#writing[lane] >= WRITERS[lane] || !this.#queue.hasReady(lane)) return;
    this.#writing[lane]++;
    const work = this.#drain(lane).finally(() => {
      this.#writing[lane]--;
      this.#running.delete(work);
      // Something may have come between the last look and now.
      this.#start(lane);
    });
    this.#running.add(work);
  }

  /** Writes groups until nothing is ready in the lane. Never throws. */
  async #drain(lane: Lane): Promise<void> {
    for (;;) {
      const group = this.#queue.take(lane, GROUP[lane]);
      if (group.length === 0) return;
      const inTime = group.filter(({ until, reject }) => {
        const isLate = performance.now() > until;
        if (isLate) reject(tooLate());
        return !isLate;
      });
      const left = lane === "erase" ? await this.#eraseAll(inTime) : await this.#carryOut(lane, inTime);
      this.#queue.done(group);
      // First of their requests: they came first.
      for (const entry of left.toReversed()) {
        if (this.#stopping.signal.aborted) entry.reject(stopping());
        else if (entry.from.signal?.aborted === true) entry.reject(gone());
        else this.#queue.putBack(entry);
      }
      for (const other of LANES) if (other !== lane) this.#start(other);
      if (this.#isUntidy) {
        await this.#tidy().catch((error: unknown) =>
          this.#logger.warn({ err: error }, "cleaning up after writes failed"),
        );
      }
    }
  }

  async #eraseAll(group: readonly Waiting[]): Promise<Waiting[]> {
    for (const { erasure, resolve, reject } of group) {
      if (erasure === undefined) continue;
      await repeated(() => onClient(this.#pool, erasure)).then(() => resolve([]), reject);
    }
    return [];
  }

  /** Writes a group and answers its requests; returns those that were put off. Never throws. */
  async #carryOut(lane: Lane, group: readonly Waiting[]): Promise<Waiting[]> {
    if (group.length === 0) return [];
    let outcomes: RequestOutcome[];
    try {
      outcomes = await this.#write(lane, group);
    } catch (error) {
      // A connection that was lost may have committed: nothing of the group may be written a second time.
      if (group.length === 1 || isRetryable(error)) {
        for (const { reject } of group) reject(error);
        return [];
      }
      // One of them is to blame; the others must not suffer.
      const left: Waiting[] = [];
      for (const one of group) left.push(...(await this.#carryOut(lane, [one])));
      return left;
    }
    const left: Waiting[] = [];
    for (const [index, waiting] of group.entries()) {
      const outcome = outcomes[index];
      if (outcome === "slow") waiting.lane = "slow";
      if (outcome === undefined || typeof outcome === "string") left.push(waiting);
      else if ("error" in outcome) waiting.reject(outcome.error);
      else waiting.resolve(outcome.results);
    }
    return left;
  }

  async #write(lane: Lane, group: readonly Waiting[]): Promise<RequestOutcome[]> {
    const waits = group.map(({ request, from }) => (request.isPlain === true ? undefined : this.#waitFor(from)));
    const requests = group.map(({ request }, index) => ({ ...request, signal: waits[index]?.signal }));
    try {
      return await repeated(() =>
        onClient(this.#pool, async (client) => {
          const writes = this.#groupOf(client);
          const outcomes = await writes.write(client, requests, {
            end: performance.now() + PLANNING_MS[lane],
            isShort: lane === "planned",
            cancel: async () => await this.#control?.cancel(processIdOf(client)),
          });
          this.#isUntidy ||= writes.isUntidy;
          return outcomes;
        }),
      );
    } finally {
      for (const wait of waits) wait?.end();
    }
  }

  /** A signal that fires when nobody waits for an answer to `from` any more, or the server stops; until `end` is called. */
  #waitFor({ signal }: WriteOrigin): { signal: AbortSignal; end: () => void } {
    const wait = new AbortController();
    const sources = signal === undefined ? [this.#stopping.signal] : [this.#stopping.signal, signal];
    const onAbort = (): void => wait.abort();
    for (const source of sources) {
      if (source.aborted) onAbort();
      else source.addEventListener("abort", onAbort);
    }
    const end = (): void => {
      for (const source of sources) source.removeEventListener("abort", onAbort);
    };
    return { signal: wait.signal, end };
  }

  #groupOf(client: PoolClient): WriteGroup {
    let group = this.#groups.get(client);
    if (group === undefined) {
      this.#groups.set(client, (group = new WriteGroup((this.#indexer ??= createIndexer()))));
    }
    return group;
  }

  /** After the answers: nobody waits for it. */
  async #tidy(): Promise<void> {
    this.#isUntidy = false;
    await onClient(this.#pool, async (client) => {
      const group = this.#groupOf(client);
      if (group.isUntidy) await group.tidy(client);
    });
  }
}

const LANES = Object.keys(WRITERS) as Lane[];

/** Whose writes have no other origin. */
const NOBODY: WriteOrigin = { client: "" };

function stopping(): StokerError {
  return new StokerError("busy", "The server is shutting down; try again in a moment.");
}

function gone(): StokerError {
  return new StokerError("busy", "The client has disconnected; nothing was written.");
}

function tooLate(): StokerError {
  const text = `This write has waited for ${WAITING_MS / 1000} seconds; send it again in a moment.`;
  return new StokerError("busy", text);
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
        throw new StokerError("busy", "Others are writing the resource; try again in a moment.", {
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
