/**
 * The number literals of a line of JSON, by the double that each becomes; where two literals become the same double
 * the first counts. For numbers whose digits a double cannot hold: asked for once in a while, so it scans the line then.
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

/** The `literalOf` of an indexer for one line, which is scanned when the first number is asked for. */
export function literalsOfLine(line: () => string): (value: number) => string | undefined {
  let literals: Map<number, string> | undefined;
  return (value) => (literals ??= numberLiterals(line())).get(value);
}

/** Strings are matched so that what stands in them is no number. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
