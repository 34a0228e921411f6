import { StokerError } from "./errors.ts";

/**
 * The time zone in which dates without a zone are days, months and years (decision D-29). Times are whole seconds since
 * 1970; "local" ones are what a clock in the zone shows, counted as if it were UTC.
 */
export interface TimeZone {
  /** Its IANA name, as the engine writes it. */
  readonly name: string;
  /**
   * The instant at which a day begins, counted from 1970-01-01, in seconds. Days may have 23 or 25 hours, and begin later than at
   * midnight where clocks go forward at midnight.
   */
  startOfDay(day: number): number;
  /** The instant of a local time: the first of two, and the end of the gap for a time that clocks leave out. */
  instantOf(local: number): number;
}

/** The zone that dates are read in before a store says another. */
export const UTC = "UTC";

/** The IANA name of a time zone as the engine writes it; undefined when it knows no zone of this name. */
export function timeZoneName(text: string): string | undefined {
  // Offsets such as +01:00 are accepted by some engines, and are no names.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text)) return undefined;
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/**
 * Makes this thread read dates in the zone of its store. It is kept here, and not handed from function to function, as the
 * key of hashes is, and for the same reasons. Throws `internal` for a name that is not known.
 */
export function installTimeZone(name: string): void {
  installed = openTimeZone(name);
}

/** The zone of this thread; undefined for UTC, in which no day needs to be looked up. */
export function installedTimeZone(): TimeZone | undefined {
  return installed;
}

let installed: TimeZone | undefined;

/** Opens a zone; undefined for UTC. Throws `internal` for a name that is not known. */
export function openTimeZone(text: string): TimeZone | undefined {
  const name = timeZoneName(text);
  if (name === undefined) throw new StokerError("internal", `The time zone ${text} is not known to this Node.js.`);
  if (name === UTC) return undefined;
  const clock = openClock(name);
  const chunks = new Map<number, Float64Array>();
  const changes = new Map<number, Change>();
  const startOf = (day: number): number => {
    const chunk = Math.floor(day / CHUNK_DAYS);
    let starts = chunks.get(chunk);
    if (starts === undefined) chunks.set(chunk, (starts = startsIn(chunk, clock)));
    return starts[day - chunk * CHUNK_DAYS] ?? 0;
  };
  return {
    name,
    startOfDay: (day) => {
      const known = knownDay(day);
      return startOf(known) + (day - known) * DAY;
    },
    instantOf: (local) => {
      const day = Math.floor(local / DAY);
      const known = knownDay(day);
      const start = startOf(known);
      const shift = (day - known) * DAY;
      const time = local - day * DAY;
      if (startOf(known + 1) - start === DAY) return start + time + shift;
      let change = changes.get(known);
      if (change === undefined) changes.set(known, (change = changeOn(start, startOf(known + 1), clock)));
      const early = known * DAY + time - change.before;
      return (early < change.at ? early : Math.max(known * DAY + time - change.after, change.at)) + shift;
    },
  };
}

/**
 * A day that begins at the same time of its year. The calendar, with its days of the week and so the rules of all zones,
 * repeats itself; before there were common times, each place had one offset.
 */
function knownDay(day: number): number {
  if (day < LAST_DAY) return Math.max(day, FIRST_DAY);
  return day - Math.ceil((day + 1 - LAST_DAY) / CYCLE_DAYS) * CYCLE_DAYS;
}

const DAY = 86_400;
const WEEK = 7;
/** Days that are looked up together. */
const CHUNK_DAYS = 52 * WEEK;
/** 1800-01-01 and 2400-01-01; 400 years are a whole number of weeks. */
const FIRST_DAY = -62_091;
const LAST_DAY = 157_054;
const CYCLE_DAYS = 146_097;

/** Seconds that a zone is east of UTC at an instant. */
type Clock = (instant: number) => number;

function openClock(timeZone: string): Clock {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (instant) => {
    const [month = 1, day = 1, year = 1970, hour = 0, minute = 0, second = 0] = (
      format.format(instant * 1000).match(/\d+/g) ?? []
    ).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - instant;
  };
}

/** Where the days of a chunk begin. Days are looked at one by one only in weeks in which the clock changes. */
function startsIn(chunk: number, clock: Clock): Float64Array {
  const starts = new Float64Array(CHUNK_DAYS);
  // One look a week, a day before it begins: offsets are less than a day. No zone changes its clock and back within a week.
  const offsets = Array.from({ length: CHUNK_DAYS / WEEK + 2 }, (_, week) =>
    clock((chunk * CHUNK_DAYS + week * WEEK - 1) * DAY),
  );
  for (let first = 0; first < CHUNK_DAYS; first += WEEK) {
    const from = (chunk * CHUNK_DAYS + first) * DAY;
    const [offset = 0, ...next] = offsets.slice(first / WEEK, first / WEEK + 3);
    const isSteady = next.every((each) => each === offset);
    for (let day = first; day < first + WEEK; day++) {
      const midnight = from + (day - first) * DAY;
      starts[day] = isSteady ? midnight - offset : instantOf(midnight, clock);
    }
  }
  return starts;
}

function instantOf(local: number, clock: Clock): number {
  const before = clock(local - DAY);
  const after = clock(local + DAY);
  for (const offset of before > after ? [before, after] : [after, before]) {
    if (clock(local - offset) === offset) return local - offset;
  }
  return firstOf(after, local - Math.max(before, after), local - Math.min(before, after), clock);
}

/** That the clock changes within a day, or as it begins. */
interface Change {
  /** The offsets before and after it. */
  before: number;
  after: number;
  /** The first instant of the new one. */
  at: number;
}

function changeOn(start: number, end: number, clock: Clock): Change {
  const before = clock(start - 1);
  const after = clock(end);
  return { before, after, at: before === after ? end : firstOf(after, start - 1, end, clock) };
}

/** The first instant of an offset, which is not yet that of `from`, and is that of `to`. */
function firstOf(offset: number, from: number, to: number, clock: Clock): number {
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (clock(middle) === offset) high = middle;
    else low = middle;
  }
  return high;
}
