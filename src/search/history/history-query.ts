import { StokerError } from "../../base/errors.ts";
import { RESOURCE_TYPES, resourceTypeId } from "../../fhir/resource-types.ts";
import type { Period } from "../../store/resources/history.ts";
import { DEFAULT_COUNT, parseCount } from "../parse/control.ts";
import { isEmptyValue } from "../criteria/escape.ts";
import { checkElements, parseElements, type Shape } from "../projection/shape.ts";
import { NO_DATE, queryDateRange } from "../criteria/query-date.ts";
import { malformed } from "../criteria/value-context.ts";
import { parseDate } from "../types/values.ts";

/** A history as it was asked for: of a resource, of a type, or of the system. */
export interface HistoryRequest {
  /** A resource type of R4. */
  type?: string | undefined;
  /** Only with a type. */
  id?: string | undefined;
  /** Decoded names and values in the order of the query. */
  parameters: readonly (readonly [name: string, value: string])[];
  /** `Prefer: handling=strict`: names that mean nothing are an error. */
  strict: boolean;
}

/** A history that has been understood. */
export interface HistoryQuery {
  /** Entries of a page; 0 asks for the total only. */
  count: number;
  total: "none" | "estimate" | "accurate";
  /** Only versions at or after this instant, in milliseconds since 1970. */
  since: number | undefined;
  /** Only versions that were current at some time of this period. */
  at: Period | undefined;
  /** Only these types; undefined: all. */
  types: readonly string[] | undefined;
  /** Which members of the resources are wanted; undefined: all. */
  shape: Shape | undefined;
  cursor: string | undefined;
  /** The parameters that were used, for the links. */
  used: readonly (readonly [name: string, value: string])[];
}

/**
 * Understands the parameters of a history (http://hl7.org/fhir/R4/http.html#history). Pure. Throws `bad-request` on values
 * that make no sense, on a parameter other than `_at` that comes twice, and, for a strict request, on names that mean nothing; those are
 * left out otherwise, as parameters without a value are. Throws `not-supported` on `_list`, and on a `_sort` other than the order that there is.
 */
export function parseHistoryQuery({ type, id, parameters, strict }: HistoryRequest): HistoryQuery {
  const query: HistoryQuery = {
    count: DEFAULT_COUNT,
    total: "none",
    since: undefined,
    at: undefined,
    types: type === undefined ? undefined : [type],
    shape: undefined,
    cursor: undefined,
    used: [],
  };
  const used: [name: string, value: string][] = [];
  for (const [name, value] of parameters) {
    if (isEmptyValue(value)) {
      if (strict) throw malformed({ name: name.slice(0, 64) }, "it has no value");
      continue;
    }
    if (name === "_list" || (name === "_sort" && value !== "-_lastUpdated" && value !== "none")) {
      const text =
        name === "_list" ? "a history filtered by a list" : "histories are sorted by -_lastUpdated; another order";
      throw new StokerError("not-supported", `${name}: ${text} is not supported.`, { expression: name });
    }
    const isKnown = KNOWN.has(name) || (name === "_type" && type === undefined && id === undefined);
    if (!isKnown) {
      if (strict) throw malformed({ name: name.slice(0, 64) }, "not known for histories");
      continue;
    }
    // The two ends of a period.
    if (name !== "_at" && used.some(([other]) => other === name)) throw malformed({ name }, "occurs twice");
    apply(query, name, value);
    used.push([name, name === "_count" ? `${query.count}` : value]);
  }
  const given = new Map(used);
  // Whatever `_count` says, and wherever it stands.
  if (given.get("_summary") === "count") query.count = 0;
  if (given.has("_summary") && given.has("_elements")) throw malformed({ name: "_elements" }, "comes with a _summary");
  if (Array.isArray(query.shape)) checkElements(query.shape, query.types ?? RESOURCE_TYPES);
  return { ...query, used };
}

const KNOWN: ReadonlySet<string> = new Set([
  "_count",
  "_since",
  "_at",
  "_total",
  "_summary",
  "_elements",
  "_sort",
  "_cursor",
  "_format",
  "_pretty",
]);

function apply(query: HistoryQuery, name: string, value: string): void {
  switch (name) {
    case "_count":
      query.count = parseCount(value);
      break;
    case "_since": {
      const low = queryDateRange(value)?.low;
      if (low === undefined) throw malformed({ name }, NO_DATE);
      // A part of a millisecond: what is at or after it is at or after the next whole one.
      query.since = Number(floor(low + TICKS - 1n));
      break;
    }
    case "_at":
      query.at = within(query.at, periodOf(name, value));
      break;
    case "_total":
      if (value !== "none" && value !== "accurate" && value !== "estimate") {
        throw malformed({ name }, "must be none, estimate or accurate");
      }
      query.total = value;
      break;
    case "_type": {
      const types = [...new Set(value.split(","))];
      if (types.some((type) => resourceTypeId(type) === undefined)) throw malformed({ name }, "not a list of types");
      query.types = types;
      break;
    }
    case "_summary":
      if (value === "true" || value === "text" || value === "data") query.shape = value;
      else if (value !== "false" && value !== "count")
        throw malformed({ name }, "must be true, text, data, count or false");
      break;
    case "_elements":
      query.shape = parseElements(value);
      break;
    case "_cursor":
      query.cursor = value;
      break;
    default:
  }
}

/** 100 ns each; the store has milliseconds. */
const TICKS = 10_000n;

function floor(ticks: bigint): bigint {
  return ticks >= 0n ? ticks / TICKS : -((TICKS - 1n - ticks) / TICKS);
}

/**
 * The period of an `_at`: a date of any precision, or what a prefix says of it (http://hl7.org/fhir/R4/search.html#prefix), such as all
 * that is after its end.
 */
function periodOf(name: string, value: string): Period {
  const { prefix, low, high } = parseDate(value, { name, baseUrl: "" });
  switch (prefix) {
    case "eq":
      return { low: Number(floor(low)), high: Number(floor(high)) };
    case "ge":
      return { low: Number(floor(low)), high: FOREVER };
    case "gt":
    case "sa":
      return { low: Number(floor(high + TICKS)), high: FOREVER };
    case "le":
      return { low: -FOREVER, high: Number(floor(high)) };
    case "lt":
    case "eb":
      return { low: -FOREVER, high: Number(floor(low - 1n)) };
    default:
      throw malformed({ name }, `the prefix ${prefix} does not give a period`);
  }
}

const FOREVER = Number.MAX_SAFE_INTEGER;

/** What two periods have in common. */
function within(one: Period | undefined, other: Period): Period {
  if (one === undefined) return other;
  const both = { low: Math.max(one.low, other.low), high: Math.min(one.high, other.high) };
  if (both.low > both.high) throw malformed({ name: "_at" }, "the periods do not overlap");
  return both;
}
