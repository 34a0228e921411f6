import { FairQueue, type Owned } from "./fair-queue.ts";
import type { WriteRequest } from "./write-request.ts";

/**
 * Where a write waits. `plain`: what is to be written is known. `planned`: it is to be found out first, by a search or a look at
 * what is stored. `slow`: it takes long. `erase`: it removes a resource with its history.
 */
export type Lane = "plain" | "planned" | "slow" | "erase";

/** A write that waits. */
export interface QueuedWrite extends Owned {
  readonly request: Pick<WriteRequest, "bytes" | "locks" | "resources">;
  lane: Lane;
}

/** How much a group may have. */
export interface GroupLimits {
  readonly requests: number;
  readonly bytes: number;
}

/**
 * The writes that wait, by lane. Clients take turns ({@link FairQueue}). No two writes of the same resource, or with the same
 * lock, are at work at once: the second waits apart until the first is done, and delays nothing else.
 */
export class WriteQueue<Entry extends QueuedWrite> {
  readonly #ready = new Map<Lane, FairQueue<Entry>>();
  /** Names of resources and locks at work. */
  readonly #busy = new Set<string>();
  /** Those that wait for a name. */
  readonly #parked = new Map<string, FairQueue<Entry>>();
  /** Those that have waited for a name: they stay before younger ones of their request. */
  readonly #woken = new WeakSet<Entry>();

  add(entry: Entry): void {
    this.#laneOf(entry).push(entry);
  }

  /** Adds an entry that was taken and is not done, before the others of its request. */
  putBack(entry: Entry): void {
    this.#laneOf(entry).unshift(entry);
  }

  hasReady(lane: Lane): boolean {
    return this.#ready.get(lane)?.isEmpty === false;
  }

  /** Takes a group of entries that have nothing in common; what they write is busy until {@link done} is called with them. */
  take(lane: Lane, limits: GroupLimits): Entry[] {
    const ready = this.#ready.get(lane);
    if (ready === undefined) return [];
    const group: Entry[] = [];
    let bytes = 0;
    while (group.length < limits.requests) {
      const entry = ready.next();
      if (entry === undefined) break;
      const names = namesOf(entry);
      const busy = names.find((name) => this.#busy.has(name));
      if (busy !== undefined) {
        this.#park(busy, entry);
        continue;
      }
      if (group.length > 0 && bytes + entry.request.bytes > limits.bytes) {
        ready.unshift(entry);
        break;
      }
      for (const name of names) this.#busy.add(name);
      bytes += entry.request.bytes;
      group.push(entry);
    }
    return group;
  }

  /** Lets those go on that waited for what these entries wrote. */
  done(entries: readonly Entry[]): void {
    for (const entry of entries) {
      for (const name of namesOf(entry)) {
        this.#busy.delete(name);
        this.#wake(name);
      }
    }
  }

  /** Takes all entries out that wait and belong to this request; or, without one, all. */
  remove(from?: Entry["from"]): Entry[] {
    const removed: Entry[] = [];
    for (const queue of [...this.#ready.values(), ...this.#parked.values()]) {
      if (from !== undefined) removed.push(...queue.removeAll(from));
      else for (let entry = queue.next(); entry !== undefined; entry = queue.next()) removed.push(entry);
    }
    for (const [name, queue] of this.#parked) if (queue.isEmpty) this.#parked.delete(name);
    // One of them may have been the next to have a name that others wait for.
    for (const entry of removed) {
      for (const name of namesOf(entry)) if (!this.#busy.has(name)) this.#wake(name);
    }
    return removed;
  }

  #laneOf({ lane }: Entry): FairQueue<Entry> {
    let queue = this.#ready.get(lane);
    if (queue === undefined) this.#ready.set(lane, (queue = new FairQueue()));
    return queue;
  }

  #park(name: string, entry: Entry): void {
    let queue = this.#parked.get(name);
    if (queue === undefined) this.#parked.set(name, (queue = new FairQueue()));
    if (this.#woken.has(entry)) queue.unshift(entry);
    else queue.push(entry);
    // It may have been the next to have another name.
    for (const other of namesOf(entry)) if (!this.#busy.has(other)) this.#wake(other);
  }

  /** The next one that waits for a name may try. */
  #wake(name: string): void {
    const queue = this.#parked.get(name);
    const entry = queue?.next();
    if (queue?.isEmpty === true) this.#parked.delete(name);
    if (entry === undefined) return;
    this.#woken.add(entry);
    this.putBack(entry);
  }
}

function namesOf({ request: { locks, resources = [] } }: QueuedWrite): readonly string[] {
  return resources.length === 0 ? locks : [...locks, ...resources];
}
