/**
 * Whether attacks have their full size, and `/health/live` is measured by the clock alone: `STOKER_TEST_ATTACKS=full`, for an
 * idle machine. Otherwise they are as large as a small machine that builds can drive.
 */
export const IS_FULL: boolean = process.env["STOKER_TEST_ATTACKS"] === "full";

/** The usual size of an attack, or the full one. */
export function sized(usual: number, full: number): number {
  return IS_FULL ? full : usual;
}
