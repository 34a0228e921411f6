/** A set of 64-bit values, each given as two halves, without an object for any of them. */
export class PairSet {
  readonly #limit: number;
  /** Open addressing: pairs of halves. */
  #pairs = new Int32Array(INITIAL_SLOTS * 2);
  /** The one value that looks like an empty slot. */
  #hasZero = false;
  #count = 0;

  /** When there are `limit` values, the set is emptied before it takes another one. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  has(high: number, low: number): boolean {
    if (high === 0 && low === 0) return this.#hasZero;
    const slot = this.#slotOf(high, low);
    return this.#pairs[slot] !== 0 || this.#pairs[slot + 1] !== 0;
  }

  /** Adds a value; false when it was there. */
  add(high: number, low: number): boolean {
    if (this.has(high, low)) return false;
    if (this.#count >= this.#limit) this.#clear();
    if (high === 0 && low === 0) {
      this.#hasZero = true;
      return true;
    }
    const slot = this.#slotOf(high, low);
    this.#pairs[slot] = high;
    this.#pairs[slot + 1] = low;
    if (++this.#count * 4 > this.#pairs.length) this.#grow();
    return true;
  }

  /** Calls `visit` with every value. */
  each(visit: (high: number, low: number) => void): void {
    if (this.#hasZero) visit(0, 0);
    for (let slot = 0; slot < this.#pairs.length; slot += 2) {
      const high = this.#pairs[slot] ?? 0;
      const low = this.#pairs[slot + 1] ?? 0;
      if (high !== 0 || low !== 0) visit(high, low);
    }
  }

  /** Where a value is, or would be put. */
  #slotOf(high: number, low: number): number {
    const pairs = this.#pairs;
    const mask = pairs.length - 1;
    let slot = ((high ^ (low >>> 7)) << 1) & mask;
    while ((pairs[slot] !== 0 || pairs[slot + 1] !== 0) && (pairs[slot] !== high || pairs[slot + 1] !== low)) {
      slot = (slot + 2) & mask;
    }
    return slot;
  }

  #clear(): void {
    this.#pairs = new Int32Array(INITIAL_SLOTS * 2);
    this.#hasZero = false;
    this.#count = 0;
  }

  #grow(): void {
    const old = this.#pairs;
    this.#pairs = new Int32Array(old.length * 2);
    for (let from = 0; from < old.length; from += 2) {
      const high = old[from] ?? 0;
      const low = old[from + 1] ?? 0;
      if (high === 0 && low === 0) continue;
      const slot = this.#slotOf(high, low);
      this.#pairs[slot] = high;
      this.#pairs[slot + 1] = low;
    }
  }
}

const INITIAL_SLOTS = 256;
