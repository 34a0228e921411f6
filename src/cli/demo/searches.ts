import { formatCount } from "../../terminal/format.ts";
import { readJson, type ServerTarget } from "../commands/import/client.ts";
import { wrap, type ReportStyle } from "../report/report.ts";

interface Coded {
  readonly text?: string;
  readonly coding?: readonly { readonly code?: string }[];
}

interface Quantity {
  readonly value?: number;
  readonly unit?: string;
}

interface Found {
  readonly id: string;
  readonly birthDate?: string;
  readonly name?: readonly { readonly text?: string }[];
  readonly address?: readonly { readonly city?: string }[];
  readonly code?: Coded;
  readonly effectiveDateTime?: string;
  readonly valueQuantity?: Quantity;
  readonly component?: readonly { readonly valueQuantity?: Quantity }[];
  readonly meta?: { readonly versionId?: string };
}

interface Answer {
  readonly total?: number;
  readonly entry?: readonly { readonly resource: Found }[];
}

/** Runs a few searches and tells of each: the request line, and the answer in a line or two. */
export async function* demoSearches(server: ServerTarget, style: ReportStyle): AsyncGenerator<string[]> {
  const ask = async (query: string): Promise<{ answer: Answer; lines: (...texts: string[]) => string[] }> => {
    const started = performance.now();
    const answer = await readJson<Answer>(server, `${server.baseUrl}/${query}`);
    const time = `${(performance.now() - started).toFixed(0)} ms`;
    return { answer, lines: (...texts) => describe(query, time, texts, style) };
  };

  const byName = await ask("Patient?name=garc&active=true&_count=5&_total=accurate");
  const patients = resourcesOf(byName.answer);
  yield byName.lines(
    `${formatCount(byName.answer.total ?? 0)} found`,
    patients.map((patient) => nameOf(patient)).join(", "),
  );

  const first = patients[0] ?? resourcesOf((await ask("Patient?_count=1")).answer)[0];
  if (first === undefined) return;
  const vitals = await ask(`Observation?patient=${first.id}&category=vital-signs&date=ge2025-01-01&_count=100`);
  const all = resourcesOf(vitals.answer);
  const latest = all.map((found) => found.effectiveDateTime ?? "").reduce((a, b) => (a > b ? a : b), "");
  const measured = all.filter((found) => found.effectiveDateTime === latest);
  yield vitals.lines(
    `latest vital signs of ${nameOf(first)}, ${latest.slice(0, 10)}:`,
    measured
      .map(valueOf)
      .toSorted((a, b) => (a < b ? -1 : 1))
      .join(", "),
  );

  for (const [code, what] of [
    ["http://snomed.info/sct|38341003", "hypertension"],
    ["http://snomed.info/sct|44054006", "type 2 diabetes"],
  ] as const) {
    const count = await ask(`Condition?code=${encodeURIComponent(code)}&_total=accurate&_summary=count`);
    yield count.lines(`${formatCount(count.answer.total ?? 0)} conditions: ${what}`);
  }

  const high = await ask("Observation?code=http://loinc.org|4548-4&value-quantity=gt8&_total=accurate&_count=1");
  yield high.lines(`${formatCount(high.answer.total ?? 0)} measurements of HbA1c above 8 %`);

  const read = await ask(`Patient/${first.id}`);
  const patient = read.answer as Answer & Found;
  yield read.lines(
    `${nameOf(patient)}, born ${patient.birthDate ?? "?"}, ${patient.address?.[0]?.city ?? "?"}, version ${patient.meta?.versionId ?? "?"}`,
  );
}

function describe(query: string, time: string, texts: readonly string[], style: ReportStyle): string[] {
  const request = breakAt(`GET ${decodeURIComponent(query)}`, "&", style.width - 1);
  const head = request.map((line) => (style.color ? `\u001B[36m${line}\u001B[0m` : line));
  const answers = texts.filter((text) => text !== "").flatMap((text) => wrap(text, "  ", style));
  const last = answers.pop() ?? "";
  const took = style.color ? `\u001B[2m(${time})\u001B[0m` : `(${time})`;
  return [...head, ...answers, `${last} ${took}`];
}

/** Breaks a long request line before its parameters. */
function breakAt(text: string, separator: string, room: number): string[] {
  const lines: string[] = [];
  for (const [index, part] of text.split(separator).entries()) {
    const piece = index === 0 ? part : separator + part;
    const line = lines.at(-1);
    if (line !== undefined && line.length + piece.length <= room) lines[lines.length - 1] = line + piece;
    else lines.push(index === 0 ? piece : `    ${piece}`);
  }
  return lines;
}

function resourcesOf(answer: Answer): Found[] {
  return (answer.entry ?? []).map((entry) => entry.resource);
}

function nameOf(patient: Found): string {
  return patient.name?.[0]?.text ?? patient.id;
}

/** `Heart rate 72 /min`, `Blood pressure 121/78 mm[Hg]`. */
function valueOf(observation: Found): string {
  const name = (observation.code?.text ?? "").replace(/ panel.*| in Arterial.*| \(BMI\).*/, "");
  const { valueQuantity: single, component } = observation;
  if (single !== undefined) return `${name} ${String(single.value ?? "")}\u00A0${single.unit ?? ""}`;
  const values = (component ?? []).map((part) => String(part.valueQuantity?.value ?? "?")).join("/");
  return `${name} ${values}\u00A0${component?.[0]?.valueQuantity?.unit ?? ""}`.trim();
}
