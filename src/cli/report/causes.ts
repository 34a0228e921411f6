/** A rejected line as an error log tells of it. */
export interface RejectedSample {
  readonly file: string;
  /** 1-based; undefined when unknown. */
  readonly line: number | undefined;
  readonly byteOffset: number | undefined;
  /** Element path, where there is one. */
  readonly element: string | undefined;
  readonly code: string;
  readonly message: string;
}

/** Rejected lines with the same cause. */
export interface Cause {
  readonly text: string;
  readonly count: number;
  /** The first of them. */
  readonly sample: RejectedSample;
}

/** Counts causes with bounded memory. */
export interface CauseCounter {
  add(sample: RejectedSample): void;
  /** The most frequent causes, and how many lines have others. */
  top(limit: number): { readonly causes: readonly Cause[]; readonly otherLines: number };
}

/** Causes that are told apart; what comes after them is counted together. */
const MOST_CAUSES = 1000;

/** Makes an empty counter. */
export function createCauseCounter(): CauseCounter {
  const causes = new Map<string, { count: number; readonly sample: RejectedSample }>();
  let others = 0;
  return {
    add(sample) {
      const text = causeOf(sample);
      const known = causes.get(text);
      if (known !== undefined) known.count += 1;
      else if (causes.size < MOST_CAUSES) causes.set(text, { count: 1, sample });
      else others += 1;
    },
    top(limit) {
      const all = [...causes].map(([text, { count, sample }]) => ({ text, count, sample }));
      const sorted = all.toSorted((a, b) => b.count - a.count);
      const rest = sorted.slice(limit).reduce((sum, cause) => sum + cause.count, others);
      return { causes: sorted.slice(0, limit), otherLines: rest };
    },
  };
}

/** The cause behind a message: ids, positions and values taken out, the element's place kept without list indexes. */
export function causeOf(sample: Pick<RejectedSample, "message" | "element">): string {
  const text = sample.message
    .replaceAll(/(resource id: )(?:'[^']*'|[^\s,]+)/g, "$1…")
    .replaceAll(
      /(element )?(["'])((?:(?!\2).){1,300})\2/g,
      (whole, element: string | undefined, quote: string, inner: string) =>
        element !== undefined || inner.length <= 1 || isName(inner) ? whole : `${quote}…${quote}`,
    )
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, "…")
    .replaceAll(
      /\b[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}(?:\/_history\/\d+)?/g,
      (reference) => `${reference.split("/")[0] ?? ""}/…`,
    )
    .replaceAll(/\[\d+\]/g, "")
    .replaceAll(/\b\d+(?= (?:characters?|bytes?)\b)/g, "n")
    .replaceAll(/\b(line|position|offset|column|version|byte)(:?)\s*-?\d+/gi, "$1$2 n")
    .replaceAll(/(?<![\w.'"-])-?\d+(?:\.\d+)?(?![\w'"])/g, (number) => (Number(number) >= 1000 ? "n" : number))
    .replaceAll(/\s+/g, " ")
    .trim();
  const element = sample.element?.replaceAll(/\[\d+\]/g, "");
  return element === undefined || text.includes(element) ? text : `${element}: ${text}`;
}

/** Names of elements, types and code lists stay: they are what the cause is about. */
function isName(text: string): boolean {
  return /^[A-Z][A-Za-z]*(?:\.[a-zA-Z]+)+$|^[A-Z][a-z]+(?:[A-Z][a-z]+)*$/.test(text);
}
