import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { BenchInput } from "./input.ts";
import { shiftLine } from "./shift.ts";

/** Values that occur in the store, to search for. */
export interface Samples {
  readonly patients: readonly PatientSample[];
  readonly observations: readonly ObservationSample[];
  readonly encounters: readonly { readonly patient: string; readonly date: string }[];
  /** `system|code` of conditions, each as often as it was met. */
  readonly conditions: readonly string[];
}

/** What a patient can be found by. */
export interface PatientSample {
  readonly id: string;
  /** `system|value` */
  readonly identifier: string | undefined;
  readonly family: string | undefined;
  readonly birthDate: string | undefined;
}

/** What a measurement can be found by. */
export interface ObservationSample {
  /** `Patient/id` */
  readonly patient: string;
  /** `system|code` */
  readonly code: string;
  readonly date: string;
  readonly quantity: { readonly value: number; readonly unit: string } | undefined;
}

/** Resources of a type that are looked at, spread evenly over its file. */
const PER_TYPE = 600;

/**
 * Collects values of resources that are spread over the data and over the first `copies` copies of it (see
 * {@link shiftLine}); with none, of the data itself.
 */
export async function collectSamples(input: BenchInput, copies: number, signal: AbortSignal): Promise<Samples> {
  const patients: PatientSample[] = [];
  const observations: ObservationSample[] = [];
  const encounters: { patient: string; date: string }[] = [];
  const conditions: string[] = [];
  for await (const line of sampleLines(input, "Patient", copies, signal)) {
    const json = object(JSON.parse(line));
    const identifier = list(json["identifier"])[0];
    patients.push({
      id: text(json["id"]) ?? "",
      identifier: joined(identifier?.["system"], identifier?.["value"]),
      family: text(list(json["name"])[0]?.["family"]),
      birthDate: text(json["birthDate"]),
    });
  }
  for await (const line of sampleLines(input, "Observation", copies, signal)) {
    const json = object(JSON.parse(line));
    const patient = text(object(json["subject"])["reference"]);
    const code = codeOf(json);
    const date = text(json["effectiveDateTime"]);
    if (patient === undefined || code === undefined || date === undefined) continue;
    const { value, system, code: unit } = object(json["valueQuantity"]);
    const units = joined(system, unit);
    const quantity = typeof value === "number" && units !== undefined ? { value, unit: units } : undefined;
    observations.push({ patient, code, date: date.slice(0, 10), quantity });
  }
  for await (const line of sampleLines(input, "Encounter", copies, signal)) {
    const json = object(JSON.parse(line));
    const patient = text(object(json["subject"])["reference"]);
    const date = text(object(json["period"])["start"]);
    if (patient !== undefined && date !== undefined) encounters.push({ patient, date: date.slice(0, 10) });
  }
  for await (const line of sampleLines(input, "Condition", copies, signal)) {
    const code = codeOf(object(JSON.parse(line)));
    if (code !== undefined) conditions.push(code);
  }
  return { patients, observations, encounters, conditions };
}

/** Lines spread over the type's file, each shifted as one of the copies in turn has it. */
export async function* sampleLines(
  input: BenchInput,
  type: string,
  copies: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const file = input.files.find((file) => file.type === type);
  if (file === undefined) return;
  const every = Math.max(1, Math.floor(file.lines / PER_TYPE));
  const stream = createReadStream(file.path);
  try {
    let number = 0;
    let taken = 0;
    for await (const line of createInterface({ input: stream, signal })) {
      if (number++ % every !== 0 || line === "") continue;
      const copy = (taken++ % copies) + 1;
      yield copies === 0 ? line : shiftLine(line, `-${String(copy)}`);
    }
  } finally {
    stream.destroy();
  }
}

type Json = Readonly<Record<string, unknown>>;

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
