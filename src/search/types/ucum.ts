import type { UcumUnit } from "@lhncbc/ucum-lhc";
import { multiply, ONE, parseRational, power, rational, ZERO, type Rational } from "./rational.ts";

/** A unit in terms of base units: `value × factor + offset` of them. Exact. */
export interface Unit {
  /** Base units with their exponents: units with the same text measure the same. */
  readonly dimension: string;
  /** Positive. */
  readonly factor: Rational;
  /** Not zero for temperatures only. */
  readonly offset: Rational;
}

/** Reads a case-sensitive UCUM code; undefined when it is none, or a logarithmic or otherwise special one. */
export type ReadUnit = (code: string) => Unit | undefined;

/**
 * Opens the table of UCUM's units. The library's own magnitudes are binary floating point; here its definitions are
 * multiplied out as fractions. What the annotation of a unit says (`mL{total}`) does not count, as UCUM wants it.
 * Other than in UCUM, a mole is no number: `mmol/L` and `10*3/uL` do not compare. Nor do different arbitrary units
 * (`[iU]`, `[CFU]`), nor does an annotation alone with anything else: 3 `{score}` are not 300 %.
 */
export async function openUcum(): Promise<ReadUnit> {
  const { default: library } = await import("@lhncbc/ucum-lhc");
  // Loads the tables.
  library.UcumLhcUtils.getInstance();
  const table = library.UnitTables.getInstance();
  const known = new Map<string, Product | undefined>();

  /** A unit of the table by its code, without a prefix. */
  function atom(code: string, depth: number): Product | undefined {
    if (known.has(code)) return known.get(code);
    const unit = table.getUnitByCode(code);
    const found = unit?.csCode_ !== code ? undefined : defined(unit, depth);
    known.set(code, found);
    return found;
  }

  function defined(unit: UcumUnit, depth: number): Product | undefined {
    const { csCode_: code, csUnitString_: by, isSpecial_: isSpecial } = unit;
    const isMetric = unit.isMetric_ || BASE_UNITS.has(code);
    if (BASE_UNITS.has(code) || OWN_DIMENSION.has(code) || (unit.isArbitrary_ && (by === null || by === "1"))) {
      return { powers: new Map([[code, 1]]), factor: ONE, offset: ZERO, isMetric };
    }
    if (isSpecial) {
      const scale = TEMPERATURES.get(unit.cnv_ ?? "");
      return scale === undefined ? undefined : { powers: new Map([["K", 1]]), ...scale, isMetric };
    }
    if (unit.source_ !== "UCUM" || by === null) return undefined;
    const factor = parseRational(definedFactor(unit));
    const rest = depth > MAX_DEPTH ? undefined : expression(by, depth + 1);
    if (factor === undefined || rest === undefined) return undefined;
    return { ...rest, factor: multiply(factor, rest.factor), isMetric };
  }

  /** A unit of the table, or a metric one behind a prefix. */
  function symbol(code: string, depth: number): Product | undefined {
    const whole = atom(code, depth);
    if (whole !== undefined) return whole;
    for (const length of [2, 1]) {
      const prefix = PREFIXES.get(code.slice(0, length));
      const unit = prefix === undefined || code.length <= length ? undefined : atom(code.slice(length), depth);
      if (prefix !== undefined && unit?.isMetric === true) return { ...unit, factor: multiply(prefix, unit.factor) };
    }
    return undefined;
  }

  /** `component`: a symbol with its exponent, a number, an expression in parentheses, an annotation. */
  function component(text: string, depth: number): Product | undefined {
    const plain = text.replace(/\{[^{}]*\}$/, "");
    if (plain === "") return text === "" ? undefined : UNITY;
    if (/^\d{1,20}$/.test(plain))
      return /[1-9]/.test(plain) ? { ...UNITY, factor: rational(BigInt(plain)) } : undefined;
    if (plain.startsWith("(")) {
      return plain.endsWith(")") && depth < MAX_DEPTH ? expression(plain.slice(1, -1), depth + 1) : undefined;
    }
    const match = /^(.*?[^\d+-])([+-]?\d{1,2})?$/.exec(plain);
    const base = symbol(match?.[1] ?? "", depth);
    const exponent = Number(match?.[2] ?? 1);
    if (base === undefined || exponent === 1) return base;
    return base.offset.n === 0n ? raised(base, exponent) : undefined;
  }

  /** `main-term`: components with points and slashes between them, perhaps a slash before the first. */
  function expression(text: string, depth: number): Product | undefined {
    const parts = split(text);
    const [first] = parts ?? [];
    if (parts === undefined || first === undefined) return undefined;
    if (parts.length === 1 && first.operator === ".") return component(first.text, depth);
    let product: Product = UNITY;
    for (const part of parts) {
      const found = component(part.text, depth);
      if (found === undefined || found.offset.n !== 0n) return undefined;
      product = times(product, part.operator === "/" ? raised(found, -1) : found);
    }
    return product;
  }

  return (code) => {
    if (code.length > MAX_LENGTH) return undefined;
    if (/^\{[^{}]*\}$/.test(code)) return { dimension: code, factor: ONE, offset: ZERO };
    const product = expression(code, 0);
    if (product === undefined || isUnwieldy(product)) return undefined;
    const { powers, factor, offset } = product;
    const exponents = [...powers].filter(([, exponent]) => exponent !== 0);
    const dimension = exponents
      .map(([base, exponent]) => `${base}${exponent}`)
      .toSorted()
      .join(".");
    return { dimension, factor, offset };
  };
}

/** The number in a unit's definition. A few of the texts lack what stands in another form there (10*-13, [pi]). */
function definedFactor({ baseFactorStr_: text, baseFactor_: number }: UcumUnit): string {
  if (text === null) return String(number ?? 1);
  return number === null || Math.abs(Number(text) / number - 1) < 1e-12 ? text : String(number);
}

/** Codes that are longer are no units that anybody would compare. */
export const MAX_LENGTH = 100;

interface Product {
  readonly powers: ReadonlyMap<string, number>;
  readonly factor: Rational;
  readonly offset: Rational;
  /** Whether prefixes may stand before it. */
  readonly isMetric?: boolean;
}

const UNITY: Product = { powers: new Map(), factor: ONE, offset: ZERO };
const MAX_DEPTH = 30;
const BASE_UNITS: ReadonlySet<string> = new Set(["m", "s", "g", "rad", "K", "C", "cd"]);
/** Units of amount: a number of things by UCUM's definition, which would make them comparable with any count. */
const OWN_DIMENSION: ReadonlySet<string> = new Set(["mol"]);

/** By the name of the conversion. */
const TEMPERATURES: ReadonlyMap<string, { factor: Rational; offset: Rational }> = new Map([
  ["Cel", { factor: ONE, offset: rational(27_315n, 100n) }],
  ["degF", { factor: rational(5n, 9n), offset: rational(45_967n * 5n, 900n) }],
  ["degRe", { factor: rational(5n, 4n), offset: rational(27_315n, 100n) }],
]);

const PREFIXES: ReadonlyMap<string, Rational> = new Map([
  ..."Y24 Z21 E18 P15 T12 G9 M6 k3 h2 da1 d-1 c-2 m-3 u-6 n-9 p-12 f-15 a-18 z-21 y-24"
    .split(" ")
    .map((text) => /^([A-Za-z]+)(-?\d+)$/.exec(text))
    .map((match) => [match?.[1] ?? "", power(rational(10n), Number(match?.[2]))] as const),
  ...["Ki", "Mi", "Gi", "Ti"].map((prefix, index) => [prefix, power(rational(1024n), index + 1)] as const),
]);

function times(a: Product, b: Product): Product {
  const powers = new Map(a.powers);
  for (const [base, exponent] of b.powers) powers.set(base, (powers.get(base) ?? 0) + exponent);
  return { powers, factor: multiply(a.factor, b.factor), offset: ZERO };
}

function raised({ powers, factor }: Product, exponent: number): Product {
  return {
    powers: new Map([...powers].map(([base, each]) => [base, each * exponent])),
    factor: power(factor, exponent),
    offset: ZERO,
  };
}

/** The components with what stands before them. Points and slashes in brackets, parentheses and annotations are not meant. */
function split(text: string): { operator: string; text: string }[] | undefined {
  const parts: { operator: string; text: string }[] = [];
  let open = 0;
  let closing = "";
  let operator = ".";
  let start = 0;
  for (let index = 0; index <= text.length; index++) {
    const character = text[index] ?? "";
    if (closing !== "") {
      if (character === closing) closing = "";
      else if (character === "") return undefined;
    } else if (character === "[" || character === "{") closing = character === "[" ? "]" : "}";
    else if (character === "(") open++;
    else if (character === ")") open--;
    else if (open === 0 && (character === "." || character === "/" || character === "")) {
      const isLeading = index === 0 && character === "/";
      if (!isLeading) parts.push({ operator, text: text.slice(start, index) });
      operator = character;
      start = index + 1;
    }
    if (open < 0) return undefined;
  }
  return open === 0 ? parts : undefined;
}

/** Numbers of that many digits come from codes that were made to be awkward. */
function isUnwieldy({ factor }: Product): boolean {
  return factor.n.toString(16).length > 500 || factor.d.toString(16).length > 500;
}
