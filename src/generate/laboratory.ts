import { dateTimeAt, instantAt, MINUTE } from "./calendar.ts";
import { hl7Coding, hl7Concept } from "./concepts.ts";
import * as tests from "./panels.ts";
import { bell, uuid } from "./random.ts";
import { frame, quantity, type VisitContext } from "./vital-signs.ts";

const LABORATORY = { coding: [hl7Coding("observation-category", "laboratory", "Laboratory")] };
const REPORT_CATEGORY = { coding: [hl7Coding("v2-0074", "LAB", "Laboratory")] };
const HIGH = hl7Concept("v3-ObservationInterpretation", "H", "High");
const LOW = hl7Concept("v3-ObservationInterpretation", "L", "Low");
const NORMAL = hl7Concept("v3-ObservationInterpretation", "N", "Normal");

/** Emits the observations of one panel and the DiagnosticReport that lists them. */
export function generatePanel(visit: VisitContext, panel: tests.Panel): void {
  const results = panel.tests.map((test) => generateTest(visit, test));
  const time = visit.start + 12 * MINUTE;
  visit.emit("DiagnosticReport", {
    resourceType: "DiagnosticReport",
    id: uuid(visit.random),
    status: "final",
    category: [REPORT_CATEGORY],
    code: panel.code,
    subject: visit.person.reference,
    encounter: visit.encounter,
    effectiveDateTime: dateTimeAt(time, visit.person.offset),
    issued: instantAt(time + 3 * MINUTE, visit.person.offset),
    performer: [visit.person.facility.organization],
    result: results,
  });
}

/** Emits one laboratory observation and returns the reference to it. */
export function generateTest(visit: VisitContext, test: tests.Measure): { reference: string; display: string } {
  const middle = (test.low + test.high) / 2;
  const spread = (test.high - test.low) / 4.5;
  const moved = shift(visit, test);
  // the sick differ more from each other than the healthy
  const deviation = moved === 0 ? spread : spread * 2.5;
  const value = Math.max(test.low * 0.4, bell(visit.random, middle + moved, deviation));
  const observation = frame(visit, test.code, LABORATORY, 12);
  const { value: rounded } = quantity(test, value) as { value: number };
  visit.emit("Observation", {
    ...observation,
    valueQuantity: quantity(test, value),
    interpretation: [rounded > test.high ? HIGH : rounded < test.low ? LOW : NORMAL],
    referenceRange: [{ low: quantity(test, test.low), high: quantity(test, test.high) }],
  });
  return { reference: `Observation/${String(observation["id"])}`, display: test.code.text ?? "" };
}

/** How far present diseases move the mean of a test. */
function shift(visit: VisitContext, test: tests.Measure): number {
  const { effects } = visit;
  if (test === tests.GLUCOSE && effects.has("diabetes")) return 55;
  if (test === tests.HBA1C && effects.has("diabetes")) return 2.1;
  if (test === tests.CREATININE && effects.has("kidney")) return 0.9;
  if (test === tests.HEMOGLOBIN && effects.has("anemia")) return -4;
  if (!effects.has("lipids")) return 0;
  if (test === tests.CHOLESTEROL) return 55;
  if (test === tests.LDL) return 45;
  return test === tests.TRIGLYCERIDES ? 60 : 0;
}
