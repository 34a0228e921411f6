import { StokerError } from "../../base/errors.ts";
import type { SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import { keyRangeOfType, typeIdOfKey } from "../../fhir/resource-key.ts";
import { resourceTypeId, resourceTypeName } from "../../fhir/resource-types.ts";
import { searchParametersOf, type SearchParameter } from "../../fhir/search-parameters.ts";
import { referenceParameter } from "./filter-name.ts";
import { referenceLinks, targetsOf, type ReferenceLink } from "../condition/reference-link.ts";

/** One `_include` or `_revinclude`. */
export interface Include {
  direction: "forward" | "reverse";
  /** The type whose references are followed; undefined: any type (`*`, forward only). */
  source: string | undefined;
  /** The reference parameter; undefined: all of them (`*`). */
  parameter: SearchParameter | undefined;
  /** The types they lead to; undefined: any. */
  targets: readonly string[] | undefined;
  /** Whether it is applied to what is included, too. */
  iterate: boolean;
  /** Where `*` stands for parameters: those that there are; R4's, where nothing else is said. */
  parametersOf?: SearchParameterLookup["of"];
}

/**
 * Reads `Type:parameter`, `Type:parameter:TargetType`, `Type:*` or `*`. Throws `bad-request` when it names no type or
 * reference parameter of R4, `not-supported` for `_revinclude=*`.
 */
export function parseInclude(name: string, value: string, lookup: SearchParameterLookup): Include {
  const direction = name.startsWith("_include") ? "forward" : "reverse";
  const iterate = name.endsWith(":iterate");
  if (value === "*") {
    if (direction === "reverse") {
      const text = `${name}=* is not R4: write ${name}=[type]:[parameter], for example ${name}=Observation:subject, or ${name}=Observation:* for all references from one type.`;
      throw new StokerError("not-supported", text, { expression: name });
    }
    return { direction, source: undefined, parameter: undefined, targets: undefined, iterate, parametersOf: lookup.of };
  }
  const [source = "", code = "", target, ...more] = value.split(":");
  const parameter = code === "*" ? undefined : referenceParameter(source, code, lookup);
  const isKnown = resourceTypeId(source) !== undefined && (code === "*" || parameter !== undefined);
  if (!isKnown || more.length > 0) throw refused(name, "needs a resource type and a reference parameter of it");
  if (target !== undefined) {
    const isTarget =
      parameter === undefined ? resourceTypeId(target) !== undefined : targetsOf(parameter).includes(target);
    if (!isTarget) throw refused(name, "the parameter does not refer to the type after the second colon");
  }
  return {
    direction,
    source,
    parameter,
    targets: target === undefined ? undefined : [target],
    iterate,
    ...(parameter === undefined ? { parametersOf: lookup.of } : {}),
  };
}

/** References of one type of resource that are to be followed. */
export interface SourceLinks {
  /** Keys of the type. */
  low: bigint;
  high: bigint;
  links: readonly ReferenceLink[];
}

/** The reference parameters by which an include follows, or looks for, references of resources of a type. */
export function parametersOfInclude(
  { source, parameter, parametersOf = searchParametersOf }: Include,
  type: string,
): readonly SearchParameter[] {
  if (source !== undefined && source !== type) return [];
  return parameter === undefined ? parametersOf(type).filter(isReference) : [parameter];
}

/** What the includes say of resources of this type as sources. */
export function linksOfSource(type: string, includes: readonly Include[]): SourceLinks | undefined {
  const links = includes.flatMap((include) =>
    parametersOfInclude(include, type).flatMap((each) => referenceLinks(each, [type], include.targets)),
  );
  if (links.length === 0) return undefined;
  const distinct = new Map(links.map((link) => [`${link.constant} ${link.low} ${link.high}`, link]));
  return { ...keyRangeOfType(resourceTypeId(type) ?? 0), links: [...distinct.values()] };
}

/** The type of the resource with this key. */
export function typeOfKey(key: bigint): string {
  return resourceTypeName(typeIdOfKey(key));
}

function isReference({ type }: SearchParameter): boolean {
  return type === "reference";
}

function refused(name: string, why: string): StokerError {
  return new StokerError("bad-request", `${name}: ${why}.`, { expression: name });
}
