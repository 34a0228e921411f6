import { UCUM, UNIT_TERMS, unitValue } from "../fhir/search-value.ts";
import { decimalText, justBeside } from "./decimal-text.ts";
import { storableText } from "./storable-text.ts";
import type { CachedToken } from "./value-cache.ts";
import type { ValueCollector } from "./value-collector.ts";
import { emitPresent, isObjectOrArray, isText, type ValueGroup } from "./value-group.ts";

/** decimal and integer elements: a number without a unit. */
export function emitNumber(to: ValueCollector, group: ValueGroup, value: unknown): void {
  const text = decimalText(to, value);
  if (text === undefined) return;
  emitPresent(to, group);
  emitRow(to, group, text, text, undefined, undefined);
}

/** Range where a plain number is searched. */
export function emitNumberRange(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const { low, high } = value;
  emitBounds(
    to,
    group,
    isObjectOrArray(low) ? low["value"] : undefined,
    isObjectOrArray(high) ? high["value"] : undefined,
    {},
  );
}

/** Quantity and its kin (Age, Duration, Count, Distance); a comparator leaves one side open, and `<5` does not contain 5. */
export function emitQuantity(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const { comparator } = value;
  const text = decimalText(to, value["value"]);
  emitPresent(to, group);
  if (text === undefined) return;
  switch (comparator) {
    case "<":
      return emitUnits(to, group, "-Infinity", justBeside(text, false), value);
    case "<=":
      return emitUnits(to, group, "-Infinity", text, value);
    case ">=":
      return emitUnits(to, group, text, "Infinity", value);
    case ">":
      return emitUnits(to, group, justBeside(text, true), "Infinity", value);
    default:
      return emitUnits(to, group, text, text, value);
  }
}

/** Range: from low to high, either may be open. */
export function emitRange(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const low = isObjectOrArray(value["low"]) ? value["low"] : {};
  const high = isObjectOrArray(value["high"]) ? value["high"] : {};
  emitBounds(to, group, low["value"], high["value"], hasUnit(low) ? low : high);
}

/** Money: the currency is a code of ISO 4217. */
export function emitMoney(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const text = decimalText(to, value["value"]);
  emitPresent(to, group);
  if (text !== undefined) emitRow(to, group, text, text, "urn:iso:std:iso:4217", value["currency"]);
}

/** Location.position: one row, from its latitude to its longitude. */
export function emitPosition(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const latitude = decimalText(to, value["latitude"]);
  const longitude = decimalText(to, value["longitude"]);
  emitPresent(to, group);
  if (latitude !== undefined && longitude !== undefined) {
    emitRow(to, group, latitude, longitude, undefined, undefined);
  }
}

/**
 * SampledData: the bounds of its values (the search parameters' own description). A value below the detection limit
 * (L) opens the low side, one above it (U) the high side; an error (E) is no value.
 */
export function emitSampledData(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const { data, factor } = value;
  const origin = isObjectOrArray(value["origin"]) ? value["origin"] : {};
  const zero = typeof origin["value"] === "number" ? origin["value"] : 0;
  const scale = typeof factor === "number" ? factor : 1;
  emitPresent(to, group);
  if (!isText(data)) return;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const word of data.split(/\s+/)) {
    if (word === "L") low = Number.NEGATIVE_INFINITY;
    else if (word === "U") high = Number.POSITIVE_INFINITY;
    else if (word !== "" && !Number.isNaN(Number(word))) {
      const sample = zero + Number(word) * scale;
      low = Math.min(low, sample);
      high = Math.max(high, sample);
    }
  }
  if (low <= high) emitUnits(to, group, String(low), String(high), origin);
}

function emitBounds(
  to: ValueCollector,
  group: ValueGroup,
  low: unknown,
  high: unknown,
  unit: Record<string, unknown>,
): void {
  const from = decimalText(to, low);
  const till = decimalText(to, high);
  emitPresent(to, group);
  if (from !== undefined || till !== undefined) emitUnits(to, group, from ?? "-Infinity", till ?? "Infinity", unit);
}

/** One row with the unit's code, and one with its text, of no system, where that is something else. */
function emitUnits(
  to: ValueCollector,
  group: ValueGroup,
  low: string,
  high: string,
  quantity: Record<string, unknown>,
): void {
  const { system, code, unit } = quantity;
  emitRow(to, group, low, high, system, isText(code) ? code : unit);
  if (isText(code) && isText(unit) && unit !== code) emitRow(to, group, low, high, undefined, unit);
}

/** Units recur: what they become is remembered. */
function emitRow(
  to: ValueCollector,
  group: ValueGroup,
  low: string,
  high: string,
  system: unknown,
  code: unknown,
): void {
  const systemText = isText(system) ? system : "";
  const codeText = isText(code) ? code : "";
  let numbers = group.cache.find(systemText, codeText);
  if (numbers === undefined) {
    numbers = unitNumbers(systemText, codeText);
    group.cache.keep(systemText, codeText, numbers);
  }
  const { values, folded } = numbers;
  to.system.high = values[0] ?? 0;
  to.system.low = values[1] ?? 0;
  to.code.high = values[2] ?? 0;
  to.code.low = values[3] ?? 0;
  if (folded !== undefined) to.sink.term(UNIT_TERMS, to.code.high, to.code.low, folded);
  for (const { id } of group.parameters) to.sink.quantity(id, low, high, to.system, to.code);
}

/** The numbers of a unit's system and code, zeros for none; with the code as `folded` when a search can convert it. */
function unitNumbers(system: string, code: string): CachedToken {
  const numbers = [system, code].flatMap((text) => {
    const halves = { high: 0, low: 0 };
    if (text !== "") unitValue(text, halves);
    return [halves.high, halves.low];
  });
  const values = Int32Array.from(numbers);
  const isUnit = system === UCUM && code !== "" && code.length <= LONGEST_UNIT && storableText(code) === code;
  return isUnit ? { values, resource: 0, folded: code } : { values, resource: 0 };
}

/** Longer ones are compared literally only. */
const LONGEST_UNIT = 100;

function hasUnit(quantity: Record<string, unknown>): boolean {
  return isText(quantity["unit"]) || isText(quantity["code"]) || isText(quantity["system"]);
}
