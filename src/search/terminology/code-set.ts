import { tooCostly } from "../too-costly.ts";

/** Codes by their system, and systems of which every code is meant. A system is in one of them only. */
export interface CodeSet {
  readonly systems: ReadonlySet<string>;
  readonly codes: ReadonlyMap<string, ReadonlySet<string>>;
}

export const EMPTY: CodeSet = { systems: new Set(), codes: new Map() };

/** As many codes as one search may list. */
export const MAX_CODES = 10_000;

/** These codes of a system. Throws `too-costly` when they are too many. */
export function codesOf(system: string, codes: Iterable<string>): CodeSet {
  return bounded({ systems: new Set(), codes: new Map([[system, new Set(codes)]]) });
}

/** Every code of a system. */
export function wholeSystem(system: string): CodeSet {
  return { systems: new Set([system]), codes: new Map() };
}

/** What is in either. Throws `too-costly` when that is too much. */
export function union(a: CodeSet, b: CodeSet): CodeSet {
  const systems = new Set([...a.systems, ...b.systems]);
  const codes = new Map<string, Set<string>>();
  for (const [system, members] of [...a.codes, ...b.codes]) {
    if (systems.has(system)) continue;
    const known = codes.get(system);
    if (known === undefined) codes.set(system, new Set(members));
    else for (const code of members) known.add(code);
  }
  return bounded({ systems, codes });
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
  let count = 0;
  for (const members of set.codes.values()) count += members.size;
  if (count > MAX_CODES) throw tooCostly(`a value set or hierarchy has more than ${MAX_CODES} codes`);
  return set;
}
