/** Numbers that only look random: the same seed gives the same. */
export interface Random {
  /** At least 0, below `count`. */
  below(count: number): number;
  pick<T>(list: readonly T[]): T;
  /** Whether something that happens so often (0 to 1) happens. */
  chance(often: number): boolean;
  /** Some of a list, in its order. */
  some<T>(list: readonly T[], count: number): T[];
}

/** Opens a generator (mulberry32). */
export function openRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count: number): number => Math.floor(next() * count);
  return {
    below,
    pick: (list) => {
      if (list.length === 0) throw new Error("nothing to pick from");
      return list[below(list.length)] as (typeof list)[number];
    },
    chance: (often) => next() < often,
    some: (list, count) => {
      const left = list.map((_, index) => index);
      while (left.length > count) left.splice(below(left.length), 1);
      return list.filter((_, index) => left.includes(index));
    },
  };
}
