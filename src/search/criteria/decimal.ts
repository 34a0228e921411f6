/**
 * Numbers in a query (contract 10.4, decision D-28). They stay decimal texts: binary floating point would move the borders, and
 * PostgreSQL's `numeric` takes the text as it is.
 */

/** A number as it was asked for, with the interval that its precision stands for. */
export interface DecimalOperand {
  /** The number itself, d. */
  value: string;
  /** The half-open interval [d - h, d + h), where h is half a unit of the last digit (decision D-28). */
  low: string;
  high: string;
  /** The same interval widened by 10 % of |d| on both sides, and closed, for `ap`. */
  approximateLow: string;
  approximateHigh: string;
}

/**
 * Reads a number: optional sign, digits, point, exponent. Undefined when it is none. The last digit that is written says how
 * precise it is: `100` is [99.5, 100.5), `1.0e2` is [95, 105), `2e-3` is [0.0015, 0.0025). R4 counts a single digit
 * before a positive exponent as if a 0 followed it: `1e2` is [95, 105), too. Numbers beyond 10^1000 become infinite, those below
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
  if (places > MAX_PLACES) return operand(0n, MAX_PLACES, 0);
  const zeros = Math.min(Math.max(-places, 0), MAX_PLACES);
  const expanded = digits * 10n ** BigInt(zeros);
  const isSingleDigit = whole.length === 1 && fraction === "";
  return operand(negative ? -expanded : expanded, Math.max(places, 0), isSingleDigit ? Math.max(zeros - 1, 0) : zeros);
}

const DECIMAL = /^(?<sign>[+-]?)(?<whole>\d+)(?:\.(?<fraction>\d+))?(?:[eE](?<exponent>[+-]?\d+))?$/;
const MAX_LENGTH = 1000;
const MAX_PLACES = 1000;

/** Scaled by 10^(places + 1), so that half a unit of the last digit is 5, or, with zeros behind that digit, 50, 500 … */
function operand(unscaled: bigint, places: number, zeros: number): DecimalOperand {
  const d = unscaled * 10n;
  const half = 5n * 10n ** BigInt(zeros);
  const tenth = (d < 0n ? -d : d) / 10n;
  const scale = places + 1;
  return {
    value: decimalText(d, scale),
    low: decimalText(d - half, scale),
    high: decimalText(d + half, scale),
    approximateLow: decimalText(d - half - tenth, scale),
    approximateHigh: decimalText(d + half + tenth, scale),
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
