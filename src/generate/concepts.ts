/** A CodeableConcept with one coding. */
export interface Concept {
  readonly coding: readonly { readonly system: string; readonly code: string; readonly display?: string }[];
  readonly text?: string;
}

/** Code systems of the generated data. */
export const SNOMED = "http://snomed.info/sct";
export const LOINC = "http://loinc.org";
export const RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm";
export const CVX = "http://hl7.org/fhir/sid/cvx";
export const UCUM_SYSTEM = "http://unitsofmeasure.org";
export const US_NPI = "http://hl7.org/fhir/sid/us-npi";
const HL7 = "http://terminology.hl7.org/CodeSystem/";

/** A concept of any system, with its display as text. */
export function concept(system: string, code: string, display: string): Concept {
  return { coding: [{ system, code, display }], text: display };
}

/** A concept of one of HL7's own code systems, named by the last part of its URL. */
export function hl7Concept(name: string, code: string, display?: string): Concept {
  return { coding: [{ system: HL7 + name, code, ...(display === undefined ? {} : { display }) }] };
}

/** A coding of one of HL7's own code systems. */
export function hl7Coding(name: string, code: string, display: string): Concept["coding"][number] {
  return { system: HL7 + name, code, display };
}
