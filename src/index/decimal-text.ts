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

/**
 * A number so little beyond another, to 20 places more than it has, that no search tells them apart: the end of a range that does
 * not contain it.
 */
export function justBeside(text: string, above: boolean): string {
  const [, whole = "0", fraction = "", exponent = "0"] = NUMBER.exec(text) ?? [];
  const places = fraction.length - Number(exponent);
  const digits = BigInt(`${whole}${fraction}`) * 10n ** BigInt(FINER + Math.max(-places, 0));
  return `${digits + (above ? 1n : -1n)}e-${FINER + Math.max(places, 0)}`;
}

const NUMBER = /^(-?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const FINER = 20;
