import { readFileSync } from "node:fs";

/** A search parameter as HL7 defines it; what the table says beyond that is not looked at. */
export interface Definition {
  readonly code: string;
  readonly type: string;
  readonly base: readonly string[];
  readonly target: readonly string[];
  readonly expression: string;
  readonly components: readonly Omit<Definition, "code" | "base" | "components">[];
}

interface Structure {
  readonly codes: Readonly<Record<string, readonly string[]>>;
  readonly concepts: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly types: Readonly<Record<string, { base?: string; elements: Readonly<Record<string, string>> }>>;
}

/** One type that an element may have, as the structure table writes it: `Type*#codes`. */
export interface ElementType {
  readonly type: string;
  readonly many: boolean;
  /** The codes of a required binding. */
  readonly codes: readonly string[] | undefined;
  /** The same of a CodeableConcept, by code system. */
  readonly concepts: Readonly<Record<string, readonly string[]>> | undefined;
}

function table<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../generated/${name}.json`, import.meta.url), "utf8")) as T;
}

const STRUCTURE: Structure = table("structure");
interface Facts {
  readonly targets?: { Reference?: readonly string[] };
  readonly system?: string;
  readonly systems?: Readonly<Record<string, readonly string[]>>;
}

const FACTS: Readonly<Record<string, Facts>> = table("element-facts");

/** R4's resource types. */
export const TYPES: readonly string[] = table("resource-types");

/** By compartment and type, the parameters that put a resource there. */
export const COMPARTMENTS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> =
  table("compartments");

const DEFINITIONS: readonly Definition[] = table("search-parameters");

/** Not this oracle's subject. */
const OUT_OF_SCOPE: ReadonlySet<string> = new Set(["_text", "_content", "_query", "_filter", "near"]);

/** The search parameters of a type, those of all types included. */
export function definitionsOf(type: string): readonly Definition[] {
  return DEFINITIONS.filter(
    ({ base, code }) => (base.includes(type) || base.includes("Resource")) && !OUT_OF_SCOPE.has(code),
  );
}

/**
 * What a component of a composite selects from the resource itself. HL7's definitions of some composites and of their
 * components differ: `value-string` also reads the text of a CodeableConcept, `value-quantity` SampledData, and
 * `code-value-…` does not. The composite is taken for what its components are.
 */
export function fromResource(type: string, expression: string): string {
  const parameter = WIDER[expression];
  return (parameter === undefined ? undefined : definitionOf(type, parameter)?.expression) ?? expression;
}

const WIDER: Readonly<Record<string, string>> = {
  "value.as(string)": "value-string",
  "value.as(Quantity)": "value-quantity",
};

/** The parameter of this name. */
export function definitionOf(type: string, code: string): Definition | undefined {
  return definitionsOf(type).find((definition) => definition.code === code);
}

/** The elements of a type or inner element, inherited ones included, by name (`value[x]` stays one). */
export function elementsOf(path: string): Readonly<Record<string, readonly ElementType[]>> {
  const { base, elements } = STRUCTURE.types[path] ?? { elements: {} };
  const own = Object.entries(elements).map(([name, written]) => [name, written.split("|").map(readType)] as const);
  return { ...(base === undefined ? {} : elementsOf(base)), ...Object.fromEntries(own) };
}

function readType(written: string): ElementType {
  const [, type = "", many, codes] = /^([\w.]+)(\*)?(?:#(.*))?$/.exec(written) ?? [];
  const isCode = type === "code";
  return {
    type,
    many: many !== undefined,
    codes: codes === undefined || !isCode ? undefined : STRUCTURE.codes[codes],
    concepts: codes === undefined || isCode ? undefined : STRUCTURE.concepts[codes],
  };
}

/** Where a path such as `Patient.contact[0].gender` is defined: `Patient.contact.gender`, `Identifier.assigner`. */
function definedAt(path: string): string {
  const [first = "", ...names] = path.replaceAll(/\[\d+\]/g, "").split(".");
  let owner = first;
  let at = first;
  for (const name of names) {
    const elements = elementsOf(owner);
    const element = name in elements ? name : `${name}[x]`;
    at = `${ownerOf(owner, element)}.${element}`;
    const [only, ...others] = elements[element] ?? [];
    owner = only === undefined || others.length > 0 ? at : only.type;
  }
  return at;
}

/** The type that defines an inherited element: `Age` has its `value` from `Quantity`. */
function ownerOf(path: string, name: string): string {
  const { base, elements } = STRUCTURE.types[path] ?? { elements: {} };
  return base === undefined || name in elements ? path : ownerOf(base, name);
}

/** The types that the reference at a path may point to; undefined: any. */
export function targetsAt(path: string): readonly string[] | undefined {
  const targets = FACTS[definedAt(path)]?.targets?.Reference ?? [];
  return targets.length === 0 || targets.includes("Resource") ? undefined : targets;
}

/** The code systems that a code at a path is of. */
export function systemsAt(path: string, code: string): readonly string[] {
  const { system, systems = {} } = FACTS[definedAt(path)] ?? {};
  if (system !== undefined) return [system];
  return Object.keys(systems).filter((name) => systems[name]?.includes(code));
}
