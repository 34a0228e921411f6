/**
 * Tells how the numbers of a line of JSON are written there; undefined for one that is not. Asked for numbers whose digits a
 * double may not hold (`decimalText`): nearly always the shortest text of the double is what stands in the line, and one search
 * finds it. Only else, and when many numbers are asked for, the line is scanned, once.
 */
export function literalsOf(line: string): (value: number) => string | undefined {
  let literals: ReadonlyMap<number, string> | undefined;
  let searches = 0;
  return (value) => {
    if (literals === undefined && searches++ < MAX_SEARCHES) {
      const shortest = String(value);
      const at = line.indexOf(shortest);
      const after = at + shortest.length;
      if (at > 0 && isBefore(line.charCodeAt(at - 1)) && isAfter(line.charCodeAt(after))) return shortest;
    }
    return (literals ??= numberLiterals(line)).get(value);
  };
}

/** Each of them may read the whole line: with many numbers in a long one the time would grow with the square. */
const MAX_SEARCHES = 16;

/**
 * The number literals of a line of JSON, by the double that each becomes; where two literals become the same double
 * the first counts.
 */
export function numberLiterals(line: string): Map<number, string> {
  const literals = new Map<number, string>();
  for (const match of line.matchAll(STRING_OR_NUMBER)) {
    const literal = match[1];
    if (literal === undefined) continue;
    const value = Number(literal);
    if (!literals.has(value)) literals.set(value, literal);
  }
  return literals;
}

/** Whether the character may stand before a number in JSON: `:`, `,`, `[` or a space. */
function isBefore(code: number): boolean {
  return code === COLON || code === COMMA || code === 0x5b || code === SPACE;
}

/** … after it: `,`, `}`, `]` or a space. */
function isAfter(code: number): boolean {
  return code === COMMA || code === 0x7d || code === 0x5d || code === SPACE;
}

const SPACE = 0x20;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Strings are matched so that what stands in them is no number. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
