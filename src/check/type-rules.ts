import type { ElementDefinition, Structure, TypeDefinition } from "../fhir/structure.ts";
import { conceptCheck } from "./concept-check.ts";
import { referenceCheck } from "./left-references.ts";
import { primitiveCheck } from "./primitive-rules.ts";
import { type ValueCheck } from "./walk.ts";

/** What one JSON member of a type must be. One object shape for all, so that the hot loop stays monomorphic. */
export interface MemberRule {
  readonly many: boolean;
  readonly check: ValueCheck;
  /** One bit per choice of the type, 0 for members of no choice: tells cheaply that a choice occurs twice. */
  readonly choiceBit: number;
  /** The choice the member belongs to, when it does. */
  readonly choice: Choice | undefined;
}

/** A `value[x]`. */
export interface Choice {
  readonly name: string;
  /** Its members: `valueQuantity`, `valueString` … */
  readonly members: readonly string[];
}

/** Rules by JSON member name, siblings (`_birthDate`) included. */
export type TypeRules = Map<string, MemberRule>;

/** Makes the check of one object of a type, from the (later filled) rules of that type. */
export type ObjectCheckMaker = (rules: TypeRules) => ValueCheck;

/**
 * Compiles the structure table to rules, one map of closures per type.
 * `objectCheck` and `resourceCheck` are the walking parts, handed in because they need the rules in their turn.
 */
export function compileTypes(
  structure: Structure,
  objectCheck: ObjectCheckMaker,
  resourceCheck: ValueCheck,
): ReadonlyMap<string, TypeRules> {
  const compiled = new Map<string, TypeRules>();
  for (const name of structure.keys()) compiled.set(name, new Map());
  const rulesOf = (name: string): TypeRules => {
    const rules = compiled.get(name);
    if (rules === undefined) throw new TypeError(`unknown type ${name}`);
    return rules;
  };
  const siblingCheck = objectCheck(rulesOf("Element"));
  const onlyId: TypeRules = new Map();
  for (const type of structure.values()) {
    const rules = rulesOf(type.name);
    const choices = choicesOf(type);
    for (const element of type.elements.values()) {
      const choice = choices.find(({ name }) => name === element.choice);
      const choiceBit = choice === undefined ? 0 : 1 << choices.indexOf(choice);
      const rule: MemberRule = { many: element.many, choiceBit, choice, check: checkOf(type, element) };
      rules.set(element.name, rule);
      if (hasSibling(type, element)) rules.set(`_${element.name}`, { ...rule, check: siblingCheck });
      // Markup has no extensions, but an id (R4 StructureDefinition/xhtml).
      if (element.type === "xhtml") rules.set(`_${element.name}`, { ...rule, check: objectCheck(onlyId) });
    }
  }
  const id = rulesOf("Element").get("id");
  if (id !== undefined) onlyId.set("id", id);
  return compiled;

  function checkOf(type: TypeDefinition, element: ElementDefinition): ValueCheck {
    if (element.primitive) return primitiveCheck(type.name, element, isResource(type));
    if (element.type === "Resource") return resourceCheck;
    const check = objectCheck(rulesOf(element.type));
    if (element.type === "Reference") return referenceCheck(check);
    return element.concepts === undefined ? check : conceptCheck(element.concepts, check);
  }
}

/** `Element.id`, `Extension.url` and xhtml are attributes or markup, not primitives with extensions. */
function hasSibling(type: TypeDefinition, element: ElementDefinition): boolean {
  if (!element.primitive || element.type === "xhtml") return false;
  if (element.name === "id") return isResource(type);
  return !(type.name === "Extension" && element.name === "url");
}

function isResource(type: TypeDefinition): boolean {
  return type.elements.has("meta") && type.elements.has("implicitRules");
}

function choicesOf(type: TypeDefinition): Choice[] {
  const choices = new Map<string, string[]>();
  for (const { name, choice } of type.elements.values()) {
    if (choice !== undefined) choices.set(choice, [...(choices.get(choice) ?? []), name]);
  }
  if (choices.size > 31) throw new RangeError(`${type.name} has more choices than a number has bits`);
  return [...choices].map(([name, members]) => ({ name, members }));
}
