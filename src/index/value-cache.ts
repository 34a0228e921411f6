/** What a coding, or a text, becomes in one group: computed once, then found again by (system, code). */
export interface CachedToken {
  /** Halves of the equality numbers, pair by pair. */
  values: Int32Array;
  /** `ValueCollector.resource` of the last resource it was handed out in. */
  resource: number;
  /** Of a text: as it is compared. */
  folded?: string;
  /** Terms that come with it. */
  terms?: readonly CachedTerm[];
  /** `SearchValueSink.termRound` in which the terms were handed over last. */
  termRound?: number | undefined;
}

/** What is handed to a `SearchValueSink` as a term. */
export interface CachedTerm {
  parameter: number;
  high: number;
  low: number;
  folded: string;
}

/** Codings and texts that recur: few of them make up most of the data. Bounded over all groups of an indexer. */
export class ValueCache {
  private readonly bySystem = new Map<string, Map<string, CachedToken>>();
  private readonly budget: CacheBudget;

  constructor(budget: CacheBudget) {
    this.budget = budget;
    budget.caches.push(this);
  }

  find(system: string, code: string): CachedToken | undefined {
    return this.bySystem.get(system)?.get(code);
  }

  keep(system: string, code: string, token: CachedToken): void {
    if (system.length + code.length > LONGEST) return;
    if (this.budget.left-- <= 0) {
      for (const cache of this.budget.caches) cache.bySystem.clear();
      this.budget.left = this.budget.entries;
    }
    const codes = this.bySystem.get(system);
    if (codes === undefined) this.bySystem.set(system, new Map([[code, token]]));
    else codes.set(code, token);
  }
}

/** What the caches of one indexer share. */
export interface CacheBudget {
  readonly entries: number;
  left: number;
  caches: ValueCache[];
}

/** A budget of some 15 MB, or of so many entries. */
export function createCacheBudget(entries: number = ENTRIES): CacheBudget {
  return { entries, left: entries, caches: [] };
}

const ENTRIES = 40_000;
const LONGEST = 200;
