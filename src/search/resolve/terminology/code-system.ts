import { StokerError } from "../../../base/errors.ts";
import type { JsonObject } from "../../../base/json.ts";
import { foldCode } from "../../../fhir/fold-text.ts";
import { readCanonical } from "./canonical.ts";
import type { Lookups } from "../../condition/condition.ts";
import { objectsIn, textIn } from "../../../fhir/json-members.ts";
import { tooCostly } from "../../cost/too-costly.ts";

/** The concepts of a stored CodeSystem. */
export interface CodeSystem {
  readonly url: string;
  readonly concepts: ReadonlyMap<string, Concept>;
  /** Whether the hierarchy is one of meaning: a code below another is a kind of it. */
  readonly isHierarchy: boolean;
  /** False where the CodeSystem says so. */
  readonly isCaseSensitive: boolean;
}

/** Members are missing where there is nothing: most concepts of large systems have none of them. */
interface Concept {
  parents?: Set<string>;
  children?: Set<string>;
  /** Texts of its properties, by their codes. */
  readonly properties?: ReadonlyMap<string, readonly string[]>;
}

/** Concepts of a code system that is read: 100 MB. */
const MAX_CONCEPTS = 200_000;

/**
 * The stored CodeSystem with this URL (or `url|version`). Throws `not-supported` when there is none, or none with all of its
 * codes: what is not known to be in it cannot be known to be out of it.
 */
export async function readCodeSystem(lookups: Lookups, canonical: string): Promise<CodeSystem> {
  const resource = await readCanonical(lookups, "CodeSystem", canonical);
  if (resource === undefined) throw refused(`CodeSystem '${canonical}' is not stored here`);
  if (resource["content"] !== "complete") throw refused(`CodeSystem '${canonical}' is stored without all of its codes`);
  const concepts = new Map<string, Concept>();
  addConcepts(concepts, objectsIn(resource["concept"]), canonical);
  for (const [code, concept] of concepts) {
    for (const name of PARENT_PROPERTIES) {
      for (const parent of concept.properties?.get(name) ?? []) (concept.parents ??= new Set()).add(parent);
    }
    for (const parent of concept.parents ?? []) addChild(concepts.get(parent), code);
    for (const child of concept.properties?.get("child") ?? []) {
      addChild(concept, child);
      const below = concepts.get(child);
      if (below !== undefined) (below.parents ??= new Set()).add(code);
    }
  }
  const meaning = textIn(resource["hierarchyMeaning"]);
  const isHierarchy = meaning === undefined || meaning === "is-a";
  return { url: canonical, concepts, isHierarchy, isCaseSensitive: resource["caseSensitive"] !== false };
}

function addChild(concept: Concept | undefined, code: string): void {
  if (concept !== undefined) (concept.children ??= new Set()).add(code);
}

/**
 * The code and all that is below it, or all that is above it. Throws `not-supported` for a hierarchy of another meaning,
 * `bad-request` for a code that is not in the system.
 */
export function hierarchy(system: CodeSystem, code: string, direction: "above" | "below"): Set<string> {
  if (!system.isHierarchy)
    throw refused(`the hierarchy of CodeSystem '${system.url}' does not say which codes are kinds of others`);
  const known = knownCode(system, code);
  if (known === undefined) {
    throw new StokerError("bad-request", `Code '${code.slice(0, 100)}' is not in CodeSystem '${system.url}'.`);
  }
  const found = new Set([known]);
  // What is added while the set is walked is visited, too; nothing twice, so circles do not matter.
  for (const each of found) {
    const concept = system.concepts.get(each);
    for (const next of (direction === "above" ? concept?.parents : concept?.children) ?? []) found.add(next);
  }
  return found;
}

/** A code as the system defines it. */
function knownCode({ concepts, isCaseSensitive }: CodeSystem, code: string): string | undefined {
  if (concepts.has(code) || isCaseSensitive) return concepts.has(code) ? code : undefined;
  const folded = foldCode(code);
  return [...concepts.keys()].find((each) => foldCode(each) === folded);
}

/** The codes that a filter of a value set selects. Throws `not-supported` for filters that cannot be told here. */
export function filteredCodes(system: CodeSystem, filter: JsonObject): Set<string> {
  const property = textIn(filter["property"]) ?? "";
  const operator = textIn(filter["op"]) ?? "";
  const value = textIn(filter["value"]) ?? "";
  const all = [...system.concepts.keys()];
  if (CONCEPT_PROPERTIES.has(property)) {
    const below = (): Set<string> => hierarchy(system, value, "below");
    switch (operator) {
      case "is-a":
        return below();
      case "descendent-of": {
        const codes = below();
        codes.delete(value);
        return codes;
      }
      case "is-not-a": {
        const codes = below();
        return new Set(all.filter((code) => !codes.has(code)));
      }
      case "generalizes":
        return hierarchy(system, value, "above");
      default:
    }
  }
  const values = valuesOf(system, property);
  switch (values === undefined ? "" : operator) {
    case "=":
      return select(all, (code) => values?.(code).includes(value) === true);
    case "in":
    case "not-in": {
      const listed = new Set(value.split(",").map((each) => each.trim()));
      return select(all, (code) => values?.(code).some((each) => listed.has(each)) === (operator === "in"));
    }
    case "exists":
      if (value === "true" || value === "false") {
        return select(all, (code) => (values?.(code).length ?? 0) > 0 === (value === "true"));
      }
      break;
    default:
  }
  throw refused(`the filter ${property.slice(0, 64)} ${operator.slice(0, 64)} of a value set cannot be evaluated`);
}

const CONCEPT_PROPERTIES: ReadonlySet<string> = new Set(["concept", "code"]);
const PARENT_PROPERTIES = ["parent", "subsumedBy"];

function select(codes: readonly string[], isMeant: (code: string) => boolean): Set<string> {
  return new Set(codes.filter(isMeant));
}

/** How a property's values are found; undefined when no concept has the property. */
function valuesOf(system: CodeSystem, property: string): ((code: string) => readonly string[]) | undefined {
  if (CONCEPT_PROPERTIES.has(property)) return (code) => [code];
  if (PARENT_PROPERTIES.includes(property)) return (code) => [...(system.concepts.get(code)?.parents ?? [])];
  if (property === "child") return (code) => [...(system.concepts.get(code)?.children ?? [])];
  const isKnown = [...system.concepts.values()].some(({ properties }) => properties?.has(property) === true);
  return isKnown ? (code) => system.concepts.get(code)?.properties?.get(property) ?? [] : undefined;
}

function addConcepts(to: Map<string, Concept>, concepts: readonly JsonObject[], canonical: string): void {
  // A list of what is left to do instead of recursion: hierarchies may be deep.
  const waiting: { siblings: readonly JsonObject[]; above?: string }[] = [{ siblings: concepts }];
  for (const { siblings, above } of waiting) {
    for (const concept of siblings) {
      const code = textIn(concept["code"]);
      if (code === undefined) continue;
      const known: Concept = to.get(code) ?? withProperties(concept);
      if (above !== undefined) (known.parents ??= new Set()).add(above);
      to.set(code, known);
      if (to.size > MAX_CONCEPTS) throw tooCostly(`CodeSystem '${canonical}' has more than ${MAX_CONCEPTS} concepts`);
      const nested = objectsIn(concept["concept"]);
      if (nested.length > 0) waiting.push({ siblings: nested, above: code });
    }
  }
}

function withProperties(concept: JsonObject): Concept {
  const properties = new Map<string, string[]>();
  for (const property of objectsIn(concept["property"])) {
    const code = textIn(property["code"]);
    const value = Object.entries(property).find(([name]) => name.startsWith("value"))?.[1];
    if (code === undefined || value === undefined) continue;
    const coding = typeof value === "object" && value !== null && !Array.isArray(value) ? value["code"] : value;
    const text = typeof coding === "number" || typeof coding === "boolean" ? String(coding) : textIn(coding);
    if (text === undefined) continue;
    const known = properties.get(code);
    if (known === undefined) properties.set(code, [text]);
    else known.push(text);
  }
  return properties.size === 0 ? {} : { properties };
}

function refused(why: string): StokerError {
  return new StokerError("not-supported", `This search cannot be answered: ${why}.`);
}
