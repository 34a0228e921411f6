import type { JsonObject, JsonValue } from "../../base/json.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import { concreteTypes, searchParameter, type SearchParameter } from "../../fhir/search-parameters.ts";
import type { Elements } from "./elements.ts";
import { ExpressionError } from "./parse.ts";
import { selectFrom, type Selection } from "./select.ts";
import { stepKey } from "./tree.ts";
import { newWork } from "./work.ts";

/** Why a SearchParameter resource is stored without anything being indexed by it. */
export interface Unindexed {
  /** `information` where R4's own parameter answers what it asks for. */
  severity: "warning" | "information";
  /** The element that it is about. */
  expression: string;
  text: string;
}

/**
 * Why nothing is indexed by a SearchParameter resource that is stored all the same, as guides have many: it has no `expression`, R4 has
 * a parameter of its name, or what it selects are extensions and not their values. Undefined for all others, and for what is
 * retired. What cannot be carried out for another reason is refused (`readDefinition`).
 */
export function whyUnindexed(elements: Elements, resource: JsonObject): Unindexed | undefined {
  if (resource["status"] === "retired") return undefined;
  const types = listOf(resource["base"]).flatMap(concreteTypes);
  const code = textOf(resource["code"]);
  const known = types.map((type) => searchParameter(type, code)).find((each) => each !== undefined);
  if (known !== undefined) return ofR4(elements, resource, types, known);
  const expression = textOf(resource["expression"]);
  if (expression === "") {
    return warning("expression", "it is missing: the parameter is stored, but cannot be searched by.");
  }
  const isExtension = types.some((type) =>
    selectedBy(elements, type, expression).some((selection) => selection.type === "Extension"),
  );
  if (!isExtension) return undefined;
  return warning(
    "expression",
    "it ends at an extension, which has no value to compare: the parameter is stored, but cannot be searched by. Continue to the value, as in extension('url').value.ofType(CodeableConcept).",
  );
}

/** Why nothing is indexed by a definition whose code the stored SearchParameter `other` has for one of its types. */
export function takenCode(type: string, code: string, other: string): Unindexed {
  return warning(
    "code",
    `${type} has a search parameter '${code}' already, by SearchParameter/${other}, which answers searches by that name: this one is stored, but nothing is indexed by it. To search by this one, delete the other or change its code, and write this one again.`,
  );
}

function warning(element: string, text: string): Unindexed {
  return { severity: "warning", expression: `SearchParameter.${element}`, text };
}

/** R4's parameter answers searches by its name; the definition may mean something else. */
function ofR4(elements: Elements, resource: JsonObject, types: readonly string[], known: SearchParameter): Unindexed {
  const name = `'${known.code}'`;
  if (isRepeated(elements, resource, types, known)) {
    const text = `searches by ${name} are answered by R4's own parameter (${known.url}).`;
    return { ...warning("code", text), severity: "information" };
  }
  return warning(
    "code",
    `R4 has a search parameter ${name} already (${known.url}), which answers searches by that name: this one is stored, but nothing is indexed by it.`,
  );
}

/** Whether the definition is R4's, or one that is derived from it and selects the same or less. */
function isRepeated(
  elements: Elements,
  resource: JsonObject,
  types: readonly string[],
  { url, type, code }: SearchParameter,
): boolean {
  if (textOf(resource["type"]) !== type) return false;
  if ([textOf(resource["derivedFrom"]), textOf(resource["url"])].includes(url)) return true;
  const expression = textOf(resource["expression"]);
  return types.every((each) => {
    const known = searchParameter(each, code);
    const ways = waysOf(elements, each, expression);
    const wider = new Set(known === undefined ? [] : waysOf(elements, each, known.expression));
    return ways.length > 0 && ways.every((way) => wider.has(way));
  });
}

function waysOf(elements: Elements, type: string, expression: string): string[] {
  return selectedBy(elements, type, expression).map(({ steps, refersTo = "" }) =>
    [...steps.map(stepKey), refersTo].join("."),
  );
}

/** What is wrong with an expression is said when it is compiled. */
function selectedBy(elements: Elements, type: string, expression: string): Selection[] {
  if (resourceTypeId(type) === undefined || expression === "") return [];
  try {
    return selectFrom(elements, type, expression, newWork());
  } catch (error) {
    if (error instanceof ExpressionError) return [];
    throw error;
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value.trim() : "";
}

function listOf(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? [...new Set(value.filter((each) => typeof each === "string"))] : [];
}
