import type { WriteOrigin } from "./write-request.ts";

/** What waits: it knows whose it is. */
export interface Owned {
  readonly from: WriteOrigin;
}

/**
 * A queue whose clients take turns, and whose requests of one client take turns, too: each turn gives one entry. Entries of
 * one request keep their order. However much one client or one request brings, it delays another by one entry per turn.
 */
export class FairQueue<Entry extends Owned> {
  /** In the order of their turns. */
  readonly #clients = new Map<string, Map<WriteOrigin, Line<Entry>>>();

  get isEmpty(): boolean {
    return this.#clients.size === 0;
  }

  /** Adds an entry behind the others of its request. */
  push(entry: Entry): void {
    this.#lineOf(entry.from).push(entry);
  }

  /** Adds an entry before the others of its request. */
  unshift(entry: Entry): void {
    this.#lineOf(entry.from).unshift(entry);
  }

  /** Takes the entry whose turn it is. Undefined when there is none. */
  next(): Entry | undefined {
    for (const [client, lines] of this.#clients) {
      for (const [from, line] of lines) {
        const entry = line.shift();
        lines.delete(from);
        if (!line.isEmpty) lines.set(from, line);
        this.#clients.delete(client);
        if (lines.size > 0) this.#clients.set(client, lines);
        if (entry !== undefined) return entry;
      }
    }
    return undefined;
  }

  /** Takes all entries of a request out. */
  removeAll(from: WriteOrigin): Entry[] {
    const lines = this.#clients.get(from.client);
    const line = lines?.get(from);
    lines?.delete(from);
    if (lines?.size === 0) this.#clients.delete(from.client);
    return line?.toArray() ?? [];
  }

  #lineOf(from: WriteOrigin): Line<Entry> {
    let lines = this.#clients.get(from.client);
    if (lines === undefined) this.#clients.set(from.client, (lines = new Map()));
    let line = lines.get(from);
    if (line === undefined) lines.set(from, (line = new Line()));
    return line;
  }
}

/** First in, first out, and back in at the front; each in constant time. */
class Line<Entry> {
  /** Those that came back, the first one at the end. */
  readonly #front: Entry[] = [];
  #rest: Entry[] = [];
  #at = 0;

  get isEmpty(): boolean {
    return this.#front.length === 0 && this.#at === this.#rest.length;
  }

  push(entry: Entry): void {
    this.#rest.push(entry);
  }

  unshift(entry: Entry): void {
    this.#front.push(entry);
  }

  shift(): Entry | undefined {
    if (this.#front.length > 0) return this.#front.pop();
    const entry = this.#rest[this.#at];
    if (entry !== undefined) this.#at++;
    if (this.#at >= 1024 && this.#at * 2 > this.#rest.length) {
      this.#rest = this.#rest.slice(this.#at);
      this.#at = 0;
    }
    return entry;
  }

  toArray(): Entry[] {
    return [...this.#front.toReversed(), ...this.#rest.slice(this.#at)];
  }
}
