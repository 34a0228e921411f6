import type { NearValue } from "../criteria/criteria.ts";
import { splitEscaped, unescape } from "../criteria/escape.ts";
import { all, sql, type Sql } from "../../postgres/sql.ts";

/**
 * Reads the value of Location's `near`: `latitude|longitude|distance|units`, the last two of which may be missing. Without
 * units kilometres are meant, without a distance {@link DEFAULT_DISTANCE}. A text
 * says what is wrong with it.
 */
export function parseNear(raw: string): NearValue | string {
  const parts = splitEscaped(raw, "|").map(unescape);
  const [latitude = Number.NaN, longitude = Number.NaN] = parts.slice(0, 2).map(numberOf);
  const [, , distance = "", units = ""] = parts;
  if (parts.length > 4 || !(Math.abs(latitude) <= 90) || !(Math.abs(longitude) <= 180)) {
    return "needs latitude|longitude|distance|units, the first two in degrees";
  }
  const unit = units === "" ? "km" : units;
  const metres = METRES.get(unit);
  if (metres === undefined) return `the units must be one of ${[...METRES.keys()].join(", ")}`;
  if (distance === "") return { type: "near", latitude, longitude, distance: DEFAULT_DISTANCE, unit };
  const number = numberOf(distance);
  if (!(number >= 0)) return "the distance must be a number of 0 or more";
  return { type: "near", latitude, longitude, distance: number * metres, unit };
}

/** Whether the position in a row `s` of search_quantity is no farther away, along a great circle. */
export function nearTest({ latitude, longitude, distance }: NearValue): Sql {
  const reach = (distance / RADIUS) * (180 / Math.PI) * 1.000001;
  const halfSine = sql`sin(radians(s.low::float8 - ${latitude}::float8) / 2) ^ 2
    + cos(radians(${latitude}::float8)) * cos(radians(s.low::float8)) * sin(radians(s.high::float8 - ${longitude}::float8) / 2) ^ 2`;
  return all([
    // The index finds the band of latitudes.
    sql`s.low between ${Math.max(latitude - reach, -90)}::numeric and ${Math.min(latitude + reach, 90)}::numeric`,
    // Numbers that are no degrees might be too large to be computed with.
    sql`case when s.low between -90 and 90 and s.high between -180 and 180
      then 2 * ${RADIUS}::float8 * asin(least(1, sqrt(${halfSine}))) <= ${distance}::float8 else false end`,
  ]);
}

/** Metres between two positions in degrees, along a great circle: what {@link nearTest} compares. */
export function distanceBetween(
  one: Pick<NearValue, "latitude" | "longitude">,
  other: Pick<NearValue, "latitude" | "longitude">,
): number {
  const [latitude, longitude, otherLatitude, otherLongitude] = [one, other].flatMap((place) =>
    [place.latitude, place.longitude].map((degrees) => (degrees * Math.PI) / 180),
  ) as [number, number, number, number];
  const halfSine =
    Math.sin((otherLatitude - latitude) / 2) ** 2 +
    Math.cos(latitude) * Math.cos(otherLatitude) * Math.sin((otherLongitude - longitude) / 2) ** 2;
  return 2 * RADIUS * Math.asin(Math.min(1, Math.sqrt(halfSine)));
}

/** Metres: how far is near when nothing else is said. */
export const DEFAULT_DISTANCE = 50_000;

/** Mean radius of the earth in metres. */
const RADIUS = 6_371_008.8;

/** Metres in units of length, by their UCUM codes. */
export const METRES: ReadonlyMap<string, number> = new Map([
  ["km", 1000],
  ["m", 1],
  ["[mi_i]", 1609.344],
  ["[mi_us]", 1609.347_218_7],
  ["[nmi_i]", 1852],
  ["[yd_i]", 0.9144],
  ["[ft_i]", 0.3048],
]);

function numberOf(text: string): number {
  return /^[+-]?\d{1,9}(?:\.\d{1,30})?$/.test(text) ? Number(text) : Number.NaN;
}
