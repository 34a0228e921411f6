/** Takes one generated resource; `type` decides the file. */
export type Emit = (type: string, resource: Readonly<Record<string, unknown>>) => void;

/** Resource types that are generated, in the order in which they refer to each other. */
export const GENERATED_TYPES: readonly string[] = [
  "Organization",
  "Location",
  "Practitioner",
  "Patient",
  "AllergyIntolerance",
  "Encounter",
  "Condition",
  "Observation",
  "DiagnosticReport",
  "MedicationRequest",
  "Procedure",
  "Immunization",
];
