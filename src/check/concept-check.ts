import { isObject, type JsonObject, type JsonValue } from "../base/json.ts";
import type { ConceptSet } from "../fhir/structure.ts";
import { quoted } from "./issue.ts";
import type { ValueCheck } from "./walk.ts";
import { report, type Walk } from "./walk.ts";

/**
 * The check of a CodeableConcept with a required binding: one of its codings must be of the value set (R4
 * terminologies.html#required: "the concept in this element SHALL be from the specified value set"). A text alone is no
 * concept of a value set, and neither is a code without its system. Extensions alone say why there is none, and pass.
 * `check` is the check of the structure, which comes first.
 */
export function conceptCheck(set: ConceptSet, check: ValueCheck): ValueCheck {
  const codes = new Map([...set.codes].map(([system, list]) => [system, new Set(list)]));
  return (value, walk, depth) => {
    if (!check(value, walk, depth)) return false;
    // What is not of the type, or not a list, is reported already.
    if (!isObject(value)) return true;
    const codings = Array.isArray(value["coding"]) ? value["coding"].filter(isObject) : [];
    if (codings.some((coding) => isOf(codes, coding))) return true;
    const first = codings.find(hasContent);
    const { text } = value;
    if (first === undefined && (typeof text !== "string" || text === "")) return true;
    return reportConcept(walk, depth, set, first);
  };
}

function isOf(codes: ReadonlyMap<string, ReadonlySet<string>>, coding: JsonObject): boolean {
  const { system, code } = coding;
  return typeof system === "string" && typeof code === "string" && codes.get(system)?.has(code) === true;
}

function hasContent(coding: JsonObject): boolean {
  return ["system", "code", "display"].some((name) => isText(coding[name]));
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === "string" && value !== "";
}

function reportConcept(walk: Walk, depth: number, set: ConceptSet, coding: JsonObject | undefined): boolean {
  const shown = [...set.codes].map(([system, codes]) => `${system}: ${codes.slice(0, 8).join(", ")}`).join("; ");
  const needed = `the required value set ${set.name} (${shown})`;
  if (coding === undefined)
    return report(walk, depth, "code-invalid", `a text alone is not enough; a coding of ${needed} is needed.`);
  const { system, code } = coding;
  const found = isText(code) ? `code ${quoted(code)}` : "a coding without a code";
  const of = isText(system) ? ` of ${quoted(system)}` : " without a system";
  return report(walk, depth, "code-invalid", `${found}${isText(code) ? of : ""} is not in ${needed}.`);
}
