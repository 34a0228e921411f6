import { DAY, dateAt, dateTimeAt, MINUTE, REFERENCE_TIME, YEAR } from "./calendar.ts";
import { concept, hl7Coding, hl7Concept, SNOMED, type Concept } from "./concepts.ts";
import { ALLERGIES, CHRONIC_DISEASES, type ChronicDisease, type Drug } from "./diseases.ts";
import { generatePanel, generateTest } from "./laboratory.ts";
import { BLOOD_COUNT, HBA1C, LIPID_PANEL, METABOLIC_PANEL } from "./panels.ts";
import type { Person } from "./person.ts";
import { chance, pick, unit, uuid, whole, type Random } from "./random.ts";
import { planVisits, type Visit } from "./schedule.ts";
import type { Emit } from "./sink.ts";
import { INFLUENZA, VACCINES } from "./vaccines.ts";
import { ageAt, generateVitalSigns, type VisitContext } from "./vital-signs.ts";

interface Illness {
  readonly disease: ChronicDisease;
  readonly onset: number;
  /** Reference to the Condition, once it is recorded. */
  condition: string | undefined;
  /** When its drugs were last prescribed. */
  prescribed: number;
}

const VISIT_TYPES: Readonly<Record<Visit["kind"], Concept>> = {
  checkup: concept(SNOMED, "185349003", "Encounter for check up (procedure)"),
  problem: concept(SNOMED, "185347001", "Encounter for problem (procedure)"),
  emergency: concept(SNOMED, "50849002", "Emergency room admission (procedure)"),
};
const AMBULATORY = hl7Coding("v3-ActCode", "AMB", "ambulatory");
const EMERGENCY = hl7Coding("v3-ActCode", "EMER", "emergency");
const ACTIVE = hl7Concept("condition-clinical", "active", "Active");
const RESOLVED = hl7Concept("condition-clinical", "resolved", "Resolved");
const CONFIRMED = hl7Concept("condition-ver-status", "confirmed", "Confirmed");
const DIAGNOSIS = hl7Concept("condition-category", "encounter-diagnosis", "Encounter Diagnosis");
const PROBLEM = hl7Concept("condition-category", "problem-list-item", "Problem List Item");
const MEDICATION_REVIEW = concept(SNOMED, "428191000124101", "Documentation of current medications (procedure)");
const DEPRESSION_SCREENING = concept(SNOMED, "171207006", "Depression screening (procedure)");
const COLONOSCOPY = concept(SNOMED, "73761001", "Colonoscopy (procedure)");
const MAMMOGRAPHY = concept(SNOMED, "24623002", "Screening mammography (procedure)");
const SPIROMETRY = concept(SNOMED, "127783003", "Spirometry (procedure)");

const HOW_OFTEN = ["", "once", "twice", "three times"];

/** Emits everything that happened to a patient: visits with measurements, diagnoses, treatments, vaccinations. */
export function generateHistory(random: Random, person: Person, emit: Emit): void {
  const illnesses = drawIllnesses(random, person);
  const visits = planVisits(random, person);
  let monthsBefore = -1;
  for (const [index, visit] of visits.entries()) {
    const age = ageAt(person, visit.start);
    const context = openVisit(random, person, visit, age, illnesses, emit);
    if (index === 0) generateAllergies(context);
    for (const illness of illnesses) treat(context, illness);
    generateVitalSigns(context, visit.kind === "checkup");
    if (visit.kind === "checkup") {
      if (monthsBefore < 0 && age > 1) monthsBefore = (age - 1) * 12;
      vaccinate(context, monthsBefore, age * 12);
      monthsBefore = age * 12;
      if (age >= 18) examine(context);
    } else if (visit.disease !== undefined) {
      const { code, days, drug, procedure } = visit.disease;
      const condition = diagnose(context, code, visit.start, visit.start + days * DAY);
      if (drug !== undefined) prescribe(context, drug, condition, "completed");
      if (procedure !== undefined) perform(context, procedure, 10);
    }
  }
}

function openVisit(
  random: Random,
  person: Person,
  visit: Visit,
  age: number,
  illnesses: readonly Illness[],
  emit: Emit,
): VisitContext {
  const id = uuid(random);
  const practitioner = visit.kind === "checkup" ? person.doctor : pick(random, person.facility.practitioners);
  // long enough for all that is done in it
  const minutes =
    visit.kind === "emergency" ? whole(random, 60, 260) : whole(random, visit.kind === "checkup" ? 8 : 4, 12) * 5;
  emit("Encounter", {
    resourceType: "Encounter",
    id,
    status: "finished",
    class: visit.kind === "emergency" ? EMERGENCY : AMBULATORY,
    type: [VISIT_TYPES[visit.kind]],
    subject: person.reference,
    participant: [{ individual: practitioner }],
    period: {
      start: dateTimeAt(visit.start, person.offset),
      end: dateTimeAt(visit.start + minutes * MINUTE, person.offset),
    },
    ...(visit.disease === undefined ? {} : { reasonCode: [visit.disease.code] }),
    location: [{ location: person.facility.location }],
    serviceProvider: person.facility.organization,
  });
  const effects = new Set<string>();
  for (const { disease, onset } of illnesses) if (onset <= visit.start) effects.add(disease.effect ?? "other");
  return {
    random,
    person,
    emit,
    encounter: { reference: `Encounter/${id}` },
    practitioner,
    start: visit.start,
    age,
    fever: visit.disease?.fever ?? false,
    effects,
  };
}

function drawIllnesses(random: Random, person: Person): Illness[] {
  const illnesses: Illness[] = [];
  for (const disease of CHRONIC_DISEASES) {
    const onset = person.birth + (disease.fromAge + unit(random) * 45) * YEAR;
    if (chance(random, disease.share * 1.25) && onset < person.end) {
      illnesses.push({ disease, onset, condition: undefined, prescribed: -Infinity });
    }
  }
  return illnesses;
}

/** Records a chronic disease at the first visit after it began, and renews its drugs once a year. */
function treat(visit: VisitContext, illness: Illness): void {
  if (illness.onset > visit.start) return;
  illness.condition ??= diagnose(visit, illness.disease.code, illness.onset, undefined);
  if (visit.start - illness.prescribed < 340 * DAY) return;
  illness.prescribed = visit.start;
  const current = visit.person.alive && visit.start > REFERENCE_TIME - YEAR;
  for (const drug of illness.disease.drugs) prescribe(visit, drug, illness.condition, current ? "active" : "completed");
}

function diagnose(visit: VisitContext, code: Concept, onset: number, abatement: number | undefined): string {
  const { random, person } = visit;
  const id = uuid(random);
  const over = abatement !== undefined && abatement < person.end;
  visit.emit("Condition", {
    resourceType: "Condition",
    id,
    clinicalStatus: over ? RESOLVED : ACTIVE,
    verificationStatus: CONFIRMED,
    category: [abatement === undefined ? PROBLEM : DIAGNOSIS],
    code,
    subject: person.reference,
    encounter: visit.encounter,
    onsetDateTime: dateTimeAt(Math.floor(onset / 1000) * 1000, person.offset),
    ...(over ? { abatementDateTime: dateTimeAt(abatement, person.offset) } : {}),
    recordedDate: dateTimeAt(visit.start + 6 * MINUTE, person.offset),
    recorder: visit.practitioner,
  });
  return `Condition/${id}`;
}

function prescribe(visit: VisitContext, drug: Drug, condition: string, status: "active" | "completed"): void {
  const regular = drug.daily > 0;
  visit.emit("MedicationRequest", {
    resourceType: "MedicationRequest",
    id: uuid(visit.random),
    status,
    intent: "order",
    medicationCodeableConcept: drug.medication,
    subject: visit.person.reference,
    encounter: visit.encounter,
    authoredOn: dateTimeAt(visit.start + 14 * MINUTE, visit.person.offset),
    requester: visit.practitioner,
    reasonReference: [{ reference: condition }],
    dosageInstruction: [
      {
        sequence: 1,
        text: regular ? `${drug.dose}, ${HOW_OFTEN[drug.daily] ?? ""} a day` : `${drug.dose}, when needed`,
        ...(regular ? { timing: { repeat: { frequency: drug.daily, period: 1, periodUnit: "d" } } } : {}),
        asNeededBoolean: !regular,
      },
    ],
  });
}

function perform(visit: VisitContext, code: Concept, minutes: number): void {
  const start = visit.start + 8 * MINUTE;
  visit.emit("Procedure", {
    resourceType: "Procedure",
    id: uuid(visit.random),
    status: "completed",
    code,
    subject: visit.person.reference,
    encounter: visit.encounter,
    performedPeriod: {
      start: dateTimeAt(start, visit.person.offset),
      end: dateTimeAt(start + minutes * MINUTE, visit.person.offset),
    },
    performer: [{ actor: visit.practitioner }],
    location: visit.person.facility.location,
  });
}

/** What an adult's check-up adds: laboratory every other year (every year with a chronic disease), screenings. */
function examine(visit: VisitContext): void {
  const { random, person, age, effects } = visit;
  const year = Math.floor(age);
  if (effects.size > 0 || year % 2 === 0) {
    generatePanel(visit, METABOLIC_PANEL);
    if (age >= 35) generatePanel(visit, LIPID_PANEL);
    if (chance(random, 0.5) || effects.has("anemia")) generatePanel(visit, BLOOD_COUNT);
    if (effects.has("diabetes") || chance(random, 0.2)) generateTest(visit, HBA1C);
  }
  if (effects.size > 0) perform(visit, MEDICATION_REVIEW, 5);
  if (chance(random, 0.3)) perform(visit, DEPRESSION_SCREENING, 5);
  if (effects.has("lungs")) perform(visit, SPIROMETRY, 10);
  if (age >= 50 && age < 76 && year % 10 === 0) perform(visit, COLONOSCOPY, 30);
  if (person.female && age >= 50 && age < 75 && year % 2 === 1) perform(visit, MAMMOGRAPHY, 15);
}

function vaccinate(visit: VisitContext, after: number, until: number): void {
  const { random, person } = visit;
  const due = VACCINES.filter((vaccine) => vaccine.months.some((month) => month > after && month <= until)).map(
    (vaccine) => vaccine.code,
  );
  if (until >= 6 && chance(random, 0.6)) due.push(INFLUENZA);
  for (const vaccineCode of due) {
    visit.emit("Immunization", {
      resourceType: "Immunization",
      id: uuid(random),
      status: "completed",
      vaccineCode,
      patient: person.reference,
      encounter: visit.encounter,
      occurrenceDateTime: dateTimeAt(visit.start + 10 * MINUTE, person.offset),
      primarySource: true,
      location: person.facility.location,
      lotNumber: `L${String(whole(random, 10_000, 99_999))}`,
      expirationDate: dateAt(visit.start + whole(random, 90, 500) * DAY, person.offset),
      performer: [{ actor: visit.practitioner }],
    });
  }
}

function generateAllergies(visit: VisitContext): void {
  const { random, person } = visit;
  if (visit.person.end - visit.person.birth < 2 * YEAR || !chance(random, 0.24)) return;
  const first = whole(random, 0, ALLERGIES.length - 1);
  const count = chance(random, 0.35) ? 2 : 1;
  for (let index = 0; index < count; index++) {
    const allergy = ALLERGIES[(first + index * 3) % ALLERGIES.length] as (typeof ALLERGIES)[number];
    visit.emit("AllergyIntolerance", {
      resourceType: "AllergyIntolerance",
      id: uuid(random),
      clinicalStatus: hl7Concept("allergyintolerance-clinical", "active", "Active"),
      verificationStatus: hl7Concept("allergyintolerance-verification", "confirmed", "Confirmed"),
      type: "allergy",
      category: [allergy.category],
      criticality: chance(random, 0.2) ? "high" : "low",
      code: allergy.code,
      patient: person.reference,
      encounter: visit.encounter,
      recordedDate: dateTimeAt(visit.start + 5 * MINUTE, person.offset),
      recorder: visit.practitioner,
      reaction: [{ manifestation: [allergy.reaction], severity: pick(random, ["mild", "moderate"]) }],
    });
  }
}
