import { fromBigInt, toBigInt, type Int64Halves } from "../../base/hash.ts";
import type { JsonObject } from "../../base/json.ts";
import { resourceKey } from "../../fhir/resource-key.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import { searchParameter } from "../../fhir/search-parameters.ts";
import {
  absoluteReferenceConstant,
  baseValue,
  codeTerm,
  codeTermValue,
  compositeValue,
  equalityValue,
  EqualityForm,
  referenceValue,
  unitValue,
  type SearchValueSink,
} from "../../fhir/search-value.ts";
import { createIndexer, type LiteralOf } from "../indexer.ts";

/** What a sink was told about one resource, in an order that does not matter. */
export interface Recorded {
  /** Equality numbers, sorted. */
  equality: bigint[];
  /** Ordered rows as text: `{qualifier} date {parameter} {low} {high}` and so on; units as numbers. */
  rows: string[];
}

/** Indexes one resource. */
export function record(resource: JsonObject & { resourceType: string }, literalOf?: LiteralOf): Recorded {
  const typeId = resourceTypeId(resource.resourceType) ?? 0;
  const recorded: Recorded = { equality: [], rows: [] };
  let qualifier = 0n;
  const sink: SearchValueSink = {
    equality: (high, low) => void recorded.equality.push(toBigInt({ high, low })),
    date: (parameter, range) => {
      const low = toBigInt({ high: range.lowHigh, low: range.lowLow });
      const high = toBigInt({ high: range.highHigh, low: range.highLow });
      recorded.rows.push(`${qualifier} date ${parameter} ${low} ${high}`);
    },
    quantity: (parameter, low, high, system, code) => {
      recorded.rows.push(`${qualifier} quantity ${parameter} ${low} ${high} ${toBigInt(system)} ${toBigInt(code)}`);
    },
    string: (parameter, value, folded) =>
      void recorded.rows.push(`${qualifier} string ${parameter} ${value} / ${folded}`),
    term: (parameter, high, low, folded) => {
      recorded.rows.push(`term ${parameter} ${toBigInt({ high, low })} ${folded}`);
    },
    qualify: (high, low) => {
      qualifier = toBigInt({ high, low });
    },
  };
  createIndexer().index(typeId, resource, sink, literalOf);
  recorded.equality.sort(compareNumbers);
  recorded.rows.sort();
  return recorded;
}

/** Equality numbers in the order of {@link Recorded}. */
export function numbers(...values: readonly bigint[]): bigint[] {
  return values.toSorted(compareNumbers);
}

function compareNumbers(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The term of a code that can be written in another case. */
export function spelling(system: string, code: string): string {
  const term = codeTerm(system, code, code.toLowerCase());
  const out: Int64Halves = { high: 0, low: 0 };
  codeTermValue(term, out);
  return `term -6 ${toBigInt(out)} ${term}`;
}

/** The id of a parameter, `Observation.code`. */
export function parameterId(name: string): number {
  const [type = "", code = ""] = name.split(".");
  const id = searchParameter(type, code)?.id;
  if (id === undefined) throw new TypeError(`no search parameter ${name}`);
  return id;
}

/** The equality number of a form and text. */
export function number(name: string, form: keyof typeof EqualityForm, text = ""): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  equalityValue(parameterId(name), EqualityForm[form], text, out);
  return toBigInt(out);
}

/** The equality number of a typed reference. */
export function target(name: string, type: string, id: string): bigint {
  const key: Int64Halves = { high: 0, low: 0 };
  const out: Int64Halves = { high: 0, low: 0 };
  resourceKey(resourceTypeId(type) ?? 0, id, key);
  referenceValue(parameterId(name), key, out);
  return toBigInt(out);
}

/** The equality number of a reference that is written as a URL. */
export function targetAt(name: string, base: string, type: string, id: string): bigint {
  const key: Int64Halves = { high: 0, low: 0 };
  const out: Int64Halves = { high: 0, low: 0 };
  resourceKey(resourceTypeId(type) ?? 0, id, key);
  absoluteReferenceConstant(parameterId(name), base, out);
  return toBigInt(key) ^ toBigInt(out);
}

/** The number of a base among the terms. */
export function baseNumber(base: string): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  baseValue(base, out);
  return toBigInt(out);
}

/** The equality number of a pair. */
export function pair(name: string, first: bigint, second: bigint): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  compositeValue(parameterId(name), fromBigInt(first), fromBigInt(second), out);
  return toBigInt(out);
}

/** The number of a quantity's system or code, 0 for none. */
export function unit(text: string): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  if (text !== "") unitValue(text, out);
  return toBigInt(out);
}
