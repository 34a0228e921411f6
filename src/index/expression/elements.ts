import type { CodesBySystem } from "../../fhir/extraction-tree.ts";
import { readGenerated } from "../../fhir/generated.ts";
import { readStructure, type Structure } from "../../fhir/structure.ts";

/** One type that an element can have. */
export interface ElementType {
  /** FHIR type: `CodeableConcept`, `Patient.contact`. */
  type: string;
  /** Where the children are defined: the type, or the path of an element with children of its own. */
  owner: string;
  /** Resource types that a reference or canonical may point to; empty: any. */
  targets: readonly string[];
  /** Code system that the required binding of a `code` implies. */
  system?: string;
  /** The same where these are several. */
  systems?: CodesBySystem;
}

/** What a step of a path leads to. */
export interface PathElement {
  types: readonly ElementType[];
  many: boolean;
  /** `value[x]`: the JSON members are named after the types. */
  choice: boolean;
}

/** The elements of R4's types. */
export interface Elements {
  /** The element `name` of a type or of an element with children; undefined when there is none. */
  element(owner: string, name: string): PathElement | undefined;
  /** Whether a type is another or derived from it: a canonical is a uri. */
  isA(type: string, wanted: string): boolean;
}

/** `generated/element-facts.json`: by path, what `structure.json` does not say. */
type Facts = Readonly<
  Record<string, { targets?: Readonly<Record<string, readonly string[]>>; system?: string; systems?: CodesBySystem }>
>;

/** Reads the elements (some 20 ms, and 2 MB as long as they are kept). */
export function readElements(): Elements {
  const structure = readStructure();
  const facts = readGenerated<Facts>("element-facts.json");
  const known = new Map<string, PathElement>();
  return {
    element(owner, name) {
      const path = `${owner}.${name}`;
      // Names that are no elements are not kept: there is no end of them.
      const element = known.get(path) ?? elementOf(owner, name);
      if (element !== undefined) known.set(path, element);
      return element;
    },
    isA: (type, wanted) => isDerived(structure, type, wanted),
  };

  function elementOf(owner: string, name: string): PathElement | undefined {
    const elements = [...(structure.get(owner)?.elements.values() ?? [])];
    const found = elements.filter(({ name: own, choice }) => (choice ?? own) === name);
    const [first] = found;
    if (first === undefined) return undefined;
    const fact = facts[`${owner}.${name}`];
    const types = found.map(({ type }): ElementType => {
      const { system, systems } = type === "code" && fact !== undefined ? fact : NO_SYSTEMS;
      return {
        type,
        owner: type,
        targets: fact?.targets?.[type] ?? [],
        ...(system !== undefined && { system }),
        ...(systems !== undefined && { systems }),
      };
    });
    return { types, many: first.many, choice: first.choice !== undefined };
  }
}

const NO_SYSTEMS: { system?: string; systems?: CodesBySystem } = {};

/** Primitives that specialise another one; `structure.json` has no rows for primitives. */
const PRIMITIVE_BASES: Readonly<Record<string, string>> = {
  canonical: "uri",
  oid: "uri",
  url: "uri",
  uuid: "uri",
  code: "string",
  id: "string",
  markdown: "string",
  positiveInt: "integer",
  unsignedInt: "integer",
};

function isDerived(structure: Structure, type: string, wanted: string): boolean {
  for (let at: string | undefined = type; at !== undefined; at = structure.get(at)?.base ?? PRIMITIVE_BASES[at]) {
    if (at === wanted) return true;
  }
  return false;
}
