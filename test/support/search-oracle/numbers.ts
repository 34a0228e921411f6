import type { Prefix } from "./dates.ts";

/** Numbers are integers of 10^-60, so that nothing is rounded. */
const SCALE = 60;
const INFINITE = 10n ** 500n;

/** A number as written: `7.50`, `-4e-3`. */
export function exact(text: string): bigint {
  const [, sign, whole = "", fraction = "", exponent = "0"] =
    /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = BigInt(whole + fraction) * 10n ** BigInt(SCALE - fraction.length + Number(exponent));
  return sign === "-" ? -digits : digits;
}

/** The number as it is written in a query; undefined for one that is not finite. */
export function decimalText(value: bigint): string | undefined {
  if (value === INFINITE || value === -INFINITE) return undefined;
  const digits = (value < 0n ? -value : value).toString().padStart(SCALE + 1, "0");
  const text = `${digits.slice(0, -SCALE)}.${digits.slice(-SCALE)}`.replace(/\.?0+$/, "");
  return `${value < 0n ? "-" : ""}${text}`;
}

/** Half a unit of the last digit, a single one before a positive exponent counted as if a 0 followed it (decision D-28). */
function halfUnit(text: string): bigint {
  const [, whole = "", fraction = "", exponent = "0"] = /^[+-]?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const place = Number(exponent) - fraction.length;
  const last = whole.length === 1 && fraction === "" && place > 0 ? place - 1 : place;
  return 5n * 10n ** BigInt(SCALE + last - 1);
}

/** A number or quantity, or a closed range of them. `units` are all that it can be asked by. */
export interface QuantityValue {
  readonly kind: "quantity";
  readonly low: bigint;
  readonly high: bigint;
  readonly units: readonly { readonly system: string | undefined; readonly code: string | undefined }[];
}

type Members = Readonly<Record<string, unknown>>;

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function number(value: unknown): bigint | undefined {
  return typeof value === "number" ? exact(String(value)) : undefined;
}

/** `unit` can be asked for as a code, too, of no system. */
function unitsOf(quantity: Members): QuantityValue["units"] {
  const code = text(quantity["code"]);
  const unit = text(quantity["unit"]);
  const first = { system: text(quantity["system"]), code: code ?? unit };
  return code === undefined || unit === undefined ? [first] : [first, { system: undefined, code: unit }];
}

function range(low: bigint | undefined, high: bigint | undefined, unit: Members): QuantityValue | undefined {
  if (low === undefined && high === undefined) return undefined;
  return { kind: "quantity", low: low ?? -INFINITE, high: high ?? INFINITE, units: unitsOf(unit) };
}

/** The number of an element of this type; undefined when it has none. */
export function quantityOf(type: string, value: unknown): QuantityValue | undefined {
  if (typeof value === "number") return range(number(value), number(value), {});
  const members = value as Members;
  switch (type) {
    case "Range": {
      const low = (members["low"] ?? {}) as Members;
      const high = (members["high"] ?? {}) as Members;
      const hasUnit = ["unit", "code", "system"].some((name) => text(low[name]) !== undefined);
      return range(number(low["value"]), number(high["value"]), hasUnit ? low : high);
    }
    case "Money": {
      const worth = number(members["value"]);
      return range(worth, worth, { system: "urn:iso:std:iso:4217", code: members["currency"] });
    }
    case "SampledData":
      return samples(members);
    default: {
      const own = number(members["value"]);
      if (own === undefined) return undefined;
      const comparator = text(members["comparator"]) ?? "";
      // `<5` does not contain 5.
      const low = comparator === ">" ? own + 1n : own;
      const high = comparator === "<" ? own - 1n : own;
      return range(
        comparator.startsWith("<") ? undefined : low,
        comparator.startsWith(">") ? undefined : high,
        members,
      );
    }
  }
}

/** From the least to the greatest sample; L and U are beyond all. */
function samples({ origin = {}, factor = 1, data }: Members): QuantityValue | undefined {
  const unit = origin as Members;
  const words = (text(data) ?? "").split(/\s+/).filter((word) => word !== "" && word !== "E");
  const one = 10n ** BigInt(SCALE);
  const found = words.map((word) => {
    if (word === "L") return -INFINITE;
    if (word === "U") return INFINITE;
    return (exact(word) * exact(String(factor))) / one + (number(unit["value"]) ?? 0n);
  });
  if (found.length === 0) return undefined;
  return range(
    found.reduce((a, b) => (a < b ? a : b)),
    found.reduce((a, b) => (a > b ? a : b)),
    unit,
  );
}

/** An asked number or quantity. */
export interface QuantityOperand {
  readonly kind: "quantity";
  readonly prefix: Prefix | "";
  readonly number: string;
  readonly system?: string;
  readonly code?: string;
}

const UCUM = "http://unitsofmeasure.org";

/** The units of UCUM that are used here: how much of the first of their kind they are, and what is added. */
const UNITS: Readonly<Record<string, { of: string; factor: string; offset?: string }>> = {
  mg: { of: "g", factor: "1e-3" },
  g: { of: "g", factor: "1" },
  kg: { of: "g", factor: "1000" },
  mL: { of: "L", factor: "1e-3" },
  L: { of: "L", factor: "1" },
  K: { of: "K", factor: "1" },
  Cel: { of: "K", factor: "1", offset: "273.15" },
};

/** A number of one unit in the first of its kind. */
function inBase(value: bigint, code: string): bigint {
  if (value === INFINITE || value === -INFINITE) return value;
  const { factor = "1", offset = "0" } = UNITS[code] ?? {};
  return (value * exact(factor)) / 10n ** BigInt(SCALE) + exact(offset);
}

/** Contract 10.4 and decision D-28, with the units of UCUM converted. */
export function isQuantity(stored: QuantityValue, operand: QuantityOperand): boolean {
  const { system, code } = operand;
  return stored.units.some((unit) => {
    if ((system === undefined || unit.system === system) && (code === undefined || unit.code === code)) {
      return compare(stored, operand, (value) => value);
    }
    const isUcum = (system === undefined || system === UCUM) && unit.system === UCUM;
    const [from, to] = [UNITS[unit.code ?? ""], UNITS[code ?? ""]];
    if (!isUcum || from === undefined || from.of !== to?.of) return false;
    const { low, high } = stored;
    const converted = { ...stored, low: inBase(low, unit.code ?? ""), high: inBase(high, unit.code ?? "") };
    return compare(converted, operand, (value) => inBase(value, code ?? ""));
  });
}

function compare(
  { low: a, high: b }: QuantityValue,
  { prefix, number: written }: QuantityOperand,
  convert: (value: bigint) => bigint,
): boolean {
  const number = exact(written);
  const half = halfUnit(written);
  const d = convert(number);
  const [s, e] = [convert(number - half), convert(number + half)];
  switch (prefix) {
    case "ne":
      return a < s || b >= e;
    case "lt":
      return a < d;
    case "gt":
      return b > d;
    case "le":
      return a <= d;
    case "ge":
      return b >= d;
    case "sa":
      return a > d;
    case "eb":
      return b < d;
    case "ap": {
      const tenth = (number < 0n ? -number : number) / 10n;
      return a <= convert(number + half + tenth) && b >= convert(number - half - tenth);
    }
    default:
      return a >= s && b < e;
  }
}
