import { dateRangeOf } from "../../fhir/date-range.ts";

/**
 * The closed range of ticks of a date or time in a query, without a prefix; undefined when it is none. A `+` of a time zone that was not
 * escaped in a query string arrives as a space, and means what it was.
 */
export function queryDateRange(text: string): { low: bigint; high: bigint } | undefined {
  return dateRangeOf(text.replace(/ (\d\d:\d\d)$/, "+$1"));
}

/** What is wrong with a text that is no date, for messages. */
export const NO_DATE = "not a date or time such as 2012, 2012-03-14 or 2012-03-14T09:26:53Z";
