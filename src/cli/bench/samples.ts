import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { BenchInput } from "./input.ts";

/** Values that occur in the data, to search for. */
export interface Samples {
  readonly patients: readonly PatientSample[];
  readonly observations: readonly ObservationSample[];
  readonly encounters: readonly { readonly patient: string; readonly date: string }[];
  /** `system|code` of conditions. */
  readonly conditions: readonly string[];
}

/** What a patient can be found by. */
interface PatientSample {
  readonly id: string;
  /** `system|value` */
  readonly identifier: string | undefined;
  readonly family: string | undefined;
  readonly birthDate: string | undefined;
}

/** What a measurement can be found by. */
interface ObservationSample {
  /** `Patient/id` */
  readonly patient: string;
  /** `system|code` */
  readonly code: string;
  readonly date: string;
  readonly quantity: { readonly value: number; readonly unit: string } | undefined;
}

/** Lines of a file that are looked at, spread over its beginning. */
const LINES = 8000;
const EVERY = 20;

/** Collects values from the beginning of the data's files. */
export async function collectSamples(input: BenchInput, signal: AbortSignal): Promise<Samples> {
  const patients: PatientSample[] = [];
  const observations: ObservationSample[] = [];
  const encounters: { patient: string; date: string }[] = [];
  const conditions = new Set<string>();
  for await (const json of resources(input, "Patient", 1, signal)) {
    const identifier = list(json["identifier"])[0];
    patients.push({
      id: text(json["id"]) ?? "",
      identifier: joined(identifier?.["system"], identifier?.["value"]),
      family: text(list(json["name"])[0]?.["family"]),
      birthDate: text(json["birthDate"]),
    });
  }
  for await (const json of resources(input, "Observation", EVERY, signal)) {
    const patient = text(object(json["subject"])["reference"]);
    const code = codeOf(json);
    const date = text(json["effectiveDateTime"]);
    if (patient === undefined || code === undefined || date === undefined) continue;
    const { value, system, code: unit } = object(json["valueQuantity"]);
    const units = joined(system, unit);
    const quantity = typeof value === "number" && units !== undefined ? { value, unit: units } : undefined;
    observations.push({ patient, code, date: date.slice(0, 10), quantity });
  }
  for await (const json of resources(input, "Encounter", EVERY, signal)) {
    const patient = text(object(json["subject"])["reference"]);
    const date = text(object(json["period"])["start"]);
    if (patient !== undefined && date !== undefined) encounters.push({ patient, date: date.slice(0, 10) });
  }
  for await (const json of resources(input, "Condition", EVERY, signal)) {
    const code = codeOf(json);
    if (code !== undefined) conditions.add(code);
  }
  return { patients, observations, encounters, conditions: [...conditions] };
}

type Json = Readonly<Record<string, unknown>>;

async function* resources(input: BenchInput, type: string, every: number, signal: AbortSignal): AsyncGenerator<Json> {
  const file = input.files.find((file) => file.type === type);
  if (file === undefined) return;
  const stream = createReadStream(file.path);
  try {
    let number = 0;
    for await (const line of createInterface({ input: stream, signal })) {
      if (number++ % every === 0 && line !== "") yield object(JSON.parse(line));
      if (number >= LINES) return;
    }
  } finally {
    stream.destroy();
  }
}

function codeOf(json: Json): string | undefined {
  const coding = list(object(json["code"])["coding"])[0];
  return joined(coding?.["system"], coding?.["code"]);
}

function joined(first: unknown, second: unknown): string | undefined {
  return typeof first === "string" && typeof second === "string" ? `${first}|${second}` : undefined;
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
