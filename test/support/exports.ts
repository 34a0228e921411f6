import type { Json } from "./full-server.ts";

/** How an export ended. */
export interface ExportOutcome {
  readonly status: number;
  /** The manifest, or an OperationOutcome. */
  readonly body: Json;
  readonly headers: Headers;
  /** Address of the status. */
  readonly location: string;
}

/** Sends a kick-off by GET; `path` is below the base: `$export?_type=Patient`. */
export async function kickOff(base: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { accept: "application/fhir+json", prefer: "respond-async" };
  return await fetch(`${base}/${path}`, { ...init, headers: { ...headers, ...(init.headers as object) } });
}

/** Sends a kick-off, which must be accepted, and waits until the status is no longer 202. */
export async function runExport(base: string, path: string, init: RequestInit = {}): Promise<ExportOutcome> {
  const response = await kickOff(base, path, init);
  const location = response.headers.get("content-location");
  if (response.status !== 202 || location === null) {
    throw new Error(`${path} answered ${String(response.status)}: ${await response.text()}`);
  }
  return await exportOutcome(location);
}

/** Waits until the status at this address is no longer 202. */
export async function exportOutcome(location: string): Promise<ExportOutcome> {
  for (;;) {
    const response = await fetch(location);
    const text = await response.text();
    if (response.status !== 202)
      return { status: response.status, body: JSON.parse(text), headers: response.headers, location };
    if (response.headers.get("x-progress") === null) throw new Error("the status has no X-Progress");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The lines of all files of a manifest, sorted; each file must have as many as the manifest says. */
export async function exportedLines(
  { status, body }: ExportOutcome,
  kind: "output" | "deleted" = "output",
): Promise<string[]> {
  if (status !== 200) throw new Error(JSON.stringify(body));
  const all: string[] = [];
  for (const { url, type, count } of body[kind]) {
    const response = await fetch(url);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${String(url)} answered ${String(response.status)}: ${text}`);
    const lines = text.split("\n");
    if (lines.pop() !== "") throw new Error("the last line has no end");
    if (kind === "output" && lines.length !== count)
      throw new Error(`${String(url)} has ${String(lines.length)} lines`);
    for (const line of lines) if (JSON.parse(line).resourceType !== type) throw new Error(`not a ${String(type)}`);
    all.push(...lines);
  }
  return all.toSorted();
}

/** `Type/id` of exported lines. */
export function namesOf(lines: readonly string[]): string[] {
  return lines
    .map((line): Json => JSON.parse(line))
    .map(({ resourceType, id }) => `${String(resourceType)}/${String(id)}`);
}
