/** The day on which all generated data ends, fixed so that the output does not depend on when it is made. */
export const REFERENCE_TIME: number = Date.UTC(2026, 0, 1);

/** Milliseconds. */
export const MINUTE = 60_000;
export const DAY = 86_400_000;
/** Mean length; ages are whole years of it, good to a day. */
export const YEAR: number = 365.25 * DAY;

/** `2026-01-31` of a moment in UTC milliseconds, as seen `offset` hours from UTC. */
export function dateAt(time: number, offset: number): string {
  return new Date(time + offset * 3_600_000).toISOString().slice(0, 10);
}

/** `2026-01-31T09:30:00-05:00`. */
export function dateTimeAt(time: number, offset: number): string {
  return new Date(time + offset * 3_600_000).toISOString().slice(0, 19) + zone(offset);
}

/** `2026-01-31T09:30:00.000-05:00`, an instant. */
export function instantAt(time: number, offset: number): string {
  return new Date(time + offset * 3_600_000).toISOString().slice(0, 23) + zone(offset);
}

/** Moves a moment to office hours: the next working day's midnight in local time plus `minutes`. */
export function officeTime(time: number, offset: number, minutes: number): number {
  const local = time + offset * 3_600_000;
  let midnight = local - (((local % DAY) + DAY) % DAY);
  const weekday = new Date(midnight).getUTCDay();
  if (weekday === 6) midnight += 2 * DAY;
  if (weekday === 0) midnight += DAY;
  return midnight + minutes * MINUTE - offset * 3_600_000;
}

function zone(offset: number): string {
  const hours = Math.abs(offset);
  return `${offset < 0 ? "-" : "+"}${hours < 10 ? "0" : ""}${String(hours)}:00`;
}
