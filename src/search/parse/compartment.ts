import { StokerError } from "../../base/errors.ts";
import { compartmentOf } from "../../fhir/compartments.ts";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import { searchParameter, type SearchParameter } from "../../fhir/search-parameters.ts";
import type { Criterion } from "../criteria/criteria.ts";

/** The compartment that a search is confined to. */
export interface Compartment {
  /** The resource it is about; without an id those of all resources of the type that are stored. */
  type: string;
  id: string | undefined;
  /** Whether that resource is found, too, although it does not refer to itself. */
  withItself: boolean;
}

/**
 * The types to search: those that can be in the compartment, or the one that is asked for. Throws `bad-request` where there
 * is no such compartment, or the type is none of it.
 */
export function typesInCompartment({ type, withItself }: Compartment, asked: string | undefined): readonly string[] {
  const members = compartmentOf(type);
  if (members === undefined) throw new StokerError("bad-request", `R4 has no compartments of type ${type}.`);
  if (asked === undefined) {
    return RESOURCE_TYPES.filter((each) => members.has(each) || (withItself && each === type));
  }
  if (!members.has(asked)) {
    throw new StokerError("bad-request", `Resources of type ${asked} are in no compartment of type ${type}.`);
  }
  return [asked];
}

/** The criterion that a resource of this type is in the compartment. */
export function compartmentCriterion(
  { type, id, withItself }: Compartment,
  member: string,
  baseUrl: string,
): Criterion {
  const codes = compartmentOf(type)?.get(member) ?? [];
  const parameters = codes.flatMap((code): SearchParameter[] => {
    const parameter = code === "_id" ? undefined : searchParameter(member, code);
    return parameter === undefined ? [] : [parameter];
  });
  const isItself = member === type && (withItself || codes.includes("_id"));
  if (id === undefined) return { kind: "anyMember", parameters, type, isItself };
  return { kind: "member", parameters, target: { type, id }, url: `${baseUrl}/${type}/${id}`, isItself };
}
