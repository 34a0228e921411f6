import { readGenerated } from "./generated.ts";

/** The concrete resource types of R4 in alphabetical order; a type's id is its place in this list, from 1. */
export const RESOURCE_TYPES: readonly string[] = readGenerated<string[]>("resource-types.json");

const ID_OF: ReadonlyMap<string, number> = new Map(RESOURCE_TYPES.map((type, index) => [type, index + 1]));

/** The id of a resource type (1 to 255, the same for ever), undefined when R4 has no such concrete type. */
export function resourceTypeId(type: string): number | undefined {
  return ID_OF.get(type);
}

/** The name of a resource type by its id. Throws on an id that no type has. */
export function resourceTypeName(id: number): string {
  const name = RESOURCE_TYPES[id - 1];
  if (name === undefined) throw new RangeError(`no resource type has id ${id}`);
  return name;
}
