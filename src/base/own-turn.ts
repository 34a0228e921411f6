import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Long work on the thread that answers all requests is done in pieces, one piece in a turn of the event loop over all requests:
 * a hundred clients with a large answer each must not have all of them made in the same turn, while others wait for theirs.
 */

/** Bytes of a body or an answer from which on it is worth a turn of its own: some milliseconds of work. */
export const LARGE_BYTES: number = 256 * 1024;

/**
 * Turns of the event loop between two pieces. A small request needs three, from its connection to its answer, and the copying and
 * compressing of others falls into them: with three, `/health/live` waited 1.2 s beside 200 readers of a large Binary, with eight 0.3 s.
 */
const TURNS_BETWEEN = 8;

/** How long a piece is, where it can be cut anywhere, in milliseconds. */
const PIECE_MS = 20;

let last: Promise<void> = Promise.resolve();

/** Resolves when it is this piece's turn: first come, first served. */
export function ownTurn(): Promise<void> {
  last = last.then(rest);
  return last;
}

/** {@link ownTurn} where there are so many bytes to work on; nothing waits for less. */
export async function ownTurnFor(bytes: number): Promise<void> {
  if (bytes >= LARGE_BYTES) await ownTurn();
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < TURNS_BETWEEN; turn++) await nextTurn();
}

/**
 * Cuts a loop into pieces of some milliseconds. By default each piece has its {@link ownTurn}; loops that hold locks must not wait for
 * all others, and rest for one turn of the event loop (`nextTurn`): there are no more of them than connections that write.
 */
export class Pace {
  readonly #turn: () => Promise<unknown>;
  #begun: number = performance.now();

  constructor(turn: () => Promise<unknown> = ownTurn) {
    this.#turn = turn;
  }

  /** Whether the present piece has taken its time: {@link rest} is then to be awaited. */
  get isDue(): boolean {
    return performance.now() - this.#begun > PIECE_MS;
  }

  /** Waits for a turn for the next piece. */
  async rest(): Promise<void> {
    await this.#turn();
    this.#begun = performance.now();
  }
}
