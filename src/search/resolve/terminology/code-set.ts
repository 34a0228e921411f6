import type { StokerError } from "../../../base/errors.ts";
import { tooCostly } from "../../cost/too-costly.ts";

/** Codes by their system, and systems of which every code is meant. A system is in one of them only. */
export interface CodeSet {
  readonly systems: ReadonlySet<string>;
  readonly codes: ReadonlyMap<string, ReadonlySet<string>>;
}

/** As many codes and whole systems as one search may list. */
export const MAX_CODES = 10_000;

/** These codes of a system. Throws `too-costly` when they are too many. */
export function codesOf(system: string, codes: Iterable<string>): CodeSet {
  return bounded({ systems: new Set(), codes: new Map([[system, new Set(codes)]]) });
}

/** Every code of a system. */
export function wholeSystem(system: string): CodeSet {
  return { systems: new Set([system]), codes: new Map() };
}

/** What is in any of several sets, which are added one after another. */
export interface Union {
  readonly set: CodeSet;
  /** Takes as long as the added set is large. Throws `too-costly` when there is too much. */
  add(set: CodeSet): void;
}

/** A union of nothing so far; `limit` is how many codes and whole systems it may have. */
export function createUnion(limit: number = MAX_CODES): Union {
  const systems = new Set<string>();
  const codes = new Map<string, Set<string>>();
  let count = 0;
  const check = (): void => {
    if (count + systems.size > limit) throw tooMany(limit);
  };
  return {
    set: { systems, codes },
    add(set) {
      for (const system of set.systems) {
        count -= codes.get(system)?.size ?? 0;
        codes.delete(system);
        systems.add(system);
        check();
      }
      for (const [system, members] of set.codes) {
        if (systems.has(system)) continue;
        let known = codes.get(system);
        if (known === undefined) codes.set(system, (known = new Set()));
        const before = known.size;
        for (const code of members) known.add(code);
        count += known.size - before;
        check();
      }
    },
  };
}

/** How many codes and systems a set names. */
export function sizeOf({ systems, codes }: CodeSet): number {
  let count = systems.size;
  for (const members of codes.values()) count += members.size;
  return count;
}

/** What is in both. */
export function intersection(a: CodeSet, b: CodeSet): CodeSet {
  const systems = new Set([...a.systems].filter((system) => b.systems.has(system)));
  const codes = new Map<string, ReadonlySet<string>>();
  for (const [system, members] of a.codes) {
    const others = b.codes.get(system);
    if (b.systems.has(system)) codes.set(system, members);
    else if (others !== undefined) codes.set(system, new Set([...members].filter((code) => others.has(code))));
  }
  for (const [system, members] of b.codes) if (a.systems.has(system)) codes.set(system, members);
  return { systems, codes };
}

/**
 * What is in the first and not in the second. `enumerate` lists the codes of a system of which all but some are meant; it
 * throws where they are not known.
 */
export async function difference(
  a: CodeSet,
  b: CodeSet,
  enumerate: (system: string) => Promise<Iterable<string>>,
): Promise<CodeSet> {
  const systems = new Set<string>();
  const codes = new Map<string, ReadonlySet<string>>();
  const without = (system: string, members: Iterable<string>): void => {
    const excluded = b.codes.get(system);
    codes.set(system, new Set([...members].filter((code) => excluded?.has(code) !== true)));
  };
  for (const system of a.systems) {
    if (b.systems.has(system)) continue;
    if ((b.codes.get(system)?.size ?? 0) === 0) systems.add(system);
    else without(system, await enumerate(system));
  }
  for (const [system, members] of a.codes) if (!b.systems.has(system)) without(system, members);
  return bounded({ systems, codes });
}

function bounded(set: CodeSet): CodeSet {
  if (sizeOf(set) > MAX_CODES) throw tooMany(MAX_CODES);
  return set;
}

function tooMany(limit: number): StokerError {
  return tooCostly(`a value set or hierarchy has more than ${limit} codes`);
}
