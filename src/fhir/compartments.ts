import { readGenerated } from "./generated.ts";

/**
 * R4's compartments, from `generated/compartments.json`: by the type of the resource a compartment is about, the types
 * that can be in it, and by what.
 */
const COMPARTMENTS: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>> = new Map(
  Object.entries(readGenerated<Record<string, Record<string, string[]>>>("compartments.json")).map(
    ([type, members]) => [type, new Map(Object.entries(members))],
  ),
);

/**
 * The types that can be in the compartment of a resource of this type, each with the search parameters of which one puts a
 * resource there: reference parameters, and `_id` where it is the compartment's own resource. Undefined when R4 has no
 * such compartment.
 */
export function compartmentOf(type: string): ReadonlyMap<string, readonly string[]> | undefined {
  return COMPARTMENTS.get(type);
}

/** The types that have compartments. */
export function compartmentTypes(): readonly string[] {
  return [...COMPARTMENTS.keys()];
}
