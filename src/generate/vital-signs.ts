import { dateTimeAt, instantAt, MINUTE, YEAR } from "./calendar.ts";
import { concept, hl7Coding, LOINC, SNOMED, UCUM_SYSTEM, type Concept } from "./concepts.ts";
import type { Reference } from "./facility.ts";
import { measure, type Measure } from "./panels.ts";
import type { Person } from "./person.ts";
import { bell, uuid, type Random } from "./random.ts";
import type { Emit } from "./sink.ts";

/** What is known of a patient at a visit, and where its resources go. */
export interface VisitContext {
  readonly random: Random;
  readonly person: Person;
  readonly emit: Emit;
  readonly encounter: { readonly reference: string };
  readonly practitioner: Reference;
  /** Start of the visit, UTC milliseconds. */
  readonly start: number;
  /** Age in years. */
  readonly age: number;
  readonly fever: boolean;
  /** What present chronic diseases do to measurements. */
  readonly effects: ReadonlySet<string>;
}

const VITAL_SIGNS = { coding: [hl7Coding("observation-category", "vital-signs", "Vital Signs")] };
const SOCIAL_HISTORY = { coding: [hl7Coding("observation-category", "social-history", "Social History")] };
const HEIGHT = measure("8302-2", "Body height", "cm", 0, 0, 1);
const WEIGHT = measure("29463-7", "Body weight", "kg", 0, 0, 1);
const BODY_MASS = measure("39156-5", "Body mass index (BMI) [Ratio]", "kg/m2", 0, 0, 1);
const HEART_RATE = measure("8867-4", "Heart rate", "/min", 0, 0, 0);
const BREATHS = measure("9279-1", "Respiratory rate", "/min", 0, 0, 0);
const TEMPERATURE = measure("8310-5", "Body temperature", "Cel", 0, 0, 1);
const OXYGEN = measure("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "%", 0, 0, 0);
const BLOOD_PRESSURE = concept(LOINC, "85354-9", "Blood pressure panel with all children optional");
const SYSTOLIC = measure("8480-6", "Systolic blood pressure", "mm[Hg]", 0, 0, 0);
const DIASTOLIC = measure("8462-4", "Diastolic blood pressure", "mm[Hg]", 0, 0, 0);
const SMOKING = concept(LOINC, "72166-2", "Tobacco smoking status");
const SMOKING_STATUS: Readonly<Record<Person["smoking"], Concept>> = {
  never: concept(SNOMED, "266919005", "Never smoked tobacco (finding)"),
  former: concept(SNOMED, "8517006", "Ex-smoker (finding)"),
  daily: concept(SNOMED, "449868002", "Smokes tobacco daily (finding)"),
};

/** Share of the adult height reached at each birthday from 0 to 18. */
const GROWTH = [
  0.29, 0.43, 0.5, 0.55, 0.59, 0.63, 0.67, 0.7, 0.735, 0.765, 0.795, 0.825, 0.855, 0.895, 0.935, 0.965, 0.985, 0.995, 1,
];

/** Emits what a nurse measures at a visit: size, blood pressure, heart, breath, temperature, oxygen; smoking of adults. */
export function generateVitalSigns(visit: VisitContext, complete: boolean): void {
  const { random, person, age } = visit;
  const young = Math.max(0, 1 - age / 18);
  const height = person.height * growthAt(age);
  const bodyMass = bodyMassAt(person, age) + bell(random, 0, 0.4);
  if (complete) {
    observe(visit, HEIGHT, height);
    observe(visit, WEIGHT, (bodyMass * height * height) / 10_000);
    observe(visit, BODY_MASS, bodyMass);
  }
  if (age >= 3) {
    const strain = visit.effects.has("hypertension") ? 16 : 0;
    const systolic = (age < 18 ? 92 + age * 1.3 : 112 + (age - 18) * 0.22) + strain + (bodyMass - 25) * 0.4;
    emitBloodPressure(visit, bell(random, systolic, 7), bell(random, systolic * 0.62 + 3, 5));
  }
  observe(visit, HEART_RATE, bell(random, 74 + young * 55 + (visit.fever ? 14 : 0), 7));
  observe(visit, BREATHS, bell(random, 15 + young * 18 + (visit.effects.has("lungs") ? 3 : 0), 1.5));
  observe(visit, TEMPERATURE, visit.fever ? bell(random, 38.4, 0.4) : bell(random, 36.8, 0.22));
  observe(visit, OXYGEN, Math.min(100, bell(random, visit.effects.has("lungs") ? 95.5 : 98, 0.8)));
  if (complete && age >= 18) {
    visit.emit("Observation", {
      ...frame(visit, SMOKING, SOCIAL_HISTORY),
      valueCodeableConcept: SMOKING_STATUS[person.smoking],
    });
  }
}

/** A Quantity of a measure, rounded to its digits. */
export function quantity(of: Measure, value: number): Readonly<Record<string, unknown>> {
  return { value: Number(value.toFixed(of.digits)), unit: of.unit, system: UCUM_SYSTEM, code: of.unit };
}

/** The members that all observations of a visit share. */
export function frame(
  visit: VisitContext,
  code: Concept,
  category: unknown,
  minutes = 4,
): Readonly<Record<string, unknown>> {
  const time = visit.start + minutes * MINUTE;
  return {
    resourceType: "Observation",
    id: uuid(visit.random),
    status: "final",
    category: [category],
    code,
    subject: visit.person.reference,
    encounter: visit.encounter,
    effectiveDateTime: dateTimeAt(time, visit.person.offset),
    issued: instantAt(time + MINUTE, visit.person.offset),
    performer: [visit.practitioner],
  };
}

function observe(visit: VisitContext, of: Measure, value: number): void {
  visit.emit("Observation", { ...frame(visit, of.code, VITAL_SIGNS), valueQuantity: quantity(of, value) });
}

function emitBloodPressure(visit: VisitContext, systolic: number, diastolic: number): void {
  visit.emit("Observation", {
    ...frame(visit, BLOOD_PRESSURE, VITAL_SIGNS),
    component: [
      { code: SYSTOLIC.code, valueQuantity: quantity(SYSTOLIC, systolic) },
      { code: DIASTOLIC.code, valueQuantity: quantity(DIASTOLIC, diastolic) },
    ],
  });
}

function growthAt(age: number): number {
  if (age >= 18) return 1;
  const year = Math.floor(age);
  const before = GROWTH[year] ?? 1;
  return before + ((GROWTH[year + 1] ?? 1) - before) * (age - year);
}

function bodyMassAt(person: Person, age: number): number {
  if (age < 1) return 13.5 + age * 3.5;
  const child = 16 + Math.max(0, age - 6) * 0.4;
  return age >= 18 ? person.bodyMass : child + ((person.bodyMass - 21) * age) / 18;
}

/** Age in years at a moment. */
export function ageAt(person: Person, time: number): number {
  return (time - person.birth) / YEAR;
}
