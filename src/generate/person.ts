import { DAY, dateAt, dateTimeAt, REFERENCE_TIME, YEAR } from "./calendar.ts";
import { hl7Coding, hl7Concept } from "./concepts.ts";
import { phone, streetAddress, type Facility, type Reference } from "./facility.ts";
import { FAMILY_NAMES, FEMALE_NAMES, MALE_NAMES } from "./names.ts";
import { bell, chance, pick, pickWeighted, unit, uuid, whole, type Random } from "./random.ts";
import type { Emit } from "./sink.ts";

/** A patient as the other generators need it. Times are UTC milliseconds. */
export interface Person {
  readonly id: string;
  readonly reference: Reference;
  readonly female: boolean;
  readonly birth: number;
  /** Death, or the end of the generated data. */
  readonly end: number;
  readonly alive: boolean;
  /** Hours from UTC. */
  readonly offset: number;
  readonly facility: Facility;
  /** The family doctor. */
  readonly doctor: Reference;
  /** Adult height in cm and adult body mass index. */
  readonly height: number;
  readonly bodyMass: number;
  readonly smoking: "never" | "former" | "daily";
}

const RACES = [
  { code: "2106-3", display: "White", weight: 62 },
  { code: "2054-5", display: "Black or African American", weight: 13 },
  { code: "2028-9", display: "Asian", weight: 6 },
  { code: "1002-5", display: "American Indian or Alaska Native", weight: 1 },
  { code: "2131-1", display: "Other Race", weight: 10 },
];
const MARITAL = [
  { code: "M", display: "Married", weight: 50 },
  { code: "S", display: "Never Married", weight: 30 },
  { code: "D", display: "Divorced", weight: 13 },
  { code: "W", display: "Widowed", weight: 7 },
];

/** Emits one Patient and returns what its history is made from. */
export function generatePerson(random: Random, number: number, facilities: readonly Facility[], emit: Emit): Person {
  const id = uuid(random);
  const facility = pick(random, facilities);
  const { place } = facility;
  const female = chance(random, 0.51);
  const age = Math.min(unit(random) * 82 + unit(random) * 16, 98);
  const birth = Math.floor((REFERENCE_TIME - age * YEAR) / DAY) * DAY + whole(random, 0, 86_399) * 1000;
  const alive = !(age > 55 && chance(random, (age - 50) / 160));
  const end = alive ? REFERENCE_TIME : Math.floor(REFERENCE_TIME - unit(random) * Math.min(6, age - 40) * YEAR);
  const hispanic = chance(random, 0.18);
  const given = [pick(random, female ? FEMALE_NAMES : MALE_NAMES)];
  if (chance(random, 0.3)) given.push(pick(random, female ? FEMALE_NAMES : MALE_NAMES));
  const family = pick(random, FAMILY_NAMES);
  const doctor = pick(random, facility.practitioners);
  const race = pickWeighted(random, RACES);
  const adult = age >= 18;
  emit("Patient", {
    resourceType: "Patient",
    id,
    meta: { security: [hl7Coding("v3-ActReason", "HTEST", "test health data")] },
    extension: [
      category("race", race.code, race.display),
      hispanic
        ? category("ethnicity", "2135-2", "Hispanic or Latino")
        : category("ethnicity", "2186-5", "Not Hispanic or Latino"),
      { url: "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex", valueCode: female ? "F" : "M" },
    ],
    identifier: [
      {
        use: "usual",
        type: hl7Concept("v2-0203", "MR", "Medical record number"),
        system: "https://clinics.example.org/mrn",
        value: `MRN${String(number + 1).padStart(8, "0")}`,
        assigner: facility.organization,
      },
    ],
    active: alive,
    name: names(random, female, adult, given, family),
    telecom: [{ system: "phone", value: phone(random, place), use: adult ? "mobile" : "home" }],
    gender: female ? "female" : "male",
    birthDate: dateAt(birth, place.offset),
    ...(alive ? {} : { deceasedDateTime: dateTimeAt(end, place.offset) }),
    address: [{ use: "home", ...streetAddress(random, place) }],
    ...(adult ? { maritalStatus: maritalStatus(random) } : {}),
    multipleBirthBoolean: chance(random, 0.03),
    communication: [{ language: language(hispanic && chance(random, 0.5)), preferred: true }],
    generalPractitioner: [doctor],
    managingOrganization: facility.organization,
  });
  return {
    id,
    reference: { reference: `Patient/${id}`, display: `${given[0] ?? ""} ${family}` },
    female,
    birth,
    end,
    alive,
    offset: place.offset,
    facility,
    doctor,
    height: bell(random, female ? 162 : 175.5, 6.5),
    bodyMass: Math.min(46, Math.max(17.5, bell(random, 27, 4.8))),
    smoking: chance(random, 0.62) ? "never" : chance(random, 0.6) ? "former" : "daily",
  };
}

function names(random: Random, female: boolean, adult: boolean, given: string[], family: string): unknown[] {
  const prefix = adult ? { prefix: [female ? (chance(random, 0.6) ? "Mrs." : "Ms.") : "Mr."] } : {};
  const official = { use: "official", text: `${given.join(" ")} ${family}`, family, given, ...prefix };
  if (!female || !adult || !chance(random, 0.35)) return [official];
  return [official, { use: "maiden", family: pick(random, FAMILY_NAMES), given }];
}

function category(kind: "race" | "ethnicity", code: string, display: string): unknown {
  return {
    url: `http://hl7.org/fhir/us/core/StructureDefinition/us-core-${kind}`,
    extension: [
      { url: "ombCategory", valueCoding: { system: "urn:oid:2.16.840.1.113883.6.238", code, display } },
      { url: "text", valueString: display },
    ],
  };
}

function maritalStatus(random: Random): unknown {
  const { code, display } = pickWeighted(random, MARITAL);
  return hl7Concept("v3-MaritalStatus", code, display);
}

function language(spanish: boolean): unknown {
  const code = spanish ? "es" : "en-US";
  const display = spanish ? "Spanish" : "English (United States)";
  return { coding: [{ system: "urn:ietf:bcp:47", code, display }], text: spanish ? "Spanish" : "English" };
}
