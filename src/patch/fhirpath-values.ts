import type { TypeDefinition } from "../fhir/structure.ts";
import { elementFor, typeNamed } from "./elements.ts";
import { unprocessable } from "./failure.ts";
import type { PatchValue } from "./fhirpath-operations.ts";

/** How a value is written in JSON: as a member, and for a primitive also as its sibling `_name`. */
export interface WrittenValue {
  value: Buffer | undefined;
  sibling: Buffer | undefined;
}

/** The JSON of a value for an element of the type `type` (not its list, where it has one). */
export function writtenValue(value: PatchValue, type: string): WrittenValue {
  if (value.kind === "value") return { value: value.value, sibling: value.sibling };
  if (value.kind === "resource") return { value: value.value, sibling: undefined };
  return { value: objectOf(value.parts, typeNamed(type)), sibling: undefined };
}

type Parts = Extract<PatchValue, { kind: "parts" }>["parts"];

interface WrittenMember {
  many: boolean;
  values: WrittenValue[];
}

/** The object of a list of parts: those of the same name become an array where the element repeats. */
function objectOf(parts: Parts, type: TypeDefinition): Buffer {
  const members = new Map<string, WrittenMember>();
  for (const part of parts) {
    const element = elementFor(type, part.name, part.value);
    const value = writtenValue(part.value, element.type);
    const member = members.get(element.name);
    if (member === undefined) members.set(element.name, { many: element.many, values: [value] });
    else if (member.many) member.values.push(value);
    else throw unprocessable(`${type.name}.${element.name} occurs twice.`, { issue: "structure" });
  }
  const pieces: Buffer[] = [];
  const add = (name: string, { many, values }: WrittenMember, of: "value" | "sibling"): void => {
    if (values.every((value) => value[of] === undefined)) return;
    pieces.push(Buffer.from(`${pieces.length === 0 ? "{" : ","}${JSON.stringify(name)}:${many ? "[" : ""}`));
    for (const [index, value] of values.entries()) {
      if (index > 0) pieces.push(Buffer.from(","));
      pieces.push(value[of] ?? Buffer.from("null"));
    }
    if (many) pieces.push(Buffer.from("]"));
  };
  for (const [name, member] of members) {
    add(name, member, "value");
    add(`_${name}`, member, "sibling");
  }
  if (pieces.length === 0) throw unprocessable("the value is empty.");
  return Buffer.concat([...pieces, Buffer.from("}")]);
}
