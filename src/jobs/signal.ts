import type { Notification, Pool, PoolClient } from "pg";
import type { Logger } from "../base/logger.ts";

/** PostgreSQL channel on which processes tell each other that there is something to do. */
const IMPORT_CHANNEL = "stoker_import";

/** Pause before a lost listening connection is opened again. */
const RECONNECT_MS = 1000;

/**
 * Wakes whoever plans, works on or finishes imports, in this process at once and in others through PostgreSQL. A hint
 * only: a wake-up may be lost with a connection, so everybody also looks by himself from time to time.
 */
export interface ImportSignal {
  /** Calls `callback` whenever there may be work; returns the function that ends this. */
  onWork(callback: () => void): () => void;
  /** Says that there may be work: a job was registered, planned, cancelled, a unit was done. Never throws or waits. */
  notify(): void;
  close(): Promise<void>;
}

/** Opens the signal; it keeps one connection of the pool for listening. */
export async function openImportSignal(database: Pool, logger: Logger): Promise<ImportSignal> {
  const signal = new DatabaseSignal(database, logger);
  await signal.listen();
  return signal;
}

/** A waiting place of one loop. */
export interface Waiter {
  /** Resolves when there may be work, after `milliseconds`, or when `abort` fires; at once when a call came before. */
  wait(milliseconds: number, abort: AbortSignal): Promise<void>;
  close(): void;
}

/** Makes a waiting place: a wake-up between two waits is remembered. */
export function createWaiter(signal: ImportSignal): Waiter {
  let pending = false;
  let wake: (() => void) | undefined;
  const unsubscribe = signal.onWork(() => {
    pending = true;
    wake?.();
  });
  return {
    async wait(milliseconds, abort) {
      if (!pending && !abort.aborted) {
        await new Promise<void>((resolve) => {
          const finish = (): void => {
            clearTimeout(timer);
            abort.removeEventListener("abort", finish);
            wake = undefined;
            resolve();
          };
          const timer = setTimeout(finish, milliseconds);
          abort.addEventListener("abort", finish, { once: true });
          wake = finish;
        });
      }
      pending = false;
    },
    close: unsubscribe,
  };
}

class DatabaseSignal implements ImportSignal {
  readonly #database: Pool;
  readonly #logger: Logger;
  readonly #callbacks = new Set<() => void>();
  #client: PoolClient | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #listening: Promise<void> = Promise.resolve();
  #sending: Promise<void> = Promise.resolve();
  #unsent = false;
  #closed = false;

  constructor(database: Pool, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  onWork(callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  notify(): void {
    this.#wake();
    // One statement in flight and one waiting are enough, however often we are called meanwhile.
    if (this.#unsent || this.#closed) return;
    this.#unsent = true;
    this.#sending = this.#sending.then(() => this.#send());
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reconnect);
    this.#callbacks.clear();
    await Promise.all([this.#sending, this.#listening]);
    const client = this.#client;
    this.#client = undefined;
    // The connection listens; it ends here instead of going back to the pool.
    client?.release(true);
  }

  async listen(): Promise<void> {
    const client = await this.#database.connect();
    if (this.#closed) return client.release(true);
    const lost = (cause?: Error): void => {
      if (this.#client !== client) return;
      this.#client = undefined;
      client.release(cause ?? true);
      this.#listenAgain(cause);
    };
    this.#client = client;
    client.once("error", lost);
    client.once("end", () => lost());
    client.on("notification", (message: Notification) => {
      if (message.channel === IMPORT_CHANNEL) this.#wake();
    });
    try {
      await client.query(`listen ${IMPORT_CHANNEL}`);
    } catch (cause) {
      // `lost` has given the connection back already, and looks for another one.
      if (this.#client !== client) return;
      this.#client = undefined;
      client.release(true);
      throw cause;
    }
  }

  #listenAgain(cause: unknown): void {
    if (this.#closed) return;
    this.#logger.warn({ err: cause }, "the connection that listens for imports was lost");
    this.#reconnect = setTimeout(() => {
      this.#listening = this.listen().then(
        () => this.#wake(),
        (error: unknown) => this.#listenAgain(error),
      );
    }, RECONNECT_MS);
  }

  async #send(): Promise<void> {
    this.#unsent = false;
    try {
      await this.#database.query("select pg_notify($1, '')", [IMPORT_CHANNEL]);
    } catch (error) {
      this.#logger.debug({ err: error }, "other processes could not be notified of an import");
    }
  }

  #wake(): void {
    for (const callback of this.#callbacks) callback();
  }
}
