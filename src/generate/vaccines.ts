import { concept, CVX, type Concept } from "./concepts.ts";

/** A vaccine and the ages, in months, at which it is given. */
export interface Vaccine {
  readonly code: Concept;
  readonly months: readonly number[];
}

function vaccine(code: string, display: string, months: readonly number[]): Vaccine {
  return { code: concept(CVX, code, display), months };
}

/** The schedule, shortened; a dose is given at the first check-up on or after its month. */
export const VACCINES: readonly Vaccine[] = [
  vaccine("08", "Hep B, adolescent or pediatric", [0, 1, 6]),
  vaccine("119", "rotavirus, monovalent", [2, 4]),
  vaccine("20", "DTaP", [2, 4, 6, 15, 48]),
  vaccine("49", "Hib (PRP-OMP)", [2, 4, 12]),
  vaccine("133", "Pneumococcal conjugate PCV 13", [2, 4, 6, 12, 780]),
  vaccine("10", "IPV", [2, 4, 6, 48]),
  vaccine("03", "MMR", [12, 48]),
  vaccine("21", "varicella", [12, 48]),
  vaccine("83", "Hep A, ped/adol, 2 dose", [12, 18]),
  vaccine("115", "Tdap", [132]),
  vaccine("62", "HPV, quadrivalent", [132, 138]),
  vaccine("114", "meningococcal MCV4P", [132, 192]),
  vaccine("113", "Td (adult) preservative free", [252, 372, 492, 612, 732, 852, 972]),
  vaccine("121", "zoster", [600]),
];

/** Given at every check-up from half a year of age. */
export const INFLUENZA: Concept = concept(CVX, "140", "Influenza, seasonal, injectable, preservative free");
