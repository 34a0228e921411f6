import { LARGE_SEGMENT } from "./segments.ts";

/** A set of partitions of the search tables, one of each: those of a bulk segment, or of several that were merged. */
export interface PartitionSet {
  /** The number of the merged partitions; undefined for those of one segment. */
  readonly merged: number | undefined;
  readonly segments: readonly number[];
  /** Resources in it, by PostgreSQL's statistics. */
  readonly rows: number;
}

/** A merge makes partitions of at most so many resources: their indexes then still fit in memory. */
const MOST_ROWS = 1_250_000;
/** Fewer are not worth a merge, more are left for the next one: exchanging them takes a moment in which searches wait. */
const FEWEST_SETS = 4;
const MOST_SETS = 16;

/**
 * What to merge next; undefined when there is nothing worth it. The smallest, and as many as make one partition of full
 * size. The largest is at most half of the whole, so that a row is copied a few times only, however many small
 * imports come after it.
 */
export function chooseMerge(sets: readonly PartitionSet[]): readonly PartitionSet[] | undefined {
  const small = sets.filter(({ rows }) => rows < LARGE_SEGMENT).toSorted((a, b) => a.rows - b.rows);
  for (let count = Math.min(small.length, MOST_SETS); count >= FEWEST_SETS; count--) {
    const chosen = small.slice(0, count);
    const total = chosen.reduce((sum, { rows }) => sum + rows, 0);
    if (total <= MOST_ROWS && (chosen.at(-1)?.rows ?? 0) * 2 <= total) return chosen;
  }
  return undefined;
}
