import { concept, LOINC, type Concept } from "./concepts.ts";

/** A measured quantity: code, UCUM unit, usual range and digits after the point. */
export interface Measure {
  readonly code: Concept;
  readonly unit: string;
  readonly low: number;
  readonly high: number;
  readonly digits: number;
}

/** A laboratory panel: the report's code and its tests. */
export interface Panel {
  readonly code: Concept;
  readonly tests: readonly Measure[];
}

/** Makes a measure of a LOINC code. */
export function measure(
  code: string,
  display: string,
  unit: string,
  low: number,
  high: number,
  digits: number,
): Measure {
  return { code: concept(LOINC, code, display), unit, low, high, digits };
}

export const GLUCOSE: Measure = measure("2339-0", "Glucose [Mass/volume] in Blood", "mg/dL", 70, 100, 0);
export const CREATININE: Measure = measure("38483-4", "Creatinine [Mass/volume] in Blood", "mg/dL", 0.6, 1.2, 2);
export const CHOLESTEROL: Measure = measure(
  "2093-3",
  "Cholesterol [Mass/volume] in Serum or Plasma",
  "mg/dL",
  125,
  200,
  0,
);
export const TRIGLYCERIDES: Measure = measure(
  "2571-8",
  "Triglyceride [Mass/volume] in Serum or Plasma",
  "mg/dL",
  60,
  150,
  0,
);
export const LDL: Measure = measure(
  "18262-6",
  "Cholesterol in LDL [Mass/volume] in Serum or Plasma by Direct assay",
  "mg/dL",
  60,
  130,
  0,
);
export const HEMOGLOBIN: Measure = measure("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 12, 17.5, 1);
export const HBA1C: Measure = measure("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4.4, 5.7, 1);

export const METABOLIC_PANEL: Panel = {
  code: concept(LOINC, "51990-0", "Basic metabolic panel - Blood"),
  tests: [
    GLUCOSE,
    measure("6299-2", "Urea nitrogen [Mass/volume] in Blood", "mg/dL", 7, 20, 0),
    CREATININE,
    measure("49765-1", "Calcium [Mass/volume] in Blood", "mg/dL", 8.6, 10.3, 1),
    measure("2947-0", "Sodium [Moles/volume] in Blood", "mmol/L", 136, 145, 0),
    measure("6298-4", "Potassium [Moles/volume] in Blood", "mmol/L", 3.5, 5.1, 1),
    measure("2069-3", "Chloride [Moles/volume] in Blood", "mmol/L", 98, 107, 0),
    measure("20565-8", "Carbon dioxide, total [Moles/volume] in Blood", "mmol/L", 22, 29, 0),
  ],
};

export const LIPID_PANEL: Panel = {
  code: concept(LOINC, "57698-3", "Lipid panel with direct LDL - Serum or Plasma"),
  tests: [
    CHOLESTEROL,
    TRIGLYCERIDES,
    LDL,
    measure("2085-9", "Cholesterol in HDL [Mass/volume] in Serum or Plasma", "mg/dL", 40, 70, 0),
  ],
};

export const BLOOD_COUNT: Panel = {
  code: concept(LOINC, "58410-2", "CBC panel - Blood by Automated count"),
  tests: [
    measure("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 4.5, 11, 1),
    measure("789-8", "Erythrocytes [#/volume] in Blood by Automated count", "10*6/uL", 4.2, 5.9, 2),
    HEMOGLOBIN,
    measure("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", "%", 36, 50, 1),
    measure("787-2", "MCV [Entitic volume] by Automated count", "fL", 80, 96, 1),
    measure("777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL", 150, 400, 0),
  ],
};
