/** The middle value (the mean of the two middle ones when their number is even); NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) return Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The least value that at least `share` (0 to 1) of the values do not exceed (nearest rank); NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The element whose number is nearest to the median of all: the typical run, with everything measured in it. */
export function typical<T>(items: readonly T[], numberOf: (item: T) => number): T | undefined {
  const middle = median(items.map(numberOf));
  return items.toSorted((a, b) => Math.abs(numberOf(a) - middle) - Math.abs(numberOf(b) - middle))[0];
}
