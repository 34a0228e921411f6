import type { Json } from "./full-server.ts";

/** What the tests of exports store: three patients and what refers to them; BASE stands for the base of the server. */
export const RESOURCES: readonly Json[] = [
  { resourceType: "Patient", id: "p1", gender: "female", name: [{ family: "A" }] },
  {
    resourceType: "Patient",
    id: "p2",
    gender: "male",
    link: [{ other: { reference: "Patient/p1" }, type: "seealso" }],
  },
  { resourceType: "Patient", id: "p3", gender: "male" },
  { resourceType: "Organization", id: "org", name: "O" },
  ...["p1", "p2", "p3"].flatMap((patient, index) => [
    {
      resourceType: "Observation",
      id: `o-${patient}`,
      status: index === 2 ? "amended" : "final",
      code: { coding: [{ system: "urn:c", code: `c${String(index)}` }] },
      subject: { reference: `Patient/${patient}` },
    },
    {
      resourceType: "Condition",
      id: `c-${patient}`,
      // One of them is written as a URL of the server itself
      subject: { reference: `${index === 0 ? "BASE/" : ""}Patient/${patient}` },
      code: { text: "x" },
    },
  ]),
  { resourceType: "Observation", id: "o-nobody", status: "final", code: { text: "x" } },
  { resourceType: "Observation", id: "o-unknown", status: "final", subject: { reference: "Patient/unknown" } },
  // By another parameter than `patient`
  { resourceType: "Observation", id: "o-performer", status: "final", performer: [{ reference: "Patient/p2" }] },
  {
    resourceType: "Group",
    id: "g",
    type: "person",
    actual: true,
    member: [
      { entity: { reference: "Patient/p1" } },
      { entity: { reference: "Patient/p3" }, inactive: true },
      { entity: { reference: "Patient/unknown" } },
      { entity: { reference: "Practitioner/p2" } },
    ],
  },
];

/** `Type/id` of all of them, sorted. */
export const ALL: readonly string[] = RESOURCES.map(
  ({ resourceType, id }) => `${String(resourceType)}/${String(id)}`,
).toSorted();

/** An encounter of a patient with an organization, a practitioner and a location of this number. */
export function encounter(base: string, id: string, subject: string, n: number): Json {
  return {
    resourceType: "Encounter",
    id,
    status: "finished",
    class: { code: "AMB" },
    subject: { reference: `Patient/${subject}` },
    serviceProvider: { reference: `Organization/r${String(n)}` },
    // Written as a URL of the server itself
    participant: [{ individual: { reference: `${base}/Practitioner/r${String(n)}` } }],
    location: [{ location: { reference: `Location/r${String(n)}` } }],
  };
}
