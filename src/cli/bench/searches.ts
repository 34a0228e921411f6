import type { BenchInput } from "./input.ts";
import { readTimes, type ReadTimes } from "./reads.ts";
import { collectSamples, type Samples } from "./samples.ts";

/** A kind of search, measured. */
export interface SearchTimes extends ReadTimes {
  readonly title: string;
  /** Entries of an answer's page on average, or the total where one was asked for. */
  readonly found: number;
}

/** A kind of search: a title and a query for each sample number; undefined where the data has nothing of the kind. */
interface Search {
  readonly title: string;
  readonly query: (samples: Samples, number: number) => string | undefined;
}

const WARM_UP = 5;
const REQUESTS = 60;

/**
 * Sends each kind of search one after another, 60 times with changing values from the data, as one client. Kinds that
 * the server does not support (400) or the data has no values for are left out.
 */
export async function measureSearches(
  base: string,
  input: BenchInput,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<SearchTimes[]> {
  const samples = await collectSamples(input, signal);
  const measured: SearchTimes[] = [];
  for (const search of SEARCHES) {
    const times = await measureSearch(base, search, samples, signal);
    if (times === undefined) {
      say(`${search.title}: left out, not supported by the server or without values in the data`);
    } else {
      measured.push(times);
      say(`${search.title}: median ${times.median.toFixed(1)} ms`);
    }
  }
  return measured;
}

async function measureSearch(
  base: string,
  { title, query }: Search,
  samples: Samples,
  signal: AbortSignal,
): Promise<SearchTimes | undefined> {
  const times: number[] = [];
  let found = 0;
  for (let number = 0; number < WARM_UP + REQUESTS; number++) {
    const path = query(samples, number);
    if (path === undefined) return undefined;
    const started = performance.now();
    const response = await fetch(`${base}/${path}`, { signal });
    const bundle = (await response.json()) as { total?: number; entry?: unknown[] };
    const time = performance.now() - started;
    if (response.status === 400) return undefined;
    if (response.status !== 200) throw new Error(`the search "${title}" was answered with ${String(response.status)}`);
    if (number < WARM_UP) continue;
    times.push(time);
    found += bundle.total ?? bundle.entry?.length ?? 1; // a read has one resource and no entries
  }
  return { title, found: found / REQUESTS, ...readTimes(times) };
}

const SEARCHES: readonly Search[] = [
  { title: "read Patient/[id]", query: (samples, n) => path("Patient", pick(samples.patients, n)?.id) },
  { title: "Patient by identifier", query: (samples, n) => one("Patient", { identifier: identified(samples, n) }) },
  {
    title: "Patient by family name",
    query: (samples, n) => one("Patient", { family: pick(samples.patients, n)?.family }),
  },
  {
    title: "Patient by birth date and gender",
    query: (samples, n) => one("Patient", { birthdate: pick(samples.patients, n)?.birthDate, gender: "female" }),
  },
  {
    title: "Observation by patient and code",
    query(samples, n) {
      const sample = pick(samples.observations, n);
      return one("Observation", { patient: sample?.patient, code: sample?.code });
    },
  },
  {
    title: "Observation by patient, newer than a date",
    query(samples, n) {
      const sample = pick(samples.observations, n);
      return one("Observation", { patient: sample?.patient, date: sample && `ge${sample.date}` });
    },
  },
  {
    title: "Observation by code and value range",
    query(samples, n) {
      const sample = measured(samples, n);
      return one("Observation", {
        code: sample?.code,
        "value-quantity": sample && `gt${above(sample.value)}|${sample.unit}`,
      });
    },
  },
  {
    title: "Observation by code-value-quantity",
    query(samples, n) {
      const sample = measured(samples, n);
      return one("Observation", { "code-value-quantity": sample && `${sample.code}$lt${above(sample.value)}` });
    },
  },
  {
    title: "Observation by code, exact total only",
    query: (samples, n) =>
      one("Observation", { code: pick(samples.observations, n)?.code, _total: "accurate", _count: "0" }),
  },
  {
    title: "Observation of a patient by identifier (chain)",
    query: (samples, n) => one("Observation", { "patient.identifier": identified(samples, n) }),
  },
  {
    title: "Encounter of a month",
    query: (samples, n) => one("Encounter", { date: pick(samples.encounters, n)?.date.slice(0, 7) }),
  },
  {
    title: "Encounter by patient, newest 20",
    query: (samples, n) =>
      one("Encounter", { patient: pick(samples.encounters, n)?.patient, _sort: "-_lastUpdated", _count: "20" }),
  },
  {
    title: "Condition by code, 100 with total",
    query: (samples, n) => one("Condition", { code: pick(samples.conditions, n), _total: "accurate", _count: "100" }),
  },
];

function pick<T>(list: readonly T[], number: number): T | undefined {
  // A prime step: neighbours in the data are often alike.
  return list[(number * 37) % list.length];
}

function identified(samples: Samples, number: number): string | undefined {
  return pick(
    samples.patients.filter(({ identifier }) => identifier !== undefined),
    number,
  )?.identifier;
}

function measured(samples: Samples, number: number): { code: string; value: number; unit: string } | undefined {
  const sample = pick(
    samples.observations.filter(({ quantity }) => quantity !== undefined),
    number,
  );
  return sample?.quantity === undefined ? undefined : { code: sample.code, ...sample.quantity };
}

function above(value: number): string {
  return (value * 1.1).toFixed(2);
}

function path(type: string, id: string | undefined): string | undefined {
  return id === undefined ? undefined : `${type}/${id}`;
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
