import { hl7Coding, hl7Concept, US_NPI } from "./concepts.ts";
import { FAMILY_NAMES, FEMALE_NAMES, MALE_NAMES, STREET_KINDS, STREETS } from "./names.ts";
import { PLACES, type Place } from "./places.ts";
import { chance, createRandom, pick, uuid, whole, type Random } from "./random.ts";
import type { Emit } from "./sink.ts";

/** A FHIR Reference. */
export interface Reference {
  readonly reference: string;
  readonly display: string;
}

/** A clinic: references to it and to the people who work there. */
export interface Facility {
  readonly place: Place;
  readonly organization: Reference;
  readonly location: Reference;
  readonly practitioners: readonly Reference[];
}

const LOCATION_NUMBER = "https://clinics.example.org/location-number";
const KINDS = ["Medical Center", "Family Health", "Community Hospital", "Clinic", "Primary Care"];

/**
 * Emits the organizations, locations and practitioners of a population of `patients`, and returns how to refer to them:
 * by `Type/id`, or by identifier as Synthea does (`Practitioner?identifier=system|value`).
 */
export function generateFacilities(seed: number, patients: number, conditional: boolean, emit: Emit): Facility[] {
  const random = createRandom(seed, "facilities");
  const count = Math.min(400, Math.max(3, Math.ceil(patients / 60)));
  const facilities: Facility[] = [];
  for (let number = 0; number < count; number++) {
    const place = PLACES[number % PLACES.length] as Place;
    const refer = (type: string, id: string, identifier: string, display: string): Reference => ({
      reference: conditional ? `${type}?identifier=${identifier}` : `${type}/${id}`,
      display,
    });
    const name = `${place.city} ${pick(random, STREETS)} ${pick(random, KINDS)}`;
    const organizationId = uuid(random);
    const organizationNpi = npi(900_000 + number);
    const address = streetAddress(random, place);
    const telecom = [{ system: "phone", value: phone(random, place), use: "work" }];
    emit("Organization", {
      resourceType: "Organization",
      id: organizationId,
      identifier: [{ system: US_NPI, value: organizationNpi }],
      active: true,
      type: [{ coding: [hl7Coding("organization-type", "prov", "Healthcare Provider")], text: "Healthcare Provider" }],
      name,
      telecom,
      address: [address],
    });
    const organization = refer("Organization", organizationId, `${US_NPI}|${organizationNpi}`, name);
    const locationId = uuid(random);
    const locationNumber = `L${String(number + 1).padStart(5, "0")}`;
    emit("Location", {
      resourceType: "Location",
      id: locationId,
      identifier: [{ system: LOCATION_NUMBER, value: locationNumber }],
      status: "active",
      name: `${name}, main building`,
      mode: "instance",
      type: [hl7Concept("v3-RoleCode", "HOSP", "Hospital")],
      telecom,
      address,
      managingOrganization: organization,
    });
    const practitioners: Reference[] = [];
    for (let index = 0; index < 4; index++) {
      practitioners.push(generatePractitioner(random, place, number * 4 + index, refer, emit));
    }
    facilities.push({
      place,
      organization,
      location: refer("Location", locationId, `${LOCATION_NUMBER}|${locationNumber}`, `${name}, main building`),
      practitioners,
    });
  }
  return facilities;
}

function generatePractitioner(
  random: Random,
  place: Place,
  number: number,
  refer: (type: string, id: string, identifier: string, display: string) => Reference,
  emit: Emit,
): Reference {
  const id = uuid(random);
  const female = chance(random, 0.5);
  const given = pick(random, female ? FEMALE_NAMES : MALE_NAMES);
  const family = pick(random, FAMILY_NAMES);
  const value = npi(number);
  emit("Practitioner", {
    resourceType: "Practitioner",
    id,
    identifier: [{ type: hl7Concept("v2-0203", "NPI", "National provider identifier"), system: US_NPI, value }],
    active: true,
    name: [{ use: "official", family, given: [given], prefix: ["Dr."] }],
    telecom: [{ system: "phone", value: phone(random, place), use: "work" }],
    address: [streetAddress(random, place)],
    gender: female ? "female" : "male",
    qualification: [{ code: hl7Concept("v2-0360", "MD", "Doctor of Medicine") }],
  });
  return refer("Practitioner", id, `${US_NPI}|${value}`, `Dr. ${given} ${family}`);
}

/** An Address in `place`. */
export function streetAddress(random: Random, place: Place): Readonly<Record<string, unknown>> {
  const line = [`${String(whole(random, 1, 1999))} ${pick(random, STREETS)} ${pick(random, STREET_KINDS)}`];
  if (chance(random, 0.25)) line.push(`Apt ${String(whole(random, 1, 60))}`);
  const postalCode = `${place.postalPrefix}${String(whole(random, 1, 39)).padStart(2, "0")}`;
  return { line, city: place.city, state: place.state, postalCode, country: "US" };
}

/** A telephone number of the range that is kept free for fiction. */
export function phone(random: Random, place: Place): string {
  return `${place.areaCode}-555-01${String(whole(random, 0, 99)).padStart(2, "0")}`;
}

/** A national provider identifier with a right check digit, of a range (999...) that is not given out. */
function npi(number: number): string {
  const digits = `999${String(number).padStart(6, "0")}`;
  let sum = 24; // the constant that stands for the prefix 80840
  for (let index = 0; index < 9; index++) {
    const digit = Number(digits[8 - index]);
    const doubled = index % 2 === 0 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits + String((10 - (sum % 10)) % 10);
}
