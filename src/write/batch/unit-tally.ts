import { resourceTypeId, resourceTypeName } from "../../fhir/resource-types.ts";

/** What became of the lines of one type. */
export interface TypeCounts {
  created: number;
  updated: number;
  unchanged: number;
  /** Also counted as created or updated. */
  deleted: number;
  rejected: number;
}

/**
 * What a unit counts beside its sums: lines by resource type, and references that lead nowhere. The sums over the units of an
 * import are exact; a line that a later batch decides otherwise is corrected in the unit of that batch.
 */
export interface Tally {
  /** By type id; 0 for lines whose type is not known. */
  readonly types: Map<number, TypeCounts>;
  /** By form and target type: `conditional Practitioner`, `urn` (check/left-references.ts). */
  readonly references: Map<string, number>;
}

/** The form in which a tally is stored: by the name of the type, counts in the order of {@link TypeCounts}. */
export interface StoredTally {
  readonly types?: Readonly<Record<string, readonly number[]>>;
  readonly references?: Readonly<Record<string, number>>;
}

/** A tally of nothing. */
export function emptyTally(): Tally {
  return { types: new Map(), references: new Map() };
}

/** The counts of a type, to be raised. */
export function countsOf(tally: Tally, typeId: number): TypeCounts {
  let counts = tally.types.get(typeId);
  if (counts === undefined) {
    counts = { created: 0, updated: 0, unchanged: 0, deleted: 0, rejected: 0 };
    tally.types.set(typeId, counts);
  }
  return counts;
}

/** Adds to the references of a tally. */
export function addReferences(tally: Tally, references: ReadonlyMap<string, number>): void {
  for (const [key, count] of references) tally.references.set(key, (tally.references.get(key) ?? 0) + count);
}

/** The sum of tallies, which stay as they are. */
export function sumOf(...tallies: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const { types, references } of tallies) {
    for (const [typeId, added] of types) {
      const counts = countsOf(sum, typeId);
      for (const name of COUNTERS) counts[name] += added[name];
    }
    addReferences(sum, references);
  }
  return sum;
}

/** A tally as it is stored with its unit. */
export function storedTally({ types, references }: Tally): StoredTally {
  const named = [...types].map(([typeId, counts]): [string, number[]] => [
    typeId === 0 ? "" : resourceTypeName(typeId),
    COUNTERS.map((name) => counts[name]),
  ]);
  return { types: Object.fromEntries(named), references: Object.fromEntries(references) };
}

/** Reads what {@link storedTally} made; null for nothing. */
export function readTally(stored: StoredTally | null): Tally {
  const tally = emptyTally();
  for (const [name, values] of Object.entries(stored?.types ?? {})) {
    const counts = countsOf(tally, resourceTypeId(name) ?? 0);
    for (const [index, counter] of COUNTERS.entries()) counts[counter] += values[index] ?? 0;
  }
  addReferences(tally, new Map(Object.entries(stored?.references ?? {})));
  return tally;
}

const COUNTERS = ["created", "updated", "unchanged", "deleted", "rejected"] as const;
