import { foldString } from "../../fhir/fold-text.ts";
import { DAY_TICKS } from "../../fhir/search-value.ts";
import type { DateValue, Prefix, QuantityValue } from "../criteria/criteria.ts";
import { unitOf } from "./equality.ts";
import { all, any, sql, type Sql } from "../../postgres/sql.ts";

/** How dates are compared. */
export interface DateRules {
  /** `eq` of dates: the stored range overlaps the asked one (decision D-20), or is contained in it. */
  dateEquality: "contain" | "overlap";
  /** Milliseconds since 1970: what `ap` measures its tolerance from. */
  now: number;
}

/** A test of a stored closed range, given by the two columns, against a date (contract 10.3). */
export function dateTest(value: DateValue, low: Sql, high: Sql, rules: DateRules): Sql {
  const { prefix } = value;
  if (prefix === "ap") {
    const widened = approximate(value, rules);
    return overlaps(low, high, sql`${widened.low}::bigint`, sql`${widened.high}::bigint`);
  }
  const start = sql`${value.low}::bigint`;
  const end = sql`${value.high}::bigint`;
  if (prefix !== "eq") return compare(prefix, low, high, start, end);
  return rules.dateEquality === "overlap" ? overlaps(low, high, start, end) : contained(low, high, start, end);
}

/** What a stored closed range of ticks must meet, each side by itself; what is undefined is not limited. */
export interface DateBounds {
  readonly leastLow?: bigint;
  readonly greatestLow?: bigint;
  readonly leastHigh?: bigint;
  readonly greatestHigh?: bigint;
}

/** {@link dateTest} as bounds; undefined for `ne`, which is met on either side of them. */
export function dateBounds(value: DateValue, rules: DateRules): DateBounds | undefined {
  const { low, high } = value;
  switch (value.prefix) {
    case "ne":
      return undefined;
    case "lt":
      return { greatestLow: low - 1n };
    case "gt":
      return { leastHigh: high + 1n };
    case "le":
      return { greatestLow: high };
    case "ge":
      return { leastHigh: low };
    case "sa":
      return { leastLow: high + 1n };
    case "eb":
      return { greatestHigh: low - 1n };
    case "ap": {
      const widened = approximate(value, rules);
      return { greatestLow: widened.high, leastHigh: widened.low };
    }
    default:
      return rules.dateEquality === "overlap"
        ? { greatestLow: high, leastHigh: low }
        : { leastLow: low, greatestHigh: high };
  }
}

/** What meets both. */
export function bothBounds(a: DateBounds, b: DateBounds): DateBounds {
  return {
    ...ifDefined("leastLow", greater(a.leastLow, b.leastLow)),
    ...ifDefined("greatestLow", lesser(a.greatestLow, b.greatestLow)),
    ...ifDefined("leastHigh", greater(a.leastHigh, b.leastHigh)),
    ...ifDefined("greatestHigh", lesser(a.greatestHigh, b.greatestHigh)),
  };
}

function ifDefined(name: keyof DateBounds, value: bigint | undefined): DateBounds {
  return value === undefined ? {} : { [name]: value };
}

function greater(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

function lesser(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

/** {@link dateTest} of a row `s` of search_date. Rows of a parameter stand under its id, long ranges under the negative of it. */
export function dateRowTest(parameter: number, value: DateValue, rules: DateRules): Sql {
  const bounds = dateBounds(value, rules);
  if (bounds !== undefined) return dateBoundsTest(parameter, bounds);
  return all([isOfDates(parameter), dateTest(value, sql`s.low`, sql`s.high`, rules)]);
}

/**
 * Whether a row `s` of search_date is one of the parameter, and within the bounds. Where a range must not end too early, a short one
 * has not begun more than a day before; so the index on (parameter, low, high) is read from there, and from its beginning for
 * the few long ones only. Where it must not end too late, it has not begun later.
 */
export function dateBoundsTest(parameter: number, bounds: DateBounds): Sql {
  const { leastLow, greatestHigh, leastHigh } = bounds;
  const greatestLow = lesser(bounds.greatestLow, greatestHigh);
  if (leastHigh === undefined && greatestHigh === undefined) {
    return all([isOfDates(parameter), ...lowTests(leastLow, greatestLow)]);
  }
  const earliest = leastHigh === undefined ? undefined : leastHigh - BigInt(DAY_TICKS) + 1n;
  const short = [
    sql`s.parameter = ${parameter}`,
    ...lowTests(greater(leastLow, earliest), greatestLow),
    ...highTests(bounds).map(nearlyAlways),
  ];
  const isShort = leastLow !== undefined && greatestHigh !== undefined && greatestHigh - leastLow < BigInt(DAY_TICKS);
  if (isShort) return all(short);
  const long = [sql`s.parameter = ${-parameter}`, ...highTests(bounds)];
  // Other operators than above: the planner would join what is the same in both alternatives, and lose sight of the pairs.
  if (leastLow !== undefined) long.push(sql`s.low > ${leastLow - 1n}::bigint`);
  if (greatestLow !== undefined) long.push(sql`s.low < ${greatestLow + 1n}::bigint`);
  return any([all(short), all(long)]);
}

function lowTests(least: bigint | undefined, greatest: bigint | undefined): Sql[] {
  return [
    ...(least === undefined ? [] : [sql`s.low >= ${least}::bigint`]),
    ...(greatest === undefined ? [] : [sql`s.low <= ${greatest}::bigint`]),
  ];
}

function highTests({ leastHigh, greatestHigh }: DateBounds): Sql[] {
  return [
    ...(leastHigh === undefined ? [] : [sql`s.high >= ${leastHigh}::bigint`]),
    ...(greatestHigh === undefined ? [] : [sql`s.high <= ${greatestHigh}::bigint`]),
  ];
}

/**
 * The planner takes this for true of every row, as it nearly is beside the bound on `low`. A plain comparison would be one
 * more independent filter to it, and make it expect a hundredth of the rows of recent dates.
 */
function nearlyAlways(test: Sql): Sql {
  return sql`nullif(${test}, false) is not null`;
}

function isOfDates(parameter: number): Sql {
  const parameters = [BigInt(parameter), BigInt(-parameter)];
  return sql`s.parameter = any(${parameters}::integer[])`;
}

/** Widened by a tenth of the distance to now. */
function approximate({ low, high }: DateValue, { now: milliseconds }: DateRules): { low: bigint; high: bigint } {
  const now = BigInt(milliseconds) * TICKS_PER_MILLISECOND;
  const distance = now > high ? now - high : high - now;
  return { low: low - distance / 10n, high: high + distance / 10n };
}

/** The same for a column of whole milliseconds, which are points: `_lastUpdated`. */
export function instantTest(value: DateValue, column: Sql, rules: DateRules): Sql {
  if (value.prefix === "ap") {
    const widened = { ...value, ...approximate(value, rules), prefix: "eq" } as const;
    return instantTest(widened, column, { ...rules, dateEquality: "overlap" });
  }
  const first = -floorDivide(-value.low, TICKS_PER_MILLISECOND);
  const last = floorDivide(value.high, TICKS_PER_MILLISECOND);
  return dateTest({ ...value, low: first, high: last }, column, column, rules);
}

/** A test of a stored closed range of numbers against a number (contract 10.4, decision D-28). */
export function numberTest({ prefix, number }: QuantityValue, low: Sql, high: Sql): Sql {
  if (prefix === "ap") {
    return overlaps(low, high, sql`${number.approximateLow}::numeric`, sql`${number.approximateHigh}::numeric`);
  }
  if (prefix === "eq" || prefix === "ne") {
    const start = sql`${number.low}::numeric`;
    // What is infinite stands for all that is too large to be told apart (decision D-15).
    const isBelowEnd = number.high.endsWith("Infinity")
      ? sql`${high} <= ${number.high}::numeric`
      : sql`${high} < ${number.high}::numeric`;
    return prefix === "eq"
      ? sql`(${low} >= ${start} and ${isBelowEnd})`
      : sql`(${low} < ${start} or not ${isBelowEnd})`;
  }
  const exact = sql`${number.value}::numeric`;
  return compare(prefix, low, high, exact, exact);
}

/** {@link numberTest} of a row `s` of search_quantity, with the unit when one was asked for. */
export function quantityTest(value: QuantityValue): Sql {
  const tests = [numberTest(value, sql`s.low`, sql`s.high`)];
  if (value.system !== undefined) tests.push(sql`s.system = ${unitOf(value.system)}`);
  if (value.code !== undefined) tests.push(sql`s.code = ${unitOf(value.code)}`);
  return all(tests);
}

/** Whether a row `s` of search_string, or of search_dictionary, begins with a text, case- and accent-insensitive (contract 10.5). */
export function stringPrefixTest(text: string): Sql {
  return textPrefixTest(foldString(text));
}

/** Whether it contains the text. */
export function stringContainsTest(text: string): Sql {
  const folded = foldString(text);
  return folded === "" ? NOTHING : sql`strpos(s.folded, ${folded}) > 0`;
}

/** Whether the uri in a row `s` of search_string begins with a text; `urn:` never takes part (contract 10.8). */
export function uriBelowTest(text: string): Sql {
  return all([textPrefixTest(text), sql`not starts_with(s.folded, 'urn:')`]);
}

/** A text of nothing but accents is empty when folded, and must not match everything. */
const NOTHING: Sql = sql`false`;

const TICKS_PER_MILLISECOND = 10_000n;

/** Characters of a string that the index has. */
const INDEXED_CHARACTERS = 64;

/** Whether a row `s` of search_dictionary begins with a text as it is: a range on the indexed beginning, and the whole text when that is longer. */
export function textPrefixTest(folded: string): Sql {
  if (folded === "") return NOTHING;
  const characters = Array.from(folded);
  const beginning = characters.slice(0, INDEXED_CHARACTERS).join("");
  const tests = [sql`left(s.folded, 64) >= ${beginning}`];
  const successor = successorOf(beginning);
  if (successor !== undefined) tests.push(sql`left(s.folded, 64) < ${successor}`);
  if (characters.length > INDEXED_CHARACTERS) tests.push(sql`starts_with(s.folded, ${folded})`);
  return all(tests);
}

/** The least text, by code points, that is greater than all texts that begin with `prefix`. */
function successorOf(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let point = points.pop(); point !== undefined; point = points.pop()) {
    // Between these two lie the surrogates, which are no characters.
    if (point < LAST_CODE_POINT) return String.fromCodePoint(...points, point === 0xd7ff ? 0xe000 : point + 1);
  }
  return undefined;
}

const LAST_CODE_POINT = 0x10ffff;

function overlaps(low: Sql, high: Sql, start: Sql, end: Sql): Sql {
  return sql`(${low} <= ${end} and ${high} >= ${start})`;
}

function contained(low: Sql, high: Sql, start: Sql, end: Sql): Sql {
  return sql`(${low} between ${start} and ${end} and ${high} <= ${end})`;
}

function compare(prefix: Exclude<Prefix, "eq" | "ap">, low: Sql, high: Sql, start: Sql, end: Sql): Sql {
  switch (prefix) {
    case "ne":
      return sql`(${low} < ${start} or ${high} > ${end})`;
    case "lt":
      return sql`${low} < ${start}`;
    case "gt":
      return sql`${high} > ${end}`;
    case "le":
      return sql`${low} <= ${end}`;
    case "ge":
      return sql`${high} >= ${start}`;
    case "sa":
      return sql`${low} > ${end}`;
    default:
      return sql`${high} < ${start}`;
  }
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}
