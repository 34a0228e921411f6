import { StokerError } from "../../base/errors.ts";
import { cutsFor, isArrayAt, isObjectAt, itemsAt, membersAt, spliced, type Splice } from "../../fhir/json-bytes.ts";
import { readStructure } from "../../fhir/structure.ts";
import { summaryElementsOf } from "../../fhir/summary-elements.ts";
import { SUBSETTED } from "../../fhir/subsetted.ts";
import { elementOf, openNestedSummary } from "./nested-summary.ts";

/**
 * Which members of a resource's JSON an answer has: `_summary`, or `_elements` with their names. `true` is about elements of all
 * levels, the others about those of the first.
 */
export type Shape = "true" | "text" | "data" | readonly string[];

/** Reads the value of `_elements`. Throws `bad-request` on what can be no element of a resource. */
export function parseElements(value: string): readonly string[] {
  const names = value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  // Paths into elements are not of R4; an answer without the rest of the element would be wrong, one with it too wide.
  if (!names.every((name) => /^[a-z][A-Za-z]{0,63}$/.test(name))) {
    throw new StokerError("bad-request", "_elements: needs names of elements of the resource, joined by commas.", {
      expression: "_elements",
    });
  }
  return names;
}

/** Throws `bad-request` when a name is an element of none of the types. */
export function checkElements(names: readonly string[], types: readonly string[]): void {
  const isElement = (name: string): boolean =>
    types.some((type) => {
      const elements = STRUCTURE.get(type)?.elements;
      return elements?.has(name) === true || [...(elements?.values() ?? [])].some(({ choice }) => choice === name);
    });
  const unknown = names.find((name) => name !== "resourceType" && !isElement(name));
  if (unknown === undefined) return;
  throw new StokerError("bad-request", `_elements: '${unknown}' is not an element of the searched types.`, {
    expression: "_elements",
  });
}

/**
 * The resource without the members that the shape leaves out, everything else byte for byte, and with the tag `SUBSETTED`
 * when something was left out. `served` is a resource with a `meta` object.
 */
export function shaped(served: Buffer, type: string, shape: Shape): Buffer {
  const keeps = keptBy(shape, type);
  const members = membersAt(served, 0);
  const cuts = cutsFor(members, (member) => !keeps(elementOf(member)));
  if (shape === "true") {
    const kept = members.filter((member) => keeps(elementOf(member)));
    cuts.push(...NESTED(served, type, kept));
  }
  if (cuts.length === 0) return served;
  const splices: Splice[] = cuts.map((cut) => ({ ...cut, by: new Uint8Array(0) }));
  const meta = members.findLast(({ name }) => name === "meta");
  if (meta !== undefined && isObjectAt(served, meta.valueStart)) splices.push(tagged(served, meta.valueStart));
  return spliced(
    served,
    splices.toSorted((a, b) => a.start - b.start),
  );
}

const TAG = JSON.stringify(SUBSETTED);

/** Members that every resource keeps. */
const ALWAYS: ReadonlySet<string> = new Set(["resourceType", "id", "meta"]);

function keptBy(shape: Shape, type: string): (name: string) => boolean {
  const { summary, mandatory } = summaryElementsOf(type);
  const kept = (name: string): boolean => ALWAYS.has(name) || mandatory.has(name);
  switch (shape) {
    case "true":
      return (name) => kept(name) || summary.has(name);
    case "text":
      return (name) => kept(name) || name === "text";
    case "data":
      return (name) => name !== "text";
    default: {
      const names = new Set(shape);
      return (name) => kept(name) || names.has(name) || names.has(choiceOf(type, name));
    }
  }
}

const STRUCTURE = readStructure();
const NESTED = openNestedSummary(STRUCTURE);

/** `value` of `valueQuantity`: the element's name in FHIR's definitions; empty for what is no choice. */
function choiceOf(type: string, name: string): string {
  return STRUCTURE.get(type)?.elements.get(name)?.choice ?? "";
}

/** The tag as the last of `meta.tag`, which is made where there is none. */
function tagged(bytes: Buffer, meta: number): Splice {
  const members = membersAt(bytes, meta);
  const tag = members.findLast(({ name }) => name === "tag");
  if (tag !== undefined && isArrayAt(bytes, tag.valueStart)) {
    const last = itemsAt(bytes, tag.valueStart).at(-1);
    if (last !== undefined) return { start: last.end, end: last.end, by: Buffer.from(`,${TAG}`) };
    return { start: tag.valueStart, end: tag.end, by: Buffer.from(`[${TAG}]`) };
  }
  const last = members.at(-1);
  if (last === undefined) return { start: meta + 1, end: meta + 1, by: Buffer.from(`"tag":[${TAG}]`) };
  return { start: last.end, end: last.end, by: Buffer.from(`,"tag":[${TAG}]`) };
}
