/** A city: names, postal code prefix (two digits follow), telephone area code, hours from UTC in winter. */
export interface Place {
  readonly city: string;
  readonly state: string;
  readonly postalPrefix: string;
  readonly areaCode: string;
  readonly offset: number;
  readonly weight: number;
}

function place(
  city: string,
  state: string,
  postalPrefix: string,
  areaCode: string,
  offset: number,
  weight: number,
): Place {
  return { city, state, postalPrefix, areaCode, offset, weight };
}

/** Cities in proportion to their size, roughly. */
export const PLACES: readonly Place[] = [
  place("New York", "NY", "100", "212", -5, 19),
  place("Brooklyn", "NY", "112", "718", -5, 12),
  place("Boston", "MA", "021", "617", -5, 7),
  place("Worcester", "MA", "016", "508", -5, 3),
  place("Philadelphia", "PA", "191", "215", -5, 9),
  place("Pittsburgh", "PA", "152", "412", -5, 4),
  place("Baltimore", "MD", "212", "410", -5, 4),
  place("Atlanta", "GA", "303", "404", -5, 6),
  place("Miami", "FL", "331", "305", -5, 6),
  place("Cañon City", "CO", "812", "719", -7, 1),
  place("Detroit", "MI", "482", "313", -5, 5),
  place("Columbus", "OH", "432", "614", -5, 6),
  place("Chicago", "IL", "606", "312", -6, 13),
  place("Milwaukee", "WI", "532", "414", -6, 4),
  place("Minneapolis", "MN", "554", "612", -6, 4),
  place("St. Louis", "MO", "631", "314", -6, 3),
  place("New Orleans", "LA", "701", "504", -6, 3),
  place("Houston", "TX", "770", "713", -6, 11),
  place("San Antonio", "TX", "782", "210", -6, 7),
  place("Denver", "CO", "802", "303", -7, 5),
  place("Albuquerque", "NM", "871", "505", -7, 3),
  place("Phoenix", "AZ", "850", "602", -7, 8),
  place("San José", "CA", "951", "408", -8, 5),
  place("Los Angeles", "CA", "900", "213", -8, 16),
  place("Seattle", "WA", "981", "206", -8, 5),
  place("Portland", "OR", "972", "503", -8, 4),
  place("Honolulu", "HI", "968", "808", -10, 2),
];
