import type { JsonObject } from "../../base/json.ts";
import { distanceBetween, METRES } from "../types/near.ts";
import { objectIn } from "../../fhir/json-members.ts";
import type { CriteriaGroup, NearValue } from "../criteria/criteria.ts";

/** The positions that Locations are asked to be near to, themselves and not at the end of a chain. */
export function nearValues(groups: readonly CriteriaGroup[]): readonly NearValue[] {
  return groups
    .flatMap(({ criteria }) => criteria)
    .flatMap((criterion) => (criterion.kind === "values" && criterion.comparison === "plain" ? criterion.values : []))
    .filter((value) => value.type === "near");
}

/**
 * How far a Location is from the nearest of the positions, as the extension of `Bundle.entry.search` (R4, Location's parameter `near`):
 * in the unit that was asked for. Undefined where its position is not known.
 */
export function locationDistance(body: Buffer, asked: readonly NearValue[]): JsonObject | undefined {
  const position = objectIn((JSON.parse(body.toString()) as JsonObject)["position"]);
  const { latitude, longitude } = position ?? {};
  if (typeof latitude !== "number" || typeof longitude !== "number") return undefined;
  const [nearest] = asked
    .map((value) => ({ metres: distanceBetween(value, { latitude, longitude }), unit: value.unit }))
    .toSorted((a, b) => a.metres - b.metres);
  if (nearest === undefined) return undefined;
  const { metres, unit } = nearest;
  // To the millimetre, which is more than positions are known by.
  const value = Number((metres / (METRES.get(unit) ?? 1)).toFixed(6));
  const valueDistance = { value, unit, system: "http://unitsofmeasure.org", code: unit };
  return { url: "http://hl7.org/fhir/StructureDefinition/location-distance", valueDistance };
}
