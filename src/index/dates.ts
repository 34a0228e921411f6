import { parseDateRange } from "../fhir/date-range.ts";
import type { TickRange } from "../fhir/search-value.ts";
import type { ValueCollector } from "./value-collector.ts";
import { emitPresent, isObjectOrArray, type ValueGroup } from "./value-group.ts";

/** date, dateTime, instant (contract 10.3). */
export function emitDate(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (typeof value !== "string" || !parseDateRange(value, to.range)) return;
  emitRange(to, group);
}

/** Period: from the start of `start` to the end of `end`; an end that is not given is open. */
export function emitPeriod(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value) || !readPeriod(value, to.range)) return;
  emitRange(to, group);
}

/**
 * Timing: its outer limits only, as the search page of R4 says ("the specified scheduling details are ignored and only
 * the outer limits matter"): the events and `repeat.boundsPeriod`.
 */
export function emitTiming(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const { event, repeat } = value;
  const part: TickRange = { lowHigh: 0, lowLow: 0, highHigh: 0, highLow: 0 };
  let found = false;
  const take = (): void => {
    if (found) widen(to.range, part);
    else Object.assign(to.range, part);
    found = true;
  };
  if (Array.isArray(event)) {
    for (const each of event as unknown[]) if (typeof each === "string" && parseDateRange(each, part)) take();
  }
  if (isObjectOrArray(repeat) && isObjectOrArray(repeat["boundsPeriod"]) && readPeriod(repeat["boundsPeriod"], part))
    take();
  if (found) emitRange(to, group);
}

function emitRange(to: ValueCollector, group: ValueGroup): void {
  emitPresent(to, group);
  for (const { id } of group.parameters) to.sink.date(id, to.range);
}

function readPeriod(period: Record<string, unknown>, out: TickRange): boolean {
  const { start, end } = period;
  let low = false;
  let lowHigh = MIN_HIGH;
  let lowLow = 0;
  if (typeof start === "string" && parseDateRange(start, out)) {
    ({ lowHigh, lowLow } = out);
    low = true;
  }
  const high = typeof end === "string" && parseDateRange(end, out);
  if (!low && !high) return false;
  out.lowHigh = lowHigh;
  out.lowLow = lowLow;
  if (!high) {
    out.highHigh = MAX_HIGH;
    out.highLow = -1;
  }
  return true;
}

/** Halves of the lowest and highest signed 64-bit integers: open ends. */
const MIN_HIGH = -0x80000000;
const MAX_HIGH = 0x7fffffff;

/** Makes `range` contain `part`. */
function widen(range: TickRange, part: TickRange): void {
  if (isLess(part.lowHigh, part.lowLow, range.lowHigh, range.lowLow)) {
    range.lowHigh = part.lowHigh;
    range.lowLow = part.lowLow;
  }
  if (isLess(range.highHigh, range.highLow, part.highHigh, part.highLow)) {
    range.highHigh = part.highHigh;
    range.highLow = part.highLow;
  }
}

function isLess(aHigh: number, aLow: number, bHigh: number, bLow: number): boolean {
  return aHigh === bHigh ? aLow >>> 0 < bLow >>> 0 : aHigh < bHigh;
}
