/**
 * Numbers in a query (contract 10.4). They stay decimal texts: binary floating point would move the borders, and
 * PostgreSQL's `numeric` takes the text as it is.
 */

/** A number as it was asked for, with the interval that its precision stands for. */
export interface DecimalOperand {
  /** The number itself, d. */
  value: string;
  /** d - h and d + h, where h is half a unit of the last decimal place: h = 0.5 x 10^-p. */
  low: string;
  high: string;
  /** The same interval widened by 10 % of |d| on both sides, for `ap`. */
  approximateLow: string;
  approximateHigh: string;
}

/**
 * Reads a number: optional sign, digits, point, exponent. Undefined when it is none. Exponents are expanded before
 * decimal places are counted (`2e-3` has 3, `4e1` none). Numbers beyond 10^1000 become infinite, those below
 * 10^-1000 are taken as zero: the nearest bound that an index value can have (decision D-15).
 */
export function parseDecimal(text: string): DecimalOperand | undefined {
  const match = DECIMAL.exec(text);
  if (match === null || text.length > MAX_LENGTH) return undefined;
  const { sign = "", whole = "", fraction = "", exponent = "0" } = match.groups ?? {};
  const digits = BigInt(`${whole}${fraction}`);
  const negative = sign === "-";
  const places = fraction.length - Number(exponent);
  if (digits !== 0n && -places > MAX_PLACES) return infinite(negative);
  if (places > MAX_PLACES) return operand(0n, MAX_PLACES);
  const expanded = places < 0 ? digits * 10n ** BigInt(-Math.max(places, -MAX_PLACES)) : digits;
  return operand(negative ? -expanded : expanded, Math.max(places, 0));
}

const DECIMAL = /^(?<sign>[+-]?)(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:[eE](?<exponent>[+-]?\d+))?$/;
const MAX_LENGTH = 1000;
const MAX_PLACES = 1000;

/** Scaled by 10^(places + 1), so that half a unit of the last place is 5. */
function operand(unscaled: bigint, places: number): DecimalOperand {
  const d = unscaled * 10n;
  const tenth = (d < 0n ? -d : d) / 10n;
  const scale = places + 1;
  return {
    value: decimalText(d, scale),
    low: decimalText(d - 5n, scale),
    high: decimalText(d + 5n, scale),
    approximateLow: decimalText(d - 5n - tenth, scale),
    approximateHigh: decimalText(d + 5n + tenth, scale),
  };
}

function infinite(negative: boolean): DecimalOperand {
  const value = negative ? "-Infinity" : "Infinity";
  return { value, low: value, high: value, approximateLow: value, approximateHigh: value };
}

function decimalText(scaled: bigint, scale: number): string {
  const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(scale + 1, "0");
  return `${scaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
