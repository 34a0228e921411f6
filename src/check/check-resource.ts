import type { JsonObject, JsonValue } from "../base/json.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { readStructure } from "../fhir/structure.ts";
import { maskedText } from "./integer-forms.ts";
import { lineIssue, quoted, type LineIssue } from "./issue.ts";
import { compileTypes, type MemberRule, type TypeRules } from "./type-rules.ts";
import type { ValueCheck } from "./walk.ts";
import { DEEP, jsonTypeOf, MAX_DEPTH, report, reportType, reportUnknown, startWalk, type Walk } from "./walk.ts";

/** What the structural check learns on its way. */
export interface ResourceFacts {
  /** The resource type's id; 0 when the value is no resource of a known type. */
  typeId: number;
  /** Whether any `Reference.reference`, contained resources included, has a `?` in it (contract 5.3). */
  conditionalReference: boolean;
  /** References that lead nowhere (left-references.ts); undefined when there are none. */
  leftReferences: ReadonlyMap<string, number> | undefined;
  /** Whether there may be something in it that counts as absent: `null`, `""`, `{}`, `[]` (C-015). */
  hasEmpty: boolean;
  /** Whether it may have more levels of objects and arrays than a text may (`fhir/json-limits.ts`). */
  isDeep: boolean;
}

/**
 * Checks the structure of a resource as contract 5.1 wants it: unknown elements, JSON types, arrays, formats of
 * primitives and codes of required bindings; contained resources and extensions too. Not checked: missing elements,
 * invariants, profiles. `null`, `""`, `{}` and `[]` count as absent (C-015).
 *
 * Issues are appended to `issues`, and the check ends when there are `limit` of them: 1 for an import, more for a
 * full report. `text` is what the resource was parsed from: without it, integers with a fraction of zero pass. About
 * 635,000 Synthea Observations a second on one thread (bench/check.ts, Node 24, 2-core cloud machine, November 2026);
 * JSON.parse before it takes longer.
 */
export function checkResource(resource: JsonValue, issues: LineIssue[], limit: number, text?: string): ResourceFacts {
  if (typeof resource !== "object" || resource === null || Array.isArray(resource)) {
    issues.push(lineIssue("structure", `A resource must be a JSON object, found ${jsonTypeOf(resource)}.`));
    return NO_FACTS;
  }
  const type = resource["resourceType"];
  const known = typeof type === "string" ? RESOURCES.get(type) : undefined;
  if (known === undefined) {
    const path = type === undefined || type === null ? undefined : "resourceType";
    issues.push(lineIssue("structure", `${typeProblem(type)}.`, path));
    return NO_FACTS;
  }
  const before = issues.length;
  const walk = startWalk(type as string, issues, limit, text);
  checkMembers(resource, known.rules, walk, 0);
  const masked = walk.isUnsure && text !== undefined ? maskedText(text) : undefined;
  if (masked !== undefined) {
    issues.length = before;
    checkMembers(JSON.parse(masked) as JsonObject, known.rules, startWalk(type as string, issues, limit, undefined), 0);
  }
  const { conditionalReference, leftReferences, hasEmpty, isDeep } = walk;
  return { typeId: known.typeId, conditionalReference, leftReferences, hasEmpty, isDeep };
}

const NO_FACTS: ResourceFacts = {
  typeId: 0,
  conditionalReference: false,
  leftReferences: undefined,
  hasEmpty: false,
  isDeep: false,
};

interface CompiledResource {
  readonly typeId: number;
  readonly rules: TypeRules;
}

const RESOURCES: ReadonlyMap<string, CompiledResource> = compileResources();

function compileResources(): Map<string, CompiledResource> {
  const compiled = compileTypes(readStructure(), objectCheck, checkInnerResource);
  const resources = new Map<string, CompiledResource>();
  const resourceType: MemberRule = { many: false, choiceBit: 0, choice: undefined, check: () => true };
  for (const [index, type] of RESOURCE_TYPES.entries()) {
    const rules = compiled.get(type);
    if (rules === undefined) throw new TypeError(`structure.json has no type ${type}`);
    rules.set("resourceType", resourceType); // its value chose the rules
    resources.set(type, { typeId: index + 1, rules });
  }
  return resources;
}

function objectCheck(rules: TypeRules): ValueCheck {
  return (value, walk, depth) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return reportType(walk, depth, "an object", value);
    }
    return checkMembers(value, rules, walk, depth + 1);
  };
}

/** A contained resource, or one in a Bundle or in Parameters; an empty object counts as absent. */
function checkInnerResource(value: JsonValue, walk: Walk, depth: number): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return reportType(walk, depth, "a resource (an object)", value);
  }
  const type = value["resourceType"];
  const known = typeof type === "string" ? RESOURCES.get(type) : undefined;
  if (known !== undefined) return checkMembers(value, known.rules, walk, depth + 1);
  if (Object.keys(value).length === 0) {
    walk.hasEmpty = true;
    return true;
  }
  return report(walk, depth, "structure", `${typeProblem(type)}.`);
}

function typeProblem(type: JsonValue | undefined): string {
  if (type === undefined || type === null) return "The resource has no resourceType";
  if (typeof type !== "string") return `resourceType must be a string, found ${jsonTypeOf(type)}`;
  return `resourceType ${quoted(type)} is not a resource type of FHIR R4`;
}

/** The hot loop: every member of an object against the rules of its type. Returns whether the check goes on. */
function checkMembers(object: JsonObject, rules: TypeRules, walk: Walk, depth: number): boolean {
  if (depth >= DEEP) walk.isDeep = true;
  if (depth >= MAX_DEPTH) return report(walk, depth - 1, "structure", `more than ${MAX_DEPTH} levels of objects.`);
  let choices = 0;
  let isEmpty = true;
  for (const name in object) {
    isEmpty = false;
    walk.names[depth] = name;
    walk.indexes[depth] = -1;
    const rule = rules.get(name);
    if (rule === undefined) {
      if (!reportUnknown(walk, depth, name, hintFor(name, rules))) return false;
      continue;
    }
    const value = object[name];
    if (value === null || value === undefined || value === "") walk.hasEmpty = true;
    if (value === null || value === undefined) continue;
    if (rule.choiceBit !== 0) {
      if ((choices & rule.choiceBit) !== 0 && !checkChoice(object, name, rule, walk, depth)) return false;
      choices |= rule.choiceBit;
    }
    if (!rule.many) {
      if (!rule.check(value, walk, depth)) return false;
    } else if (!checkItems(value, rule, walk, depth)) return false;
  }
  if (isEmpty) walk.hasEmpty = true;
  return true;
}

function checkItems(value: JsonValue, rule: MemberRule, walk: Walk, depth: number): boolean {
  if (!Array.isArray(value)) return reportType(walk, depth, "an array", value);
  if (value.length === 0) walk.hasEmpty = true;
  for (let index = 0; index < value.length; index++) {
    const item = value[index];
    if (item === null || item === undefined || item === "") walk.hasEmpty = true;
    if (item === null || item === undefined) continue; // pairs with an item of the sibling array
    walk.indexes[depth] = index;
    if (!rule.check(item, walk, depth)) return false;
  }
  return true;
}

/**
 * A choice has come before in this object: fine for `valueCode` and its sibling `_valueCode`, not for `valueString`
 * beside `valueQuantity`, which is two values where one belongs.
 */
function checkChoice(object: JsonObject, name: string, rule: MemberRule, walk: Walk, depth: number): boolean {
  const { choice } = rule;
  const own = name.startsWith("_") ? name.slice(1) : name;
  const other = choice?.members.find(
    (member) => member !== own && (isPresent(object[member]) || isPresent(object[`_${member}`])),
  );
  if (other === undefined) return true;
  return report(walk, depth, "structure", `only one ${choice?.name}[x] may be present, found ${other} too.`);
}

function isPresent(value: JsonValue | undefined): boolean {
  return value !== null && value !== undefined;
}

/** `value` instead of `valueQuantity` is the commonest unknown element: say what it could have been. */
function hintFor(name: string, rules: TypeRules): string {
  for (const { choice } of rules.values()) {
    if (choice?.name !== name) continue;
    const shown = choice.members.slice(0, 4).join(", ") + (choice.members.length > 4 ? ", …" : "");
    return ` (its name carries its type: ${shown})`;
  }
  return "";
}
