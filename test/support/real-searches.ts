import { at, begins, contains, hasDate, hasQuantity, hasToken, refersTo } from "./fhir-oracle.ts";
import type { Resource } from "./real-data.ts";

/** A search, and which resources of its type it must find. */
export interface RealSearch {
  readonly type: string;
  /** Parameters, `name=value`, AND. Unencoded. */
  readonly query: readonly string[];
  readonly matches: (resource: Resource) => boolean;
}

const LOINC = "http://loinc.org";
const SNOMED = "http://snomed.info/sct";
const UCUM = "http://unitsofmeasure.org";
const SSN = "http://hl7.org/fhir/sid/us-ssn";
/** Some resources of the data set. */
const PATIENT = "Patient/018f428e-34f6-4707-8009-5ad742f901e7";
const ENCOUNTER = "Encounter/a87b575f-a10e-4079-9e9e-e378729e422d";
const PRACTITIONER = "Practitioner/6d705d81-8546-43b2-b336-31a282128f2d";
const ORGANIZATION = "Organization/4861d01f-019c-3dac-a153-8334e50919f9";

/** Code and quantity of the resource itself, or of one component of it. */
function codeAndQuantity(items: readonly unknown[], code: string, quantity: string): boolean {
  return items.some((item) => hasToken(at(item, "code"), code) && hasQuantity(at(item, "valueQuantity"), quantity));
}

function names(resource: Resource): unknown[] {
  return ["family", "given", "prefix", "suffix", "text"].flatMap((part) => at(resource, `name.${part}`));
}

function addressParts(resource: Resource): unknown[] {
  const parts = ["line", "city", "district", "state", "postalCode", "country", "text"];
  return parts.flatMap((part) => at(resource, `address.${part}`));
}

/** Varied searches with counts that are neither nothing nor everything. */
export const REAL_SEARCHES: readonly RealSearch[] = [
  // token
  { type: "Patient", query: ["gender=female"], matches: (r) => r["gender"] === "female" },
  { type: "Patient", query: ["gender:not=female"], matches: (r) => r["gender"] !== "female" },
  {
    type: "Patient",
    query: ["identifier=urn:oid:2.16.840.1.113883.4.3.25|"],
    matches: (r) => hasToken(at(r, "identifier"), "urn:oid:2.16.840.1.113883.4.3.25|"),
  },
  {
    type: "Patient",
    query: [`identifier=${SSN}|999-65-9492`],
    matches: (r) => hasToken(at(r, "identifier"), `${SSN}|999-65-9492`),
  },
  {
    type: "Patient",
    query: ["identifier=S99991568,999-65-9492"],
    matches: (r) => ["S99991568", "999-65-9492"].some((value) => hasToken(at(r, "identifier"), value)),
  },
  { type: "Observation", query: [`code=${LOINC}|8302-2`], matches: (r) => hasToken(at(r, "code"), `${LOINC}|8302-2`) },
  {
    type: "Observation",
    query: ["code=8302-2,29463-7,39156-5"],
    matches: (r) => ["8302-2", "29463-7", "39156-5"].some((code) => hasToken(at(r, "code"), code)),
  },
  {
    type: "Observation",
    query: ["category=vital-signs", "code:not=8302-2"],
    matches: (r) => hasToken(at(r, "category"), "vital-signs") && !hasToken(at(r, "code"), "8302-2"),
  },
  {
    type: "Observation",
    query: [`value-concept=${SNOMED}|266919005`],
    matches: (r) => hasToken(at(r, "valueCodeableConcept"), `${SNOMED}|266919005`),
  },
  {
    type: "Observation",
    query: ["component-code=8462-4"],
    matches: (r) => hasToken(at(r, "component.code"), "8462-4"),
  },
  { type: "Encounter", query: ["class:not=AMB"], matches: (r) => !hasToken(at(r, "class"), "AMB") },
  {
    type: "Encounter",
    query: [`type=${SNOMED}|185349003`, "class=AMB"],
    matches: (r) => hasToken(at(r, "type"), `${SNOMED}|185349003`),
  },
  {
    type: "Encounter",
    query: ["reason-code=72892002,55822004"],
    matches: (r) => ["72892002", "55822004"].some((code) => hasToken(at(r, "reasonCode"), code)),
  },
  {
    type: "MedicationRequest",
    query: ["status=stopped", "code=310965"],
    matches: (r) => r["status"] === "stopped" && hasToken(at(r, "medicationCodeableConcept"), "310965"),
  },
  {
    type: "ImagingStudy",
    query: ["modality=DX,CR"],
    matches: (r) => ["DX", "CR"].some((code) => hasToken(at(r, "series.modality"), code)),
  },
  {
    type: "CarePlan",
    query: ["activity-code=304510005", "status=active"],
    matches: (r) => r["status"] === "active" && hasToken(at(r, "activity.detail.code"), "304510005"),
  },
  {
    type: "ExplanationOfBenefit",
    query: ["identifier=https://bluebutton.cms.gov/resources/variables/clm_id|a37ffc2e-7d4f-4e91-8bd9-1f22e96418bf"],
    matches: (r) => hasToken(at(r, "identifier"), "a37ffc2e-7d4f-4e91-8bd9-1f22e96418bf"),
  },
  {
    type: "Condition",
    query: ["_tag=https://smarthealthit.org/tags|synthea-5-2019", "clinical-status=active"],
    matches: (r) => hasToken(at(r, "meta.tag"), "synthea-5-2019") && hasToken(at(r, "clinicalStatus"), "active"),
  },
  // :missing
  { type: "Patient", query: ["death-date:missing=false"], matches: (r) => r["deceasedDateTime"] !== undefined },
  { type: "Observation", query: ["value-quantity:missing=true"], matches: (r) => r["valueQuantity"] === undefined },
  {
    type: "Observation",
    query: ["value-concept:missing=false", "category=laboratory"],
    matches: (r) => r["valueCodeableConcept"] !== undefined && hasToken(at(r, "category"), "laboratory"),
  },
  {
    type: "Condition",
    query: ["abatement-date:missing=true"],
    matches: (r) => !Object.keys(r).some((name) => name.startsWith("abatement")),
  },
  { type: "CarePlan", query: ["goal:missing=false"], matches: (r) => r["goal"] !== undefined },
  // string
  { type: "Patient", query: ["family=ma"], matches: (r) => begins(at(r, "name.family"), "ma") },
  { type: "Patient", query: ["name=JO"], matches: (r) => begins(names(r), "jo") },
  { type: "Patient", query: ["family:contains=son"], matches: (r) => contains(at(r, "name.family"), "son") },
  { type: "Patient", query: ["given:exact=Adolfo"], matches: (r) => at(r, "name.given").includes("Adolfo") },
  { type: "Patient", query: ["address=spring"], matches: (r) => begins(addressParts(r), "spring") },
  {
    type: "Patient",
    query: ["address-city=Bos,wor"],
    matches: (r) => begins(at(r, "address.city"), "bos") || begins(at(r, "address.city"), "wor"),
  },
  { type: "Organization", query: ["name=north"], matches: (r) => begins(at(r, "name"), "north") },
  {
    type: "Observation",
    query: ["value-string=no"],
    // In R4 the text of a CodeableConcept counts, too.
    matches: (r) => begins([...at(r, "valueString"), ...at(r, "valueCodeableConcept.text")], "no"),
  },
  // reference
  { type: "Observation", query: [`patient=${PATIENT}`], matches: (r) => refersTo(at(r, "subject"), PATIENT) },
  { type: "Observation", query: [`encounter=${ENCOUNTER}`], matches: (r) => refersTo(at(r, "encounter"), ENCOUNTER) },
  {
    type: "Encounter",
    query: [`participant=${PRACTITIONER}`],
    matches: (r) => refersTo(at(r, "participant.individual"), PRACTITIONER),
  },
  {
    type: "Encounter",
    query: [`service-provider=${ORGANIZATION}`, "date=ge2010"],
    matches: (r) => refersTo(at(r, "serviceProvider"), ORGANIZATION) && hasDate(at(r, "period"), "ge2010"),
  },
  { type: "Claim", query: [`patient=${PATIENT}`], matches: (r) => refersTo(at(r, "patient"), PATIENT) },
  {
    type: "ExplanationOfBenefit",
    query: [`care-team=${PRACTITIONER}`],
    matches: (r) => refersTo(at(r, "careTeam.provider"), PRACTITIONER),
  },
  {
    type: "DiagnosticReport",
    query: [`subject=${PATIENT}`, "code=57698-3"],
    matches: (r) => refersTo(at(r, "subject"), PATIENT) && hasToken(at(r, "code"), "57698-3"),
  },
  // date
  {
    type: "Patient",
    query: ["birthdate=ge1950", "birthdate=lt1980-07"],
    matches: (r) => hasDate(at(r, "birthDate"), "ge1950") && hasDate(at(r, "birthDate"), "lt1980-07"),
  },
  {
    type: "Patient",
    query: ["gender=male", "birthdate=gt1990,lt1940"],
    matches: (r) =>
      r["gender"] === "male" && (hasDate(at(r, "birthDate"), "gt1990") || hasDate(at(r, "birthDate"), "lt1940")),
  },
  { type: "Observation", query: ["date=2015-03"], matches: (r) => hasDate(at(r, "effectiveDateTime"), "2015-03") },
  {
    type: "Observation",
    query: ["date=sa2018-06-15"],
    matches: (r) => hasDate(at(r, "effectiveDateTime"), "sa2018-06-15"),
  },
  {
    type: "Observation",
    query: ["date=eb1995", "code=39156-5"],
    matches: (r) => hasDate(at(r, "effectiveDateTime"), "eb1995") && hasToken(at(r, "code"), "39156-5"),
  },
  { type: "Encounter", query: ["date=2014"], matches: (r) => hasDate(at(r, "period"), "2014") },
  { type: "Encounter", query: ["date=le2000-12-31"], matches: (r) => hasDate(at(r, "period"), "le2000-12-31") },
  { type: "Procedure", query: ["date=ne2012"], matches: (r) => hasDate(at(r, "performedPeriod"), "ne2012") },
  {
    type: "Condition",
    query: ["onset-date=ge2010-01-01T00:00:00Z"],
    matches: (r) => hasDate(at(r, "onsetDateTime"), "ge2010-01-01T00:00:00Z"),
  },
  {
    type: "DiagnosticReport",
    query: ["issued=gt2012-10-19T23:37:54.530Z"],
    matches: (r) => hasDate(at(r, "issued"), "gt2012-10-19T23:37:54.530Z"),
  },
  { type: "CarePlan", query: ["date=2017-06"], matches: (r) => hasDate(at(r, "period"), "2017-06") },
  { type: "ExplanationOfBenefit", query: ["created=lt2000"], matches: (r) => hasDate(at(r, "created"), "lt2000") },
  {
    type: "Immunization",
    query: ["vaccine-code=140", "date=ge2015", "date=lt2017"],
    matches: (r) =>
      hasToken(at(r, "vaccineCode"), "140") &&
      hasDate(at(r, "occurrenceDateTime"), "ge2015") &&
      hasDate(at(r, "occurrenceDateTime"), "lt2017"),
  },
  // quantity
  {
    type: "Observation",
    query: ["code=39156-5", "value-quantity=ge25", `value-quantity=lt30|${UCUM}|kg/m2`],
    matches: (r) =>
      hasToken(at(r, "code"), "39156-5") &&
      hasQuantity(at(r, "valueQuantity"), "ge25") &&
      hasQuantity(at(r, "valueQuantity"), `lt30|${UCUM}|kg/m2`),
  },
  {
    type: "Observation",
    query: [`value-quantity=3|${UCUM}|{score}`],
    matches: (r) => hasQuantity(at(r, "valueQuantity"), `3|${UCUM}|{score}`),
  },
  {
    type: "Observation",
    query: ["value-quantity=140.0||mmol/L,gt190||cm"],
    matches: (r) =>
      hasQuantity(at(r, "valueQuantity"), "140.0||mmol/L") || hasQuantity(at(r, "valueQuantity"), "gt190||cm"),
  },
  // composite
  {
    type: "Observation",
    query: [`code-value-quantity=${LOINC}|2339-0$gt100`],
    matches: (r) => codeAndQuantity([r], `${LOINC}|2339-0`, "gt100"),
  },
  {
    type: "Observation",
    query: [`code-value-quantity=2339-0$ge90|${UCUM}|mg/dL,4548-4$gt6.5`],
    matches: (r) => codeAndQuantity([r], "2339-0", `ge90|${UCUM}|mg/dL`) || codeAndQuantity([r], "4548-4", "gt6.5"),
  },
  {
    type: "Observation",
    query: [`component-code-value-quantity=${LOINC}|8480-6$gt140|${UCUM}|mm[Hg]`],
    matches: (r) => codeAndQuantity(at(r, "component"), `${LOINC}|8480-6`, `gt140|${UCUM}|mm[Hg]`),
  },
  {
    type: "Observation",
    query: ["combo-code-value-quantity=8462-4$lt70,29463-7$gt100"],
    matches: (r) =>
      codeAndQuantity([r, ...at(r, "component")], "8462-4", "lt70") ||
      codeAndQuantity([r, ...at(r, "component")], "29463-7", "gt100"),
  },
  {
    type: "Observation",
    query: [`code-value-concept=72166-2$${SNOMED}|8517006`],
    matches: (r) => hasToken(at(r, "code"), "72166-2") && hasToken(at(r, "valueCodeableConcept"), `${SNOMED}|8517006`),
  },
];
