/**
 * Rules of FHIR search in the simplest JavaScript there is, to check answers against. Nothing of src/ is used: what both
 * got wrong in the same way would not be found.
 */

/** The values at a path such as `name.given`, lists opened up. */
export function at(value: unknown, path: string): unknown[] {
  let found: unknown[] = [value];
  for (const name of path.split(".")) {
    found = found
      .flatMap((item) => (typeof item === "object" && item !== null ? [(item as Record<string, unknown>)[name]] : []))
      .flat()
      .filter((item) => item !== undefined);
  }
  return found;
}

/** Some CodeableConcept, Coding, Identifier or code is `code`, `system|code` or `system|`. */
export function hasToken(values: readonly unknown[], wanted: string): boolean {
  const [first = "", second] = wanted.split("|");
  return tokensOf(values).some(({ system, code }) => {
    if (second === undefined) return code === first;
    return (system ?? "") === first && (second === "" || code === second);
  });
}

function tokensOf(values: readonly unknown[]): { system?: unknown; code: unknown }[] {
  return values.flatMap((value) => {
    if (typeof value !== "object" || value === null) return [{ code: String(value) }];
    const { coding, system, code, value: text } = value as Record<string, unknown>;
    return Array.isArray(coding) ? tokensOf(coding) : [{ system, code: code ?? text }];
  });
}

/** Some text begins with `prefix`, whatever case and accents. */
export function begins(values: readonly unknown[], prefix: string): boolean {
  return values.some((value) => fold(String(value)).startsWith(fold(prefix)));
}

/** Some text has `part` in it, whatever case and accents. */
export function contains(values: readonly unknown[], part: string): boolean {
  return values.some((value) => fold(String(value)).includes(fold(part)));
}

function fold(text: string): string {
  return text.normalize("NFD").replaceAll(/\p{M}/gu, "").toLowerCase();
}

/** Some reference is to `Type/id`. */
export function refersTo(values: readonly unknown[], target: string): boolean {
  return values.some((value) => (value as { reference?: string }).reference === target);
}

/**
 * Some date, dateTime, instant or Period stands to `operand` (a prefix and a date) as FHIR says: both are ranges, and
 * without prefix the operand contains the value.
 */
export function hasDate(values: readonly unknown[], operand: string): boolean {
  const [, prefix = "", date = ""] = /^([a-z]{2})?(.*)$/.exec(operand) ?? [];
  const wanted = rangeOf(date);
  return values.some((value) => {
    const { low, high } =
      typeof value === "string" ? rangeOf(value) : periodOf(value as { start?: string; end?: string });
    switch (prefix) {
      case "":
      case "eq":
        return low >= wanted.low && high <= wanted.high;
      case "ne":
        return low < wanted.low || high > wanted.high;
      case "lt":
        return low < wanted.low;
      case "gt":
        return high > wanted.high;
      case "le":
        return low <= wanted.high;
      case "ge":
        return high >= wanted.low;
      case "sa":
        return low > wanted.high;
      case "eb":
        return high < wanted.low;
      default:
        throw new Error(`no rule for ${prefix}`);
    }
  });
}

/** The milliseconds that a date of any precision spans; a hair less than the next one's beginning. */
function rangeOf(date: string): { low: number; high: number } {
  const [year = "", month, day] = date.slice(0, 10).split("-");
  const hair = 0.0001;
  if (date.length > 10) {
    const low = Date.parse(date);
    return { low, high: date.includes(".") ? low : low + 1000 - hair };
  }
  const low = Date.UTC(Number(year), Number(month ?? 1) - 1, Number(day ?? 1));
  if (day !== undefined) return { low, high: Date.UTC(Number(year), Number(month) - 1, Number(day) + 1) - hair };
  if (month !== undefined) return { low, high: Date.UTC(Number(year), Number(month), 1) - hair };
  return { low, high: Date.UTC(Number(year) + 1, 0, 1) - hair };
}

function periodOf({ start, end }: { start?: string; end?: string }): { low: number; high: number } {
  return {
    low: start === undefined ? Number.NEGATIVE_INFINITY : rangeOf(start).low,
    high: end === undefined ? Number.POSITIVE_INFINITY : rangeOf(end).high,
  };
}

/** Some Quantity stands to `operand`, as in `gt5.4|system|code`. */
export function hasQuantity(values: readonly unknown[], operand: string): boolean {
  const [text = "", system = "", code = ""] = operand.split("|");
  const [, prefix = "", number = ""] = /^([a-z]{2})?(.*)$/.exec(text) ?? [];
  const wanted = Number(number);
  const half = 0.5 * 10 ** -(number.split(".")[1]?.length ?? 0);
  return values.some((value) => {
    const quantity = value as { value?: number; system?: string; code?: string };
    if (quantity.value === undefined) return false;
    if (system !== "" && quantity.system !== system) return false;
    if (code !== "" && quantity.code !== code) return false;
    switch (prefix) {
      case "":
        return quantity.value >= wanted - half && quantity.value < wanted + half;
      case "lt":
        return quantity.value < wanted;
      case "le":
        return quantity.value <= wanted;
      case "gt":
        return quantity.value > wanted;
      case "ge":
        return quantity.value >= wanted;
      default:
        throw new Error(`no rule for ${prefix}`);
    }
  });
}
