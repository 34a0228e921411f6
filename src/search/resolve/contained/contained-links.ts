import { storedParameters } from "../../../fhir/derived-parameters.ts";
import { RESOURCE_TYPES, resourceTypeId } from "../../../fhir/resource-types.ts";
import type { SearchParameter } from "../../../fhir/search-parameters.ts";
import { EqualityForm } from "../../../fhir/search-value.ts";
import { equalityOf } from "../../condition/equality.ts";
import { targetsOf } from "../../condition/reference-link.ts";
import type { CriteriaGroup } from "../../criteria/criteria.ts";

/** A way from a resource into one that it contains. */
export interface ContainedLink {
  /** The parameter that the reference is stored under. */
  parameter: number;
  /** Of the contained resource. */
  type: string;
}

/** The ways that a chain over a reference parameter of `types` can lead to what a group asks for. */
export function containedLinks(
  parameter: SearchParameter,
  types: readonly string[],
  group: Pick<CriteriaGroup, "types">,
): ContainedLink[] {
  const asked = group.types ?? RESOURCE_TYPES;
  const possible = targetsOf(parameter).filter((type) => asked.includes(type));
  return storedParameters(parameter, types).flatMap(({ parameter: id, targetType }) =>
    possible.filter((type) => targetType === undefined || type === targetType).map((type) => ({ parameter: id, type })),
  );
}

/** What a resource holds that refers to a contained one by the link. */
export function markerOf({ parameter, type }: ContainedLink): bigint {
  return equalityOf(parameter, EqualityForm.contained, type);
}

/** Whether values under a stored parameter are references by `parameter` of `types` to a resource of a type id. */
export function linkTest(
  parameter: SearchParameter,
  types: readonly string[],
): (stored: number, target: number) => boolean {
  const links = new Set(
    containedLinks(parameter, types, { types: undefined }).map(
      ({ parameter: id, type }) => `${id} ${resourceTypeId(type)}`,
    ),
  );
  return (stored, target) => links.has(`${stored} ${target}`);
}
