import type { ValueCollector } from "./value-collector.ts";

/**
 * A number as decimal text, undefined when the value is no number. Up to 15 significant digits a double's shortest
 * text is what the source said; beyond that the source's literal is asked for. What no database number can hold is the
 * nearest bound (decision D-15).
 */
export function decimalText(to: ValueCollector, value: unknown): string | undefined {
  if (typeof value !== "number") return undefined;
  const text = String(value);
  if (text.length <= 15 && Number.isFinite(value)) return text;
  const literal = to.literalOf?.(value) ?? text;
  const exponent = Math.abs(Number(EXPONENT.exec(literal)?.[1] ?? 0));
  return exponent > LARGEST_EXPONENT || literal.length > LONGEST ? text : literal;
}

const EXPONENT = /[eE]([+-]?\d+)$/;
/** Far inside what `numeric` holds (131,072 digits before the point), far outside what is measured. */
const LARGEST_EXPONENT = 4096;
const LONGEST = 4096;
