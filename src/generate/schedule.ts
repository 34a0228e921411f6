import { DAY, officeTime, YEAR } from "./calendar.ts";
import { ACUTE_DISEASES, type AcuteDisease } from "./diseases.ts";
import type { Person } from "./person.ts";
import { pickWeighted, unit, whole, type Random } from "./random.ts";
import { ageAt } from "./vital-signs.ts";

/** One planned visit. */
export interface Visit {
  /** Start, UTC milliseconds. */
  readonly start: number;
  readonly kind: "checkup" | "problem" | "emergency";
  readonly disease: AcuteDisease | undefined;
}

/** Years of history before death or the end of the data. */
const WINDOW = 8;
/** Months of age at which small children are seen; later once a year. */
const INFANT_MONTHS = [0.15, 1, 2, 4, 6, 9, 12, 15, 18, 24, 30, 36];

/** The visits of a life's last years, in order of time, none before birth or after death. */
export function planVisits(random: Random, person: Person): Visit[] {
  const from = Math.max(person.birth, person.end - WINDOW * YEAR);
  const visits: Visit[] = [];
  const add = (time: number, kind: Visit["kind"], disease: AcuteDisease | undefined): void => {
    const start =
      kind === "emergency"
        ? Math.floor(time / 300_000) * 300_000
        : officeTime(time, person.offset, 480 + 15 * whole(random, 0, 34));
    if (start > person.birth + DAY && start < person.end - DAY) visits.push({ start, kind, disease });
  };
  for (const months of INFANT_MONTHS) {
    const time = person.birth + (months * YEAR) / 12 + 2 * DAY;
    if (time >= from) add(time, "checkup", undefined);
  }
  const shift = unit(random) * 300 * DAY;
  const firstYear = Math.max(4, Math.ceil(ageAt(person, from)));
  for (let year = firstYear; year <= ageAt(person, person.end); year++) {
    add(person.birth + year * YEAR + shift + whole(random, 0, 30) * DAY, "checkup", undefined);
  }
  const rate = 0.55;
  for (let time = from; ;) {
    time += (unit(random) + unit(random)) * (YEAR / rate);
    if (time >= person.end) break;
    const age = ageAt(person, time);
    const possible = ACUTE_DISEASES.filter((disease) => age >= disease.fromAge && age < disease.toAge);
    const disease = pickWeighted(random, possible);
    add(time, disease.emergency ? "emergency" : "problem", disease);
  }
  return visits.toSorted((a, b) => a.start - b.start);
}
