import { causeOf } from "../../import/report/cause-of.ts";

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
      const text = causeOf(sample.message, sample.element);
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
