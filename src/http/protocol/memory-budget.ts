/** What one request holds, in bytes. Made by {@link MemoryBudget.open}. */
export interface Share {
  /** Of several that wait, the oldest is next: so that one of them gets to its end. */
  readonly number: number;
  readonly held: number;
}

/** So much may be had when the budget is nearly used up: small requests go on beside large ones. */
const SMALL_BYTES = 256 * 1024;
/** The part of the budget that is kept for small requests. */
const RESERVE = 1 / 8;
/** The part that bodies may have while they come: the rest is for carrying requests out, or none of them would get to its end. */
const RECEIVING = 1 / 2;

/**
 * The part of the budget that may be garbage: what large requests held stays counted until it was collected, because V8 takes
 * its time with memory beside its heap, and makes new room meanwhile.
 */
const GARBAGE = 1 / 8;

/** What room is taken for. */
export type Stage = "receiving" | "working";

/**
 * Counts the bytes that requests hold, against one limit for the process. Nothing here measures: each request tells what it holds
 * and what it will need. A request that is the only one to hold anything may always go on.
 */
export class MemoryBudget {
  readonly limit: number;
  readonly #waiting = new Set<Waiter>();
  readonly #collect: (() => void) | undefined;
  #opened = 0;
  #held = 0;
  /** Bytes of {@link #held} that no request holds any more. */
  #garbage = 0;

  /** `limit` in bytes; `collect` gives memory back that nothing refers to any more. */
  constructor(limit: number, collect?: () => void) {
    this.limit = limit;
    this.#collect = collect;
  }

  /** Bytes that all shares hold. */
  get held(): number {
    return this.#held;
  }

  /** Whether somebody waits for room. */
  get isShort(): boolean {
    return this.#waiting.size > 0;
  }

  open(): Share {
    return { number: this.#opened++, held: 0 };
  }

  /** Takes room for so many bytes more; false when there is none, or an older request waits for it. */
  take(share: Share, bytes: number, stage: Stage = "working"): boolean {
    if (!this.#fits(share, bytes, stage)) {
      this.#collectMuch();
      if (!this.#fits(share, bytes, stage)) return false;
    }
    if (!isSmall(share, bytes) && this.#isOlderWaiting(share)) return false;
    this.add(share, bytes);
    return true;
  }

  /** Counts bytes that are there already, whether there is room or not; a negative number gives them back. */
  add(share: Share, bytes: number): void {
    const change = Math.max(bytes, -share.held);
    (share as { held: number }).held += change;
    this.#held += change;
    if (change < 0) this.#serve();
  }

  /** Gives all back that a share holds; a large one's memory is room again when it was collected. */
  close(share: Share): void {
    const { held } = share;
    if (held > SMALL_BYTES && this.#collect !== undefined) {
      (share as { held: number }).held = 0;
      this.#garbage += held;
      this.#collectMuch();
    } else {
      this.add(share, -held);
    }
  }

  /** Calls `onRoom` once so many bytes could be taken; not after the function that comes back was called. */
  wait(share: Share, bytes: number, stage: Stage, onRoom: () => void): () => void {
    const waiter = { share, bytes, stage, onRoom };
    this.#waiting.add(waiter);
    return () => {
      if (this.#waiting.delete(waiter)) this.#serve();
    };
  }

  #fits(share: Share, bytes: number, stage: Stage): boolean {
    if (this.#held - this.#garbage === share.held) return true;
    // Garbage must not take what is kept for small requests.
    if (isSmall(share, bytes)) return this.#held - this.#garbage + bytes <= this.limit;
    return this.#held + bytes <= this.limit * (stage === "receiving" ? RECEIVING : 1 - RESERVE);
  }

  /** Collects when it is worth the time, some 20 ms, and when everything that is held is garbage. */
  #collectMuch(): void {
    if (this.#garbage <= this.limit * GARBAGE && (this.#garbage === 0 || this.#garbage < this.#held)) return;
    this.#collect?.();
    this.#held -= this.#garbage;
    this.#garbage = 0;
    this.#serve();
  }

  #isOlderWaiting({ number }: Share): boolean {
    for (const { share } of this.#waiting) if (share.number < number) return true;
    return false;
  }

  /** Lets those have room that wait for it, the oldest first, as far as there is. */
  #serve(): void {
    while (this.#waiting.size > 0) {
      let next: Waiter | undefined;
      for (const waiter of this.#waiting) {
        if (next !== undefined && waiter.share.number >= next.share.number) continue;
        if (this.#fits(waiter.share, waiter.bytes, waiter.stage)) next = waiter;
      }
      if (next === undefined) return;
      this.#waiting.delete(next);
      this.add(next.share, next.bytes);
      next.onRoom();
    }
  }
}

interface Waiter {
  share: Share;
  bytes: number;
  stage: Stage;
  onRoom: () => void;
}

function isSmall({ held }: Share, bytes: number): boolean {
  return held + bytes <= SMALL_BYTES;
}
