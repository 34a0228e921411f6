import { StokerError } from "../../base/errors.ts";
import type { SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import { targetsOf } from "../condition/reference-link.ts";
import { hasIllegalEscape } from "../criteria/escape.ts";
import { malformed } from "../criteria/value-context.ts";

/** One AND-joined parameter of the query before it is looked up. */
export type Filter =
  | {
      kind: "plain";
      /** As written in the query, with the modifier and all that leads to it: for messages. */
      name: string;
      code: string;
      modifier: string | undefined;
      value: string;
    }
  /** `code:type.rest`: what is asked of the resource that is referred to. */
  | { kind: "chain"; name: string; code: string; type: string | undefined; rest: Filter }
  /** `_has:type:code:rest`: what is asked of a resource that refers. */
  | { kind: "has"; name: string; type: string; code: string; rest: Filter };

/**
 * Takes a parameter's name apart: modifier, chain, `_has`, one within the other. Throws `bad-request` when it is none of
 * these or too deep, `not-supported` for filters of FHIR that are not here.
 */
export function parseFilter(name: string, value: string): Filter {
  if (value.includes("\0")) throw malformed({ name }, "the value contains a character that texts cannot have");
  if (hasIllegalEscape(value)) {
    throw malformed({ name }, "a backslash may only precede ',', '|', '$' or another backslash; write '\\\\' for '\\'");
  }
  return parsePart(name, name, value, 0);
}

/** Those of the types for whose resources every part of the filter means something. */
export function typesMeant(filter: Filter, types: readonly string[], lookup: SearchParameterLookup): readonly string[] {
  if (filter.kind === "plain") {
    return SPECIAL.has(filter.code) ? types : types.filter((type) => lookup.find(type, filter.code) !== undefined);
  }
  if (filter.kind === "has") {
    const parameter = referenceParameter(filter.type, filter.code, lookup);
    if (parameter === undefined || typesMeant(filter.rest, [filter.type], lookup).length === 0) return [];
    return types.filter((type) => targetsOf(parameter).includes(type));
  }
  const targets = new Map<string, readonly string[]>();
  for (const type of types) {
    const parameter = referenceParameter(type, filter.code, lookup);
    if (parameter !== undefined) targets.set(type, chainTargets(filter, parameter));
  }
  const meant = new Set(typesMeant(filter.rest, [...new Set([...targets.values()].flat())], lookup));
  return types.filter((type) => targets.get(type)?.some((target) => meant.has(target)));
}

/** Whether the parameters that a `_has` names are there, whatever types it can find. */
export function isKnownHas({ type, code, rest }: Filter & { kind: "has" }, lookup: SearchParameterLookup): boolean {
  if (referenceParameter(type, code, lookup) === undefined) return false;
  return rest.kind === "has" ? isKnownHas(rest, lookup) : typesMeant(rest, [type], lookup).length > 0;
}

/** Those of the types that a filter may find resources of: a `_has` finds only what its references can point to. */
export function findableTypes(
  filter: Filter,
  types: readonly string[],
  lookup: SearchParameterLookup,
): readonly string[] {
  if (filter.kind !== "has") return types;
  const parameter = referenceParameter(filter.type, filter.code, lookup);
  if (parameter === undefined || parameter.target.length === 0) return types;
  return types.filter((type) => parameter.target.includes(type));
}

/** The types that a chain leads to from resources that have this parameter. */
export function chainTypes(
  filter: Filter & { kind: "chain" },
  parameter: SearchParameter,
  lookup: SearchParameterLookup,
): readonly string[] {
  return typesMeant(filter.rest, chainTargets(filter, parameter), lookup);
}

function chainTargets({ type }: Filter & { kind: "chain" }, parameter: SearchParameter): readonly string[] {
  return targetsOf(parameter).filter((target) => type === undefined || target === type);
}

/** What every type has, and no search parameter's values stand for. */
export const SPECIAL: ReadonlySet<string> = new Set(["_id", "_lastUpdated", "_list", "_text", "_content"]);

/** The reference parameter of this name, undefined when the type has none. */
export function referenceParameter(
  type: string,
  code: string,
  lookup: SearchParameterLookup,
): SearchParameter | undefined {
  const parameter = lookup.find(type, code);
  return parameter?.type === "reference" ? parameter : undefined;
}

/** As deep as one filter may lead: PostgreSQL plans so many steps in some 20 ms. */
const MAX_DEPTH = 32;

function parsePart(part: string, name: string, value: string, depth: number): Filter {
  if (depth > MAX_DEPTH) throw malformed({ name: name.slice(0, 200) }, `leads over more than ${MAX_DEPTH} references`);
  if (part.startsWith("_has:")) {
    const [, type = "", code = "", ...rest] = part.split(":");
    if (resourceTypeId(type) === undefined || code === "" || rest.length === 0) {
      throw malformed({ name }, "_has needs a type, a reference parameter of it, and another parameter of it");
    }
    return { kind: "has", name, type, code, rest: parsePart(rest.join(":"), name, value, depth + 1) };
  }
  const dot = part.indexOf(".");
  if (dot >= 0) {
    const [code = "", type] = part.slice(0, dot).split(":", 2);
    if (type !== undefined && resourceTypeId(type) === undefined) {
      throw malformed({ name }, "a chain names a resource type after the colon");
    }
    return { kind: "chain", name, code, type, rest: parsePart(part.slice(dot + 1), name, value, depth + 1) };
  }
  const colon = part.indexOf(":");
  const code = colon < 0 ? part : part.slice(0, colon);
  if (UNSUPPORTED_FILTERS.has(code)) {
    throw new StokerError("not-supported", `Search parameter '${name}' is not supported.`, { expression: name });
  }
  return { kind: "plain", name, code, modifier: colon < 0 ? undefined : part.slice(colon + 1), value };
}

/** Filters of FHIR that are not here: leaving them out would silently widen the answer. */
export const UNSUPPORTED_FILTERS: ReadonlySet<string> = new Set(["_has", "_filter", "_query", "_in"]);
