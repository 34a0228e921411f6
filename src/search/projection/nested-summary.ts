import {
  cutsFor,
  isArrayAt,
  isObjectAt,
  itemsAt,
  membersAt,
  type JsonRange,
  type JsonMember,
} from "../../fhir/json-bytes.ts";
import type { Structure } from "../../fhir/structure.ts";
import { hasNestedRow, notInSummary } from "../../fhir/summary-elements.ts";

/** What comes whole: an extension without its value says nothing, and of a resource in a resource R4 says nothing. */
const WHOLE: ReadonlySet<string> = new Set(["Extension", "Meta", "Narrative", "Resource"]);

/**
 * Finds what does not belong to a summary within the elements of a resource (`isSummary` below the first level). An element
 * of which nothing would be left comes whole; so does what belongs to a primitive (`_birthDate`), which may say why it has no
 * value.
 */
export function openNestedSummary(
  structure: Structure,
): (bytes: Buffer, type: string, members: readonly JsonMember[]) => JsonRange[] {
  const deep = typesWithRows(structure);

  function ofMembers(bytes: Buffer, owner: string, members: readonly JsonMember[], cuts: JsonRange[]): void {
    const elements = structure.get(owner)?.elements;
    for (const { name, valueStart, end } of members) {
      const element = elements?.get(name);
      if (element === undefined || element.primitive || WHOLE.has(element.type)) continue;
      if (!deep.has(element.type) && !mayHaveMore(bytes, valueStart, end)) continue;
      if (isObjectAt(bytes, valueStart)) ofObject(bytes, element.type, valueStart, cuts);
      if (!isArrayAt(bytes, valueStart)) continue;
      for (const { start } of itemsAt(bytes, valueStart)) {
        if (isObjectAt(bytes, start)) ofObject(bytes, element.type, start, cuts);
      }
    }
  }

  function ofObject(bytes: Buffer, type: string, at: number, cuts: JsonRange[]): void {
    const members = membersAt(bytes, at);
    const isLeftOut = notInSummary(type);
    const dropped = (member: JsonMember): boolean => isLeftOut(elementOf(member));
    const kept = members.filter((member) => !dropped(member));
    if (kept.length === 0) return;
    cuts.push(...cutsFor(members, dropped));
    ofMembers(bytes, type, kept, cuts);
  }

  return (bytes, type, members) => {
    const cuts: JsonRange[] = [];
    ofMembers(bytes, type, members, cuts);
    return cuts;
  };
}

/** The name of the element that a member belongs to: `status` of `_status`. */
export function elementOf({ name }: JsonMember): string {
  return name.startsWith("_") ? name.slice(1) : name;
}

/** Whether something in the value may have an id or an extension: nearly none has. */
function mayHaveMore(bytes: Buffer, start: number, end: number): boolean {
  const value = bytes.subarray(start, end);
  return value.includes(EXTENSION) || value.includes(ID);
}

const EXTENSION = Buffer.from('"extension"');
const ID = Buffer.from('"id"');

/** Types that have something to leave out beside ids and extensions, in themselves or in what they hold. */
function typesWithRows(structure: Structure): ReadonlySet<string> {
  const found = new Set([...structure.keys()].filter((name) => hasNestedRow(name)));
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [name, { elements }] of structure) {
      if (WHOLE.has(name) || found.has(name)) continue;
      for (const { type } of elements.values()) if (!WHOLE.has(type) && found.has(type)) found.add(name);
    }
  }
  return found;
}
