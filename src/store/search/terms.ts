import type { ClientBase } from "pg";
import { toBigInt } from "../../base/hash.ts";
import { PairSet } from "./pair-set.ts";

/** Terms that are remembered as stored: 8 MB. */
const KNOWN_TERMS = 500_000;

interface Term {
  parameter: number;
  value: bigint;
  folded: string;
}

/** The terms of a batch that this process has not stored yet, and which ones it has. */
export class Terms {
  readonly #known: PairSet = new PairSet(KNOWN_TERMS);
  /** Of the batch at hand. */
  #seen: PairSet = new PairSet(Infinity);
  #fresh: Term[] = [];

  /** Takes a term; `high` and `low` are its equality number, which is unrelated to that of any other parameter's term. */
  add(parameter: number, high: number, low: number, folded: string): void {
    if (this.#known.has(high, low) || !this.#seen.add(high, low)) return;
    this.#fresh.push({ parameter, value: toBigInt({ high, low }), folded });
  }

  /** Forgets the terms of the batch that are not stored. */
  clear(): void {
    if (this.#fresh.length === 0) return;
    this.#fresh = [];
    this.#seen = new PairSet(Infinity);
  }

  /**
   * Stores the batch's terms. Not to be called in a transaction: other connections that store the same term wait for it.
   * A term without resources does no harm, a resource without its term would not be found.
   */
  async store(client: ClientBase): Promise<void> {
    const terms = this.#fresh;
    if (terms.length === 0) return;
    // In one order, against deadlocks.
    terms.sort((a, b) => a.parameter - b.parameter || (a.value < b.value ? -1 : 1));
    for (let from = 0; from < terms.length; from += TERMS_PER_STATEMENT) {
      const part = terms.slice(from, from + TERMS_PER_STATEMENT);
      await client.query({
        name: "store-terms",
        text: `insert into search_dictionary (parameter, value, folded)
               select * from unnest($1::int[], $2::bigint[], $3::text[]) on conflict do nothing`,
        values: [part.map((term) => term.parameter), part.map((term) => term.value), part.map((term) => term.folded)],
      });
    }
    this.#seen.each((high, low) => void this.#known.add(high, low));
    this.clear();
  }
}

const TERMS_PER_STATEMENT = 5000;
