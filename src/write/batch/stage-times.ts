/**
 * Where the time of an import goes, in milliseconds of worker time per stage. `copy` is the time a worker waits for the
 * database; `encode` makes the rows, and compresses the bodies.
 */
export interface StageTimes {
  read: number;
  parse: number;
  check: number;
  index: number;
  encode: number;
  copy: number;
}

/** The stages in the order of the flow. */
export const STAGES: readonly (keyof StageTimes)[] = ["read", "parse", "check", "index", "encode", "copy"];

/** No time spent yet. */
export function noTimes(): StageTimes {
  return { read: 0, parse: 0, check: 0, index: 0, encode: 0, copy: 0 };
}
