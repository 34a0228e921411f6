import type { JsonObject, JsonValue } from "../../base/json.ts";
import type { DefinedComponent, ParameterDefinition } from "../../fhir/custom-search-parameters.ts";
import { searchParameterByUrl } from "../../fhir/search-parameters.ts";
import { refused } from "./refused.ts";

/** The custom parameters with this URL; there may be several, of several versions. */
export type DefinitionFinder = (url: string) => readonly ParameterDefinition[];

const MOST_COMPONENTS = 8;

/**
 * The components of a composite. What a component's definition says of its type and targets is taken now: what becomes of that
 * definition later does not matter. `find` is undefined where only R4's parameters are known: then undefined comes back
 * when another one is named. Throws `bad-request` or `not-supported` with the element.
 */
export function readComponents(
  resource: JsonObject,
  find: DefinitionFinder | undefined,
): DefinedComponent[] | undefined {
  const list = resource["component"];
  const written = Array.isArray(list) ? list.map(objectOf) : [];
  if (written.length < 2) throw refused("component", "a composite needs at least two.");
  if (written.length > MOST_COMPONENTS) {
    throw refused("component", `at most ${MOST_COMPONENTS} are supported.`, "not-supported");
  }
  const components = written.map((component, place) => readComponent(component, place, find));
  const known = components.filter((component) => component !== undefined);
  return known.length === components.length ? known : undefined;
}

function readComponent(
  component: JsonObject,
  place: number,
  find: DefinitionFinder | undefined,
): DefinedComponent | undefined {
  const path = `component[${place}]`;
  const definition = textOf(component["definition"]);
  const expression = textOf(component["expression"]);
  if (definition === "")
    throw refused(`${path}.definition`, "it is missing: the canonical URL of a SearchParameter is needed.");
  if (expression === "") throw refused(`${path}.expression`, "it is missing: it must say what the component selects.");
  const bar = definition.indexOf("|");
  const url = bar < 0 ? definition : definition.slice(0, bar);
  const version = bar < 0 ? undefined : definition.slice(bar + 1);
  const ofR4 = searchParameterByUrl(url);
  if (ofR4 === undefined && find === undefined) return undefined;
  const named = ofR4 === undefined ? (find?.(url) ?? []) : [{ ...ofR4, version: "4.0.1" }];
  const found = named.filter((each) => version === undefined || each.version === version);
  const [first] = found;
  if (first === undefined) {
    const versions = named.map((each) => each.version ?? "none").join(", ");
    const why = versions === "" ? "neither R4 nor a stored SearchParameter has this URL" : `its version is ${versions}`;
    throw refused(`${path}.definition`, `${why}.`);
  }
  const { type, target } = first;
  if (found.some((each) => JSON.stringify([each.type, each.target]) !== JSON.stringify([type, target]))) {
    throw refused(`${path}.definition`, "several stored SearchParameters have this URL: name one by its |version.");
  }
  if (type === "composite" || type === "special") {
    throw refused(`${path}.definition`, `a parameter of type ${type} cannot be a component.`, "not-supported");
  }
  return { definition, type, target, expression };
}

function objectOf(value: JsonValue): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value.trim() : "";
}
