import { openRandom, type Random } from "./random.ts";

/**
 * How many searches are tried, as a multiple of what continuous integration has time for (STOKER_TEST_SEARCHES), and which
 * (STOKER_TEST_SEED; the same every time unless it is set).
 */
export const SCALE: number = Number(process.env["STOKER_TEST_SEARCHES"] ?? 1);
const SEED = Number(process.env["STOKER_TEST_SEED"] ?? 20261122);

/** Random choices for one test. */
export function randomFor(test: number): Random {
  return openRandom(SEED + test);
}

/** Tells how much a larger run has compared. */
export function note(text: string): void {
  if (SCALE > 1) process.stderr.write(`${text}\n`);
}
