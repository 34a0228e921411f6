import { readGenerated } from "./generated.ts";

/**
 * R4's types and elements, from `generated/structure.json`: every resource type, datatype and inner element
 * (`Patient.contact`), with inherited elements filled in and choices (`value[x]`) expanded to their JSON names.
 */

/** One JSON member an object of a type may have. */
export interface ElementDefinition {
  /** The JSON member's name: `gender`, `valueQuantity`. */
  readonly name: string;
  /** The element's name in FHIR's definitions, when it is a choice: `value` of `valueQuantity`; otherwise undefined. */
  readonly choice: string | undefined;
  /** The type of the value (of one item of the array): `code`, `HumanName`, `Patient.contact`, `Resource`. */
  readonly type: string;
  /** Whether it is written as an array. */
  readonly many: boolean;
  /** Whether {@link ElementDefinition.type} is a primitive, which may have a sibling `_name`. */
  readonly primitive: boolean;
  /** The codes of a required binding and the value set's name, on elements of type `code` only. */
  readonly codes: BoundCodes | undefined;
  /** The concepts of a required binding, on elements of type `CodeableConcept` only. */
  readonly concepts: ConceptSet | undefined;
}

/** The codes of a value set, in the order of its definition. */
export interface BoundCodes {
  readonly name: string;
  readonly codes: readonly string[];
}

/** The concepts of a value set: codes by the system that they are of. */
export interface ConceptSet {
  readonly name: string;
  readonly codes: ReadonlyMap<string, readonly string[]>;
}

/** A resource type, datatype or inner element. */
export interface TypeDefinition {
  readonly name: string;
  /** The type it specialises; undefined for `Element` and `Resource`. */
  readonly base: string | undefined;
  /** Own and inherited elements by JSON name. */
  readonly elements: ReadonlyMap<string, ElementDefinition>;
}

/** All types of R4 but the primitives, by name. */
export type Structure = ReadonlyMap<string, TypeDefinition>;

interface Table {
  primitives: string[];
  codes: Record<string, string[]>;
  concepts: Record<string, Record<string, string[]>>;
  types: Record<string, { base?: string; elements: Record<string, string> }>;
}

/** Reads the table (about 200 kB, some 10 ms); the result is frozen knowledge, to be read once by whoever compiles it. */
export function readStructure(): Structure {
  const table = readGenerated<Table>("structure.json");
  const primitives = new Set(table.primitives);
  const codeSets = new Map(Object.entries(table.codes).map(([name, codes]) => [name, { name, codes }]));
  const conceptSets = new Map(
    Object.entries(table.concepts).map(([name, codes]) => [name, { name, codes: new Map(Object.entries(codes)) }]),
  );
  const types = new Map<string, TypeDefinition>();

  function typeOf(name: string): TypeDefinition {
    const known = types.get(name);
    if (known !== undefined) return known;
    const row = table.types[name];
    if (row === undefined) throw new TypeError(`structure.json has no type ${name}`);
    const elements = new Map(row.base === undefined ? [] : typeOf(row.base).elements);
    for (const [element, text] of Object.entries(row.elements)) {
      for (const definition of expand(element, text)) elements.set(definition.name, definition);
    }
    const type: TypeDefinition = { name, base: row.base, elements };
    types.set(name, type);
    return type;
  }

  /** `value[x]`, `Quantity|string*#set` → one definition per type. */
  function expand(element: string, text: string): ElementDefinition[] {
    const [shape = "", set] = text.split("#");
    const many = shape.endsWith("*");
    const names = (many ? shape.slice(0, -1) : shape).split("|");
    const isConcept = names[0] === "CodeableConcept";
    const codes = set === undefined || isConcept ? undefined : codeSets.get(set);
    const concepts = set === undefined || !isConcept ? undefined : conceptSets.get(set);
    if (set !== undefined && (codes ?? concepts) === undefined)
      throw new TypeError(`structure.json has no codes ${set}`);
    const choice = element.endsWith("[x]") ? element.slice(0, -3) : undefined;
    return names.map((type) => ({
      name: choice === undefined ? element : choice + type.charAt(0).toUpperCase() + type.slice(1),
      choice,
      type,
      many,
      primitive: primitives.has(type),
      codes,
      concepts,
    }));
  }

  for (const name of Object.keys(table.types)) typeOf(name);
  return types;
}
