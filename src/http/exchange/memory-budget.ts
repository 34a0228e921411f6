/** What one request holds, in bytes. Made by {@link MemoryBudget.open}. */
export interface Share {
  /** Of several that wait, the one whose client holds least is next. */
  readonly client: string;
  readonly held: number;
}

/** So much may be had when the budget is nearly used up: small requests go on beside large ones. */
const SMALL_BYTES = 256 * 1024;
/** The part of the budget that is kept for small requests. */
const RESERVE = 1 / 8;

/**
 * Counts the bytes that requests hold, against one limit for the process. Nothing here measures: each request tells what it holds
 * and what it will need. A request that is the only one to hold anything may always go on.
 */
export class MemoryBudget {
  readonly limit: number;
  readonly #byClient = new Map<string, number>();
  readonly #waiting = new Set<Waiter>();
  #held = 0;

  /** `limit` in bytes. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that all shares hold. */
  get held(): number {
    return this.#held;
  }

  /** Whether somebody waits for room. */
  get isShort(): boolean {
    return this.#waiting.size > 0;
  }

  open(client: string): Share {
    return { client, held: 0 };
  }

  /** Takes room for so many bytes more; false when there is none. */
  take(share: Share, bytes: number): boolean {
    if (!this.#fits(share, bytes)) return false;
    this.add(share, bytes);
    return true;
  }

  /** Counts bytes that are there already, whether there is room or not; a negative number gives them back. */
  add(share: Share, bytes: number): void {
    const change = Math.max(bytes, -share.held);
    (share as { held: number }).held += change;
    this.#held += change;
    const ofClient = (this.#byClient.get(share.client) ?? 0) + change;
    if (ofClient > 0) this.#byClient.set(share.client, ofClient);
    else this.#byClient.delete(share.client);
    if (change < 0) this.#serve();
  }

  /** Gives all back that a share holds. */
  close(share: Share): void {
    this.add(share, -share.held);
  }

  /** Calls `onRoom` once so many bytes could be taken; not after the function that comes back was called. */
  wait(share: Share, bytes: number, onRoom: () => void): () => void {
    const waiter = { share, bytes, onRoom };
    this.#waiting.add(waiter);
    return () => void this.#waiting.delete(waiter);
  }

  #fits({ held }: Share, bytes: number): boolean {
    if (this.#held === held) return true;
    const most = held + bytes <= SMALL_BYTES ? this.limit : this.limit * (1 - RESERVE);
    return this.#held + bytes <= most;
  }

  /** Lets those have room that wait for it, as far as there is. */
  #serve(): void {
    while (this.#waiting.size > 0) {
      let next: Waiter | undefined;
      for (const waiter of this.#waiting) {
        if (next !== undefined && this.#ofClient(waiter) >= this.#ofClient(next)) continue;
        if (this.#fits(waiter.share, waiter.bytes)) next = waiter;
      }
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.add(next.share, next.bytes);
      next.onRoom();
    }
  }

  #ofClient({ share }: Waiter): number {
    return this.#byClient.get(share.client) ?? 0;
  }
}

interface Waiter {
  share: Share;
  bytes: number;
  onRoom: () => void;
}
