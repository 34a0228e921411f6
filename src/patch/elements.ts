import { readStructure, type ElementDefinition, type Structure, type TypeDefinition } from "../fhir/structure.ts";
import { unprocessable } from "./failure.ts";
import type { PatchValue } from "./fhirpath-operations.ts";

/** R4's types, for finding how an element is written in JSON. */
export const STRUCTURE: Structure = readStructure();

/** The definition of a type; of what lies in a primitive (its `_name`), that of `Element`. */
export function typeNamed(name: string): TypeDefinition {
  const type = STRUCTURE.get(name);
  if (type === undefined) throw unprocessable(`'${name.slice(0, 64)}' is not a type of FHIR R4.`);
  return type;
}

/**
 * An element's definition by its name in FHIR (`value`, `birthDate`) or in JSON (`valueQuantity`), for a new value: it chooses
 * among the types of a choice. Throws `unprocessable` when the type has no such element, or not for such a value.
 */
export function elementFor(type: TypeDefinition, name: string, value: PatchValue): ElementDefinition {
  const own = type.elements.get(name);
  const found = own ?? (value.kind === "value" ? type.elements.get(name + value.type) : undefined);
  if (found === undefined || (own === undefined && found.choice !== name)) {
    const isChoice = [...type.elements.values()].some(({ choice }) => choice === name);
    const text = isChoice
      ? `${type.name}.${name}[x] does not allow such a value.`
      : `${type.name} has no element '${name.slice(0, 64)}'.`;
    throw unprocessable(text, { issue: "structure" });
  }
  if (!takes(found, value)) {
    const given = value.kind === "value" ? `value${value.type}` : value.kind === "parts" ? "list of parts" : "resource";
    throw unprocessable(`${type.name}.${found.name} is a ${found.type}, and takes no ${given}.`, {
      issue: "structure",
    });
  }
  return found;
}

/**
 * Whether the type of a value fits an element: complex types by their name, or one the other's base (an `Age` for a `Quantity`).
 * Of primitives any goes that is written alike; the check of the whole resource has the rest.
 */
function takes(element: ElementDefinition, value: PatchValue): boolean {
  if (value.kind === "resource") return element.type === "Resource";
  if (value.kind === "parts") return !element.primitive && element.type !== "Resource";
  const isComplex = STRUCTURE.has(value.type);
  if (element.primitive)
    return !isComplex && (element.choice === undefined || element.name === element.choice + value.type);
  return isComplex && (isKindOf(value.type, element.type) || isKindOf(element.type, value.type));
}

function isKindOf(type: string, base: string): boolean {
  for (let name: string | undefined = type; name !== undefined; name = STRUCTURE.get(name)?.base) {
    if (name === base) return true;
  }
  return false;
}
