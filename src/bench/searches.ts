import type { ObservationSample, Samples } from "./samples.ts";

/** A kind of read that people really do. */
export interface Search {
  readonly title: string;
  /** It counts all that it finds, which takes as long as there are many. */
  readonly counts: boolean;
  /** The path and query below the base, for a sample number; undefined where the data has nothing of the kind. */
  readonly query: (samples: Samples, number: number) => string | undefined;
}

/** The point read and the searches that are measured, with values from the data. */
export const SEARCHES: readonly Search[] = [
  search("read Patient/[id]", (samples, n) => {
    const id = pick(samples.patients, n)?.id;
    return id === undefined ? undefined : `Patient/${id}`;
  }),
  search("Patient by identifier", (samples, n) =>
    one("Patient", { identifier: pick(samples.patients, n)?.identifier }),
  ),
  search("Patient by family name and birth date", (samples, n) => {
    const sample = pick(samples.patients, n);
    return one("Patient", { family: sample?.family, birthdate: sample?.birthDate });
  }),
  search("Patient by the beginning of a family name", (samples, n) =>
    one("Patient", { family: pick(samples.patients, n)?.family?.slice(0, 4) }),
  ),
  search("Observation: a patient's vital signs, newest 20", (samples, n) =>
    one("Observation", {
      patient: pick(samples.observations, n)?.patient,
      category: "vital-signs",
      _sort: "-date",
      _count: "20",
    }),
  ),
  search("Observation by patient and code", (samples, n) => {
    const sample = pick(samples.observations, n);
    return one("Observation", { patient: sample?.patient, code: sample?.code });
  }),
  search("Observation of a patient since a date", (samples, n) => {
    const sample = pick(samples.observations, n);
    return one("Observation", { patient: sample?.patient, date: sample && `ge${sample.date}` });
  }),
  search("Observation by code and value range", (samples, n) => {
    const sample = measured(samples, n);
    return one("Observation", {
      code: sample?.code,
      "value-quantity": sample?.quantity && `gt${(sample.quantity.value * 1.1).toFixed(2)}|${sample.quantity.unit}`,
    });
  }),
  search("Observation of a patient by identifier (chain)", (samples, n) =>
    one("Observation", { "patient.identifier": pick(samples.patients, n)?.identifier }),
  ),
  search("Encounter of a month", (samples, n) =>
    one("Encounter", { date: pick(samples.encounters, n)?.date.slice(0, 7) }),
  ),
  search("Encounter of a patient, newest 20", (samples, n) =>
    one("Encounter", { patient: pick(samples.encounters, n)?.patient, _sort: "-date", _count: "20" }),
  ),
  search("Condition by code, with its patients (_include)", (samples, n) =>
    one("Condition", { code: pick(samples.conditions, n), _include: "Condition:subject" }),
  ),
  search("Patient who has a condition (_has)", (samples, n) =>
    one("Patient", { "_has:Condition:patient:code": pick(samples.conditions, n) }),
  ),
  {
    ...search("Observation by code with exact total", (samples, n) =>
      one("Observation", { code: pick(samples.observations, n)?.code, _total: "accurate" }),
    ),
    counts: true,
  },
];

function search(title: string, query: Search["query"]): Search {
  return { title, counts: false, query };
}

function pick<T>(list: readonly T[], number: number): T | undefined {
  // A prime step: neighbours in the data are often alike.
  return list[(number * 37) % list.length];
}

function measured({ observations }: Samples, number: number): ObservationSample | undefined {
  for (let step = 0; step < observations.length; step++) {
    const sample = pick(observations, number + step);
    if (sample?.quantity !== undefined) return sample;
  }
  return undefined;
}

/** `Type?name=value&…`; undefined unless every value is there. */
function one(type: string, parameters: Readonly<Record<string, string | undefined>>): string | undefined {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) return undefined;
    query.append(name, value);
  }
  return `${type}?${query.toString()}`;
}
