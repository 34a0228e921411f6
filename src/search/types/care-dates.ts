import { storedParameters } from "../../fhir/derived-parameters.ts";
import { searchParametersOf } from "../../fhir/search-parameters.ts";
import { type Condition } from "../condition/condition.ts";
import { oneOf } from "../condition/combine.ts";
import type { Criterion, DateValue } from "../criteria/criteria.ts";
import { dateRowTest } from "../condition/ordered.ts";
import { presence } from "./simple.ts";
import { any } from "../../postgres/sql.ts";
import { malformed } from "../criteria/value-context.ts";
import { parseDate } from "./values.ts";

/** A period of care, as the closed range of ticks that it can mean. */
export interface CarePeriod {
  low: bigint;
  high: bigint;
}

/**
 * The period from `start` to `end`, either of which may be missing; both are dates without a prefix. Throws `bad-request`
 * when they are none, or end before they begin.
 */
export function parseCarePeriod(start: string | undefined, end: string | undefined): CarePeriod {
  const low = start === undefined ? EARLIEST : parsePlainDate("start", start).low;
  const high = end === undefined ? LATEST : parsePlainDate("end", end).high;
  if (low > high) throw malformed({ name: "start" }, "it is after the end");
  return { low, high };
}

/**
 * The criterion that some date of a resource overlaps the period, or that it has none: what is not known to lie outside of
 * the period is not left out.
 */
export function careCriterion(type: string, period: CarePeriod): Criterion {
  const parameters = searchParametersOf(type).filter(
    (parameter) => parameter.type === "date" && parameter.code !== "_lastUpdated" && !OTHER_DATES.has(parameter.code),
  );
  return parameters.length === 0 ? { kind: "always", matches: true } : { kind: "care", parameters, ...period };
}

/** {@link careCriterion} as a condition. */
export function careCondition(
  { parameters, low, high }: Criterion & { kind: "care" },
  types: readonly string[],
): Condition {
  const stored = parameters.flatMap((parameter) => storedParameters(parameter, types));
  const value: DateValue = { type: "date", prefix: "eq", low, high };
  const tests = stored.map(({ parameter }) => dateRowTest(parameter, value, { dateEquality: "overlap", now: 0 }));
  const overlaps: Condition = {
    kind: "row",
    table: "search_date",
    parameters: stored.map(({ parameter }) => parameter),
    test: any(tests),
  };
  return oneOf([overlaps, { kind: "not", condition: presence(stored) }]);
}

/** Dates that are not those of care. */
const OTHER_DATES: ReadonlySet<string> = new Set(["birthdate", "death-date", "payment-date", "value-date"]);

/** Beyond all years that a date can have, and so far inside of what a column holds that a day more or less does no harm. */
const EARLIEST = -(2n ** 62n);
const LATEST = 2n ** 62n;

function parsePlainDate(name: string, text: string): DateValue {
  const value = parseDate(text, { name, baseUrl: "" });
  if (/^[A-Za-z]/.test(text)) throw malformed({ name }, "a date without a prefix is needed");
  return value;
}
