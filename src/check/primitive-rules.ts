import type { ValueCheck } from "./walk.ts";
import type { JsonValue } from "../base/json.ts";
import { isId, NUMBER_TESTS, PRIMITIVE_FORMATS, STRING_TESTS, type PrimitiveTest } from "../fhir/primitives.ts";
import type { BoundCodes, ElementDefinition } from "../fhir/structure.ts";
import { unusualLiteral } from "./integer-forms.ts";
import { quoted } from "./issue.ts";
import { mayLeadNowhere } from "./left-references.ts";
import { report, reportType, type Walk } from "./walk.ts";
import { xhtmlProblem } from "./xhtml.ts";

/**
 * The check of one value of a primitive element of the type `owner` (`isResource`: a resource type), specialised for its type
 * and its codes.
 */
export function primitiveCheck(owner: string, element: ElementDefinition, isResource: boolean): ValueCheck {
  if (element.name === "id" && isResource) return checkResourceId;
  if (owner === "Reference" && element.name === "reference") return checkReference;
  if (owner === "Meta" && element.name === "versionId") return checkVersionId;
  if (element.codes !== undefined) return codeCheck(element.codes);
  const { type } = element;
  if (type === "xhtml") return checkXhtml;
  if (type === "boolean") return checkBoolean;
  if (type === "decimal") return checkDecimal;
  const numberTest = NUMBER_TESTS.get(type);
  if (numberTest !== undefined) return integerCheck(type, element.name, numberTest);
  if (!STRING_TESTS.has(type)) throw new TypeError(`no check for the primitive ${type}`);
  const test = STRING_TESTS.get(type);
  return test === undefined ? checkText : stringCheck(type, test);
}

/**
 * The id of a resource in another one: contained, in a Bundle or in Parameters. That of the resource itself has rules and a
 * text of its own (contract 5.2).
 */
function checkResourceId(value: JsonValue, walk: Walk, depth: number): boolean {
  if (typeof value !== "string") return reportType(walk, depth, "a string", value);
  return depth === 0 || value === "" || isId(value) || reportFormat(walk, depth, "id", quoted(value));
}

/**
 * Characters of a `string` and a `markdown` (http://hl7.org/fhir/R4/datatypes.html#string: "strings SHALL NOT exceed 1MB in size").
 * A text is compared in several forms, of which some are up to 18 times as long.
 */
const LONGEST_TEXT = 1_048_576;

function checkText(value: JsonValue, walk: Walk, depth: number): boolean {
  if (typeof value !== "string") return reportType(walk, depth, "a string", value);
  if (value.length <= LONGEST_TEXT) return true;
  return report(walk, depth, "too-long", `a text of ${value.length} characters; ${LONGEST_TEXT} are allowed.`);
}

function checkXhtml(value: JsonValue, walk: Walk, depth: number): boolean {
  if (typeof value !== "string") return reportType(walk, depth, "a string", value);
  const problem = value === "" ? undefined : xhtmlProblem(value);
  return problem === undefined || report(walk, depth, "structure", `the narrative ${problem}.`);
}

/** Characters of `Reference.reference`. */
const LONGEST_REFERENCE = 8192;

/**
 * Characters of what names something: far more than any name needs, and few enough that what is made of it (values for search,
 * texts of messages) stays small. Inline data in an Attachment's url is no name.
 */
const LONGEST_NAMES: ReadonlyMap<string, number> = new Map([
  ["code", 1000],
  ["id", 1000],
  ["oid", 1000],
  ["uuid", 1000],
  ["date", 100],
  ["dateTime", 100],
  ["instant", 100],
  ["time", 100],
  ["uri", 8192],
  ["url", 8192],
  ["canonical", 8192],
]);

function reportLength(walk: Walk, depth: number, type: string, value: string, most: number): boolean {
  return report(walk, depth, "too-long", `a ${type} of ${value.length} characters; ${most} are allowed.`);
}

/** An empty string passes: it counts as absent (contract C-015). */
function stringCheck(type: string, test: PrimitiveTest<string>): ValueCheck {
  const most = LONGEST_NAMES.get(type) ?? Infinity;
  return (value, walk, depth) => {
    if (typeof value !== "string") return reportType(walk, depth, "a string", value);
    if (value.length > most && !(type === "url" && value.startsWith("data:"))) {
      return reportLength(walk, depth, type, value, most);
    }
    return test(value) || value === "" || reportFormat(walk, depth, type, quoted(value));
  };
}

/** Any JSON number. */
function checkDecimal(value: JsonValue, walk: Walk, depth: number): boolean {
  return typeof value === "number" || reportType(walk, depth, "a number", value);
}

function integerCheck(type: string, name: string, test: PrimitiveTest<number>): ValueCheck {
  const quotedName = JSON.stringify(name);
  return (value, walk, depth) => {
    if (typeof value !== "number") return reportType(walk, depth, "a number", value);
    if (!test(value)) return reportFormat(walk, depth, type, Object.is(value, -0) ? "-0" : String(value));
    const literal = unusualLiteral(walk, depth, quotedName, value);
    return literal === undefined || reportFormat(walk, depth, type, literal.slice(0, 40));
  };
}

function checkBoolean(value: JsonValue, walk: Walk, depth: number): boolean {
  return typeof value === "boolean" || reportType(walk, depth, "true or false", value);
}

function codeCheck(set: BoundCodes): ValueCheck {
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
  if (value.length > LONGEST_REFERENCE) {
    return reportLength(walk, depth, "reference", value, LONGEST_REFERENCE);
  }
  if (mayLeadNowhere(value)) {
    walk.mayLeadNowhere = true;
    if (value.includes("?")) walk.conditionalReference = true;
  }
  return true;
}

/**
 * On the line itself a JSON integer is accepted, too (contract C-016): a version that is no 32-bit integer counts as none
 * there (C-047). In nested resources it is an id like others.
 */
function checkVersionId(value: JsonValue, walk: Walk, depth: number): boolean {
  if (typeof value === "string") return isId(value) || value === "" || reportFormat(walk, depth, "id", quoted(value));
  if (typeof value !== "number" || depth !== META_DEPTH) return reportType(walk, depth, "a string", value);
  const literal = unusualLiteral(walk, depth, '"versionId"', value);
  if (Number.isInteger(value) && literal === undefined) return true;
  const text = `${(literal ?? String(value)).slice(0, 40)} is not a version: expected a string or a whole number.`;
  return report(walk, depth, "value", text);
}

/** Level of the members of the resource's own `meta`. */
const META_DEPTH = 1;

function reportFormat(walk: Walk, depth: number, type: string, shown: string): boolean {
  return report(walk, depth, "value", `${shown} is not a valid ${type}: expected ${PRIMITIVE_FORMATS.get(type)}.`);
}
