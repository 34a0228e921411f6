/** An exact fraction: reduced, `d` positive. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

export const ZERO: Rational = { n: 0n, d: 1n };
export const ONE: Rational = { n: 1n, d: 1n };

/** n/d, reduced; `d` is not 0. */
export function rational(n: bigint, d: bigint = 1n): Rational {
  const divisor = greatestCommonDivisor(n < 0n ? -n : n, d < 0n ? -d : d) * (d < 0n ? -1n : 1n);
  return { n: n / divisor, d: d / divisor };
}

/** A decimal text: sign, digits, point, exponent. Undefined when it is none. */
export function parseRational(text: string): Rational | undefined {
  const match = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const places = fraction.length - Number(exponent);
  return places > 0 ? rational(digits, 10n ** BigInt(places)) : rational(digits * 10n ** BigInt(-places));
}

export function add(a: Rational, b: Rational): Rational {
  return rational(a.n * b.d + b.n * a.d, a.d * b.d);
}

export function subtract(a: Rational, b: Rational): Rational {
  return rational(a.n * b.d - b.n * a.d, a.d * b.d);
}

export function multiply(a: Rational, b: Rational): Rational {
  return rational(a.n * b.n, a.d * b.d);
}

/** a/b; `b` is not 0. */
export function divide(a: Rational, b: Rational): Rational {
  return rational(a.n * b.d, a.d * b.n);
}

/** A whole power, which may be negative; `a` is not 0. */
export function power(a: Rational, exponent: number): Rational {
  const by = BigInt(Math.abs(exponent));
  return exponent < 0 ? rational(a.d ** by, a.n ** by) : rational(a.n ** by, a.d ** by);
}

/**
 * The fraction as decimal text: exact where it has an end, otherwise cut off after {@link SIGNIFICANT} digits, which no
 * number that anybody writes comes between.
 */
export function decimalOf({ n, d }: Rational): string {
  let rest = d;
  let places = 0;
  for (const factor of [2n, 5n]) {
    let count = 0;
    for (; rest % factor === 0n; rest /= factor) count++;
    places = Math.max(places, count);
  }
  const magnitude = n < 0n ? -n : n;
  if (rest !== 1n) places = Math.max(SIGNIFICANT + d.toString().length - magnitude.toString().length, 0);
  const digits = ((magnitude * 10n ** BigInt(places)) / d).toString().padStart(places + 1, "0");
  const sign = n < 0n ? "-" : "";
  return places === 0 ? sign + digits : `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

const SIGNIFICANT = 100;

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}
