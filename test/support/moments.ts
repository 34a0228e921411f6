import { onTestFailed } from "vitest";

/** Random moments and choices of a fault test, the same ones again for the same seed. */
export interface Moments {
  /** A number from 0 to below `limit`. */
  below(limit: number): number;
  /** One of the values. */
  oneOf<Value>(values: readonly Value[]): Value;
}

/** Random moments for the test at hand: STOKER_TEST_SEED, or a new seed, which is printed when the test fails. */
export function openMoments(): Moments {
  const given = process.env["STOKER_TEST_SEED"];
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  onTestFailed(() => void process.stderr.write(`again with the same moments: STOKER_TEST_SEED=${String(seed)}\n`));
  let state = seed >>> 0;
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (limit) => next() * limit,
    oneOf(values) {
      const value = values[Math.floor(next() * values.length)];
      if (value === undefined) throw new RangeError("nothing to choose from");
      return value;
    },
  };
}
