import { concept, RXNORM, SNOMED, type Concept } from "./concepts.ts";

/** A drug with how it is taken. */
export interface Drug {
  readonly medication: Concept;
  readonly dose: string;
  /** Times a day; 0 is "as needed". */
  readonly daily: number;
}

/** A disease that stays: who gets it (share of lives, from which age), and what it is treated with. */
export interface ChronicDisease {
  readonly code: Concept;
  readonly share: number;
  readonly fromAge: number;
  readonly drugs: readonly Drug[];
  /** What it does to measurements. */
  readonly effect?: "hypertension" | "diabetes" | "lipids" | "lungs" | "kidney" | "anemia";
}

/** A disease that passes within `days`. */
export interface AcuteDisease {
  readonly code: Concept;
  readonly weight: number;
  readonly fromAge: number;
  readonly toAge: number;
  readonly days: number;
  readonly fever?: true;
  readonly emergency?: true;
  readonly drug?: Drug;
  readonly procedure?: Concept;
}

/** An allergy, by what it is against. */
export interface Allergy {
  readonly code: Concept;
  readonly category: "food" | "medication" | "environment";
  readonly reaction: Concept;
}

function drug(code: string, display: string, dose: string, daily: number): Drug {
  return { medication: concept(RXNORM, code, display), dose, daily };
}

function snomed(code: string, display: string): Concept {
  return concept(SNOMED, code, display);
}

const ACETAMINOPHEN = drug("313782", "Acetaminophen 325 MG Oral Tablet", "2 tablets", 0);
const IBUPROFEN = drug("310965", "Ibuprofen 200 MG Oral Tablet", "1 tablet", 0);
const AMOXICILLIN = drug("308182", "Amoxicillin 250 MG Oral Capsule", "1 capsule", 3);
const SIMVASTATIN = drug("312961", "Simvastatin 20 MG Oral Tablet", "1 tablet", 1);
const ALBUTEROL = drug("745679", "200 ACTUAT Albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "2 puffs", 0);

export const CHRONIC_DISEASES: readonly ChronicDisease[] = [
  {
    code: snomed("38341003", "Hypertensive disorder, systemic arterial (disorder)"),
    share: 0.42,
    fromAge: 35,
    effect: "hypertension",
    drugs: [
      drug("314076", "lisinopril 10 MG Oral Tablet", "1 tablet", 1),
      drug("197361", "amlodipine 5 MG Oral Tablet", "1 tablet", 1),
    ],
  },
  {
    code: snomed("44054006", "Diabetes mellitus type 2 (disorder)"),
    share: 0.13,
    fromAge: 38,
    effect: "diabetes",
    drugs: [drug("860975", "24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet", "1 tablet", 2)],
  },
  {
    code: snomed("55822004", "Hyperlipidemia (disorder)"),
    share: 0.3,
    fromAge: 35,
    effect: "lipids",
    drugs: [SIMVASTATIN],
  },
  {
    code: snomed("195967001", "Asthma (disorder)"),
    share: 0.09,
    fromAge: 3,
    effect: "lungs",
    drugs: [
      ALBUTEROL,
      drug("895994", "120 ACTUAT Fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler", "2 puffs", 2),
    ],
  },
  {
    code: snomed("13645005", "Chronic obstructive lung disease (disorder)"),
    share: 0.06,
    fromAge: 50,
    effect: "lungs",
    drugs: [
      drug(
        "896209",
        "60 ACTUAT Fluticasone propionate 0.25 MG/ACTUAT / salmeterol 0.05 MG/ACTUAT Dry Powder Inhaler",
        "1 puff",
        2,
      ),
    ],
  },
  {
    code: snomed("49436004", "Atrial fibrillation (disorder)"),
    share: 0.07,
    fromAge: 60,
    drugs: [drug("855332", "Warfarin Sodium 5 MG Oral Tablet", "1 tablet", 1)],
  },
  {
    code: snomed("53741008", "Coronary arteriosclerosis (disorder)"),
    share: 0.08,
    fromAge: 50,
    drugs: [drug("243670", "aspirin 81 MG Oral Tablet", "1 tablet", 1), SIMVASTATIN],
  },
  {
    code: snomed("433144002", "Chronic kidney disease stage 3 (disorder)"),
    share: 0.06,
    fromAge: 55,
    effect: "kidney",
    drugs: [],
  },
  {
    code: snomed("239873007", "Osteoarthritis of knee (disorder)"),
    share: 0.15,
    fromAge: 45,
    drugs: [drug("198014", "Naproxen 500 MG Oral Tablet", "1 tablet", 2)],
  },
  {
    code: snomed("64859006", "Osteoporosis (disorder)"),
    share: 0.07,
    fromAge: 60,
    drugs: [drug("904419", "Alendronic acid 10 MG Oral Tablet", "1 tablet", 1)],
  },
  {
    code: snomed("271737000", "Anemia (disorder)"),
    share: 0.06,
    fromAge: 16,
    effect: "anemia",
    drugs: [drug("310325", "ferrous sulfate 325 MG Oral Tablet", "1 tablet", 1)],
  },
  { code: snomed("37796009", "Migraine (disorder)"), share: 0.1, fromAge: 14, drugs: [IBUPROFEN] },
  {
    code: snomed("232353008", "Perennial allergic rhinitis with seasonal variation (disorder)"),
    share: 0.08,
    fromAge: 4,
    drugs: [drug("665078", "Loratadine 5 MG Chewable Tablet", "1 tablet", 1)],
  },
];

export const ACUTE_DISEASES: readonly AcuteDisease[] = [
  {
    code: snomed("444814009", "Viral sinusitis (disorder)"),
    weight: 20,
    fromAge: 2,
    toAge: 120,
    days: 14,
    fever: true,
  },
  {
    code: snomed("195662009", "Acute viral pharyngitis (disorder)"),
    weight: 14,
    fromAge: 1,
    toAge: 120,
    days: 10,
    fever: true,
  },
  {
    code: snomed("10509002", "Acute bronchitis (disorder)"),
    weight: 12,
    fromAge: 1,
    toAge: 120,
    days: 14,
    fever: true,
    drug: ACETAMINOPHEN,
    procedure: snomed("399208008", "Plain chest X-ray (procedure)"),
  },
  {
    code: snomed("43878008", "Streptococcal sore throat (disorder)"),
    weight: 8,
    fromAge: 3,
    toAge: 45,
    days: 12,
    fever: true,
    drug: drug("834102", "Penicillin V Potassium 500 MG Oral Tablet", "1 tablet", 2),
    procedure: snomed("117015009", "Throat culture (procedure)"),
  },
  {
    code: snomed("65363002", "Otitis media (disorder)"),
    weight: 12,
    fromAge: 0,
    toAge: 8,
    days: 14,
    fever: true,
    drug: AMOXICILLIN,
  },
  {
    code: snomed("75498004", "Acute bacterial sinusitis (disorder)"),
    weight: 6,
    fromAge: 5,
    toAge: 120,
    days: 16,
    drug: drug("562251", "Amoxicillin 250 MG / Clavulanate 125 MG Oral Tablet", "1 tablet", 3),
  },
  {
    code: snomed("44465007", "Sprain of ankle (disorder)"),
    weight: 7,
    fromAge: 5,
    toAge: 85,
    days: 28,
    emergency: true,
    drug: IBUPROFEN,
  },
  {
    code: snomed("70704007", "Sprain of wrist (disorder)"),
    weight: 4,
    fromAge: 5,
    toAge: 90,
    days: 24,
    emergency: true,
    drug: IBUPROFEN,
  },
  {
    code: snomed("284549007", "Laceration of hand (disorder)"),
    weight: 4,
    fromAge: 3,
    toAge: 90,
    days: 21,
    emergency: true,
    procedure: snomed("288086009", "Suture open wound (procedure)"),
  },
  {
    code: snomed("65966004", "Fracture of forearm (disorder)"),
    weight: 2,
    fromAge: 4,
    toAge: 95,
    days: 60,
    emergency: true,
    drug: ACETAMINOPHEN,
    procedure: snomed("274474001", "Bone immobilization (procedure)"),
  },
  {
    code: snomed("62106007", "Concussion with no loss of consciousness (disorder)"),
    weight: 2,
    fromAge: 6,
    toAge: 80,
    days: 20,
    emergency: true,
  },
];

export const ALLERGIES: readonly Allergy[] = [
  {
    code: snomed("419474003", "Allergy to mold (finding)"),
    category: "environment",
    reaction: snomed("76067001", "Sneezing (finding)"),
  },
  {
    code: snomed("232350006", "House dust mite allergy (finding)"),
    category: "environment",
    reaction: snomed("76067001", "Sneezing (finding)"),
  },
  {
    code: snomed("418689008", "Allergy to grass pollen (finding)"),
    category: "environment",
    reaction: snomed("70076002", "Rhinitis (disorder)"),
  },
  {
    code: snomed("91935009", "Allergy to peanut (finding)"),
    category: "food",
    reaction: snomed("39579001", "Anaphylaxis (disorder)"),
  },
  {
    code: snomed("300913006", "Allergy to shellfish (finding)"),
    category: "food",
    reaction: snomed("126485001", "Urticaria (disorder)"),
  },
  {
    code: snomed("91930004", "Allergy to egg protein (finding)"),
    category: "food",
    reaction: snomed("126485001", "Urticaria (disorder)"),
  },
  {
    code: snomed("300916003", "Latex allergy (disorder)"),
    category: "environment",
    reaction: snomed("271807003", "Eruption of skin (disorder)"),
  },
  {
    code: snomed("91936005", "Allergy to penicillin (finding)"),
    category: "medication",
    reaction: snomed("271807003", "Eruption of skin (disorder)"),
  },
];
