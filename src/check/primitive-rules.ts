import type { JsonValue } from "../base/json.ts";
import { NUMBER_TESTS, PRIMITIVE_FORMATS, STRING_TESTS, type PrimitiveTest } from "../fhir/primitives.ts";
import type { CodeSet, ElementDefinition } from "../fhir/structure.ts";
import { quoted } from "./issue.ts";
import { report, reportType, type Walk } from "./walk.ts";

/** Checks one value (never null) at level `depth`; returns whether the check goes on. */
export type ValueCheck = (value: JsonValue, walk: Walk, depth: number) => boolean;

/** The check of one value of a primitive element, specialised for its type and its codes. */
export function primitiveCheck(owner: string, element: ElementDefinition): ValueCheck {
  if (owner === "Reference" && element.name === "reference") return checkReference;
  if (owner === "Meta" && element.name === "versionId") return checkVersionId;
  if (element.codes !== undefined) return codeCheck(element.codes);
  const { type } = element;
  if (type === "boolean") return checkBoolean;
  if (NUMBER_TESTS.has(type)) return numberCheck(type, NUMBER_TESTS.get(type));
  if (!STRING_TESTS.has(type)) throw new TypeError(`no check for the primitive ${type}`);
  const test = STRING_TESTS.get(type);
  return test === undefined ? checkString : stringCheck(type, test);
}

function checkString(value: JsonValue, walk: Walk, depth: number): boolean {
  return typeof value === "string" || reportType(walk, depth, "a string", value);
}

/** An empty string passes: it counts as absent (contract C-015). */
function stringCheck(type: string, test: PrimitiveTest<string>): ValueCheck {
  return (value, walk, depth) => {
    if (typeof value !== "string") return reportType(walk, depth, "a string", value);
    return test(value) || value === "" || reportFormat(walk, depth, type, quoted(value));
  };
}

function numberCheck(type: string, test: PrimitiveTest<number> | undefined): ValueCheck {
  return (value, walk, depth) => {
    if (typeof value !== "number") return reportType(walk, depth, "a number", value);
    return test === undefined || test(value) || reportFormat(walk, depth, type, String(value));
  };
}

function checkBoolean(value: JsonValue, walk: Walk, depth: number): boolean {
  return typeof value === "boolean" || reportType(walk, depth, "true or false", value);
}

function codeCheck(set: CodeSet): ValueCheck {
  const codes = new Set(set.codes);
  return (value, walk, depth) => {
    if (typeof value !== "string") return reportType(walk, depth, "a string", value);
    if (codes.has(value) || value === "") return true;
    const shown = set.codes.slice(0, 8).join(", ") + (set.codes.length > 8 ? ", …" : "");
    const text = `code ${quoted(value)} is not in the required value set ${set.name} (${shown}).`;
    return report(walk, depth, "code-invalid", text);
  };
}

/** Remembers conditional references, so that InitialLoad can refuse them without another walk (contract 5.3). */
function checkReference(value: JsonValue, walk: Walk, depth: number): boolean {
  if (typeof value !== "string") return reportType(walk, depth, "a string", value);
  if (value.includes("?")) walk.conditionalReference = true;
  return true;
}

/** A number is accepted (contract C-016), and any text: what is no version counts as none (C-047). */
function checkVersionId(value: JsonValue, walk: Walk, depth: number): boolean {
  return typeof value === "string" || typeof value === "number" || reportType(walk, depth, "a string", value);
}

function reportFormat(walk: Walk, depth: number, type: string, shown: string): boolean {
  return report(walk, depth, "value", `${shown} is not a valid ${type}: expected ${PRIMITIVE_FORMATS.get(type)}.`);
}
