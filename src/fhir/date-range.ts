import { toBigInt } from "../base/hash.ts";
import type { TickRange } from "./search-value.ts";
import { installedTimeZone } from "../base/time-zone.ts";

/** Ticks in a second: a tick is 100 ns. */
const TICKS = 10_000_000;
const DAY = 86_400;

/**
 * The closed range of ticks that a FHIR date, dateTime or instant can mean, into `out` (contract 10.3): a year, month,
 * day, minute or second spans its whole period, a fraction of a second is a point (cut off after 100 ns). Without a zone, the
 * zone of the store is meant (decision D-29). A leap second is the last tick of its minute. Returns false, with `out` unspecified, when the text is no such date.
 *
 * Pure integer arithmetic in doubles and halves: it runs once for every date that is imported.
 */
export function parseDateRange(text: string, out: TickRange): boolean {
  const length = text.length;
  const year = digits(text, 0, 4);
  if (year < 1) return false;
  if (length === 4) return spanDays(dayNumber(year, 1, 1), dayNumber(year + 1, 1, 1), out);

  const month = text.charCodeAt(4) === DASH ? digits(text, 5, 2) : -1;
  if (month < 1 || month > 12) return false;
  const first = dayNumber(year, month, 1);
  const monthLength = daysIn(year, month);
  if (length === 7) return spanDays(first, first + monthLength, out);

  const day = text.charCodeAt(7) === DASH ? digits(text, 8, 2) : -1;
  if (day < 1 || day > monthLength) return false;
  const number = first + day - 1;
  if (length === 10) return spanDays(number, number + 1, out);
  return parseTime(text, number * DAY, out);
}

/** {@link parseDateRange} as two signed 64-bit integers, for SQL parameters; undefined when the text is no date. */
export function dateRangeOf(text: string): { low: bigint; high: bigint } | undefined {
  const range: TickRange = { lowHigh: 0, lowLow: 0, highHigh: 0, highLow: 0 };
  if (!parseDateRange(text, range)) return undefined;
  return {
    low: toBigInt({ high: range.lowHigh, low: range.lowLow }),
    high: toBigInt({ high: range.highHigh, low: range.highLow }),
  };
}

const DASH = 0x2d;
const COLON = 0x3a;
const POINT = 0x2e;

/** `Thh:mm[:ss[.fraction]][zone]` from position 10 on. */
function parseTime(text: string, midnight: number, out: TickRange): boolean {
  const { length } = text;
  if (text.charCodeAt(10) !== 0x54) return false;
  const hour = digits(text, 11, 2);
  const minute = text.charCodeAt(13) === COLON ? digits(text, 14, 2) : -1;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return false;
  let seconds = midnight + hour * 3600 + minute * 60;
  let width = 60;
  let ticks = -1;
  let at = 16;
  if (text.charCodeAt(at) === COLON) {
    const second = digits(text, 17, 2);
    if (second < 0 || second > 60) return false;
    seconds += Math.min(second, 59);
    width = 1;
    // No clock counts a leap second: all of it is where its minute ends.
    if (second === 60) ticks = TICKS - 1;
    at = 19;
    if (text.charCodeAt(at) === POINT) {
      const start = ++at;
      const isLeap = ticks >= 0;
      let unit = TICKS / 10;
      if (!isLeap) ticks = 0;
      for (let code = text.charCodeAt(at) - 48; code >= 0 && code <= 9; code = text.charCodeAt(++at) - 48) {
        if (unit >= 1 && !isLeap) ticks += code * unit;
        unit /= 10;
      }
      if (at === start) return false;
    }
  }
  const zone = at === length ? installedTimeZone() : undefined;
  if (zone === undefined) {
    const offset = zoneOffset(text, at);
    if (Number.isNaN(offset)) return false;
    seconds -= offset;
  } else {
    seconds = zone.instantOf(seconds);
  }
  if (ticks < 0) return span(seconds, seconds + width, out);
  setLow(seconds, ticks, out);
  out.highHigh = out.lowHigh;
  out.highLow = out.lowLow;
  return true;
}

/** Seconds east of UTC of the zone at the end of a text, 0 when there is none, NaN when it is no zone. */
function zoneOffset(text: string, at: number): number {
  if (at === text.length) return 0;
  const sign = text.charCodeAt(at);
  if (sign === 0x5a) return at + 1 === text.length ? 0 : Number.NaN;
  if ((sign !== 0x2b && sign !== DASH) || at + 6 !== text.length || text.charCodeAt(at + 3) !== COLON) {
    return Number.NaN;
  }
  const hours = digits(text, at + 1, 2);
  const minutes = digits(text, at + 4, 2);
  if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59) return Number.NaN;
  const offset = hours * 3600 + minutes * 60;
  return sign === DASH ? -offset : offset;
}

/** The number of exactly `count` decimal digits, -1 when they are not all digits. */
function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let index = from; index < from + count; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar; years are counted from March, so that leap days come last. */
function dayNumber(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const monthFromMarch = month > 2 ? month - 3 : month + 9;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}

/** From the beginning of one day to that of another, in the zone of the store. */
function spanDays(from: number, to: number, out: TickRange): true {
  const zone = installedTimeZone();
  if (zone === undefined) return span(from * DAY, to * DAY, out);
  const start = zone.startOfDay(from);
  // A day that a zone has left out, on the other side of the date line, is one second.
  return span(start, Math.max(zone.startOfDay(to), start + 1), out);
}

/** From the first tick of one second to the last tick before another. */
function span(from: number, to: number, out: TickRange): true {
  setLow(to - 1, TICKS - 1, out);
  out.highHigh = out.lowHigh;
  out.highLow = out.lowLow;
  setLow(from, 0, out);
  return true;
}

/**
 * seconds * 10^7 + ticks as 64 bits. The product needs up to 62 bits, a double holds 53: the seconds are taken apart
 * at 2^20, so that each partial product is exact.
 */
function setLow(seconds: number, ticks: number, out: TickRange): void {
  const upper = Math.floor(seconds / 0x100000);
  const lower = seconds - upper * 0x100000;
  const scaled = upper * TICKS;
  const high = Math.floor(scaled / 0x1000);
  const rest = (scaled - high * 0x1000) * 0x100000 + lower * TICKS + ticks;
  const carry = Math.floor(rest / 0x100000000);
  out.lowHigh = (high + carry) | 0;
  out.lowLow = (rest - carry * 0x100000000) | 0;
}
