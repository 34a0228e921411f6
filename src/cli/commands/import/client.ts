import { StokerError, type ErrorCode } from "../../../base/errors.ts";
import type { LineCause } from "../../../import/report/causes.ts";
import type { ProgressState } from "../../../terminal/view.ts";

/** A server that is driven over HTTP. */
export interface ServerTarget {
  /** FHIR base without a trailing slash. */
  readonly baseUrl: string;
  /** Bearer token. */
  readonly token: string | undefined;
}

/** What to import. */
export interface ImportOrder {
  readonly inputs: readonly { readonly url: string; readonly type: string | undefined }[];
  readonly mode: "IncrementalLoad" | "InitialLoad";
  readonly allowNegativeVersions: boolean;
  /** Makes the registration differ from every other, so that it is run and not answered with an old job (contract 2). */
  readonly source: string;
}

/** The result body of the status endpoint (contract 3.2, decision D-19); servers other than Stoker have no `stoker`. */
export interface ImportResult {
  readonly transactionTime: string;
  readonly output: readonly { readonly type: string | null; readonly count: number; readonly inputUrl: string }[];
  readonly error: readonly {
    readonly type: string | null;
    readonly count: number;
    readonly inputUrl: string;
    readonly url: string;
    readonly rejectedUrl?: string;
  }[];
  readonly stoker?: Readonly<Partial<Record<StokerCount, number>>> & {
    readonly id?: string;
    readonly types?: readonly ReportedTypeCounts[];
    readonly references?: { readonly left?: readonly LeftReferences[] };
    readonly causes?: readonly LineCause[];
    readonly otherRejected?: number;
  };
}

/** What became of the lines of a type; null for rejected lines whose type is not known. */
export interface ReportedTypeCounts extends Readonly<Record<"created" | "updated" | "unchanged" | "rejected", number>> {
  readonly type: string | null;
}

/** References that lead nowhere, by form and target type. */
export interface LeftReferences {
  readonly form: string;
  readonly targetType: string | null;
  readonly count: number;
}

type StokerCount =
  | "bytes"
  | "totalBytes"
  | "seconds"
  | "loaded"
  | "rejected"
  | "created"
  | "updated"
  | "unchanged"
  | "deleted";

/** An answer of the status endpoint. */
export interface ImportState {
  readonly completed: boolean;
  /** Undefined while the job is being planned. */
  readonly result: ImportResult | undefined;
  readonly retryAfter: number;
  /** What `X-Progress` says. */
  readonly progress: string | undefined;
}

/** How long an answer may take. */
const TIMEOUT_MS = 120_000;

/** Registers an import and returns the URL of its status. Throws StokerError with the server's reason. */
export async function requestImport(server: ServerTarget, order: ImportOrder): Promise<string> {
  const parameter: unknown[] = [
    { name: "inputFormat", valueString: "application/fhir+ndjson" },
    { name: "inputSource", valueUri: order.source },
    { name: "mode", valueString: order.mode },
    ...(order.mode === "InitialLoad" ? [{ name: "force", valueBoolean: true }] : []),
    ...(order.allowNegativeVersions ? [{ name: "allowNegativeVersions", valueBoolean: true }] : []),
    ...order.inputs.map(({ url, type }) => ({
      name: "input",
      part: [...(type === undefined ? [] : [{ name: "type", valueString: type }]), { name: "url", valueUri: url }],
    })),
  ];
  const answer = await send(server, `${server.baseUrl}/$import`, {
    method: "POST",
    headers: { prefer: "respond-async", "content-type": "application/fhir+json" },
    body: JSON.stringify({ resourceType: "Parameters", parameter }),
  });
  await answer.arrayBuffer();
  const location = answer.headers.get("content-location");
  if (answer.status !== 202 || location === null) {
    throw new StokerError(
      "internal",
      `${server.baseUrl} answered $import with ${String(answer.status)} and no Content-Location`,
    );
  }
  return new URL(location, `${server.baseUrl}/`).href;
}

/** Asks for the status of an import. Throws StokerError when the job failed or was cancelled. */
export async function readStatus(server: ServerTarget, statusUrl: string): Promise<ImportState> {
  const answer = await send(server, statusUrl, { method: "GET" });
  const text = await answer.text();
  return {
    completed: answer.status === 200,
    result: text === "" ? undefined : (JSON.parse(text) as ImportResult),
    retryAfter: Number(answer.headers.get("retry-after") ?? "1") || 1,
    progress: answer.headers.get("x-progress") ?? undefined,
  };
}

/** Cancels an import (contract 3.3). Throws StokerError `not-found` or `job-completed`. */
export async function requestCancellation(server: ServerTarget, statusUrl: string): Promise<void> {
  const answer = await send(server, statusUrl, { method: "DELETE" });
  await answer.arrayBuffer();
}

/** Opens a resource or list of the server as JSON. */
export async function readJson<Answer>(server: ServerTarget, url: string): Promise<Answer> {
  const answer = await send(server, url, {
    method: "GET",
    headers: { accept: "application/fhir+json, application/json" },
  });
  return (await answer.json()) as Answer;
}

/** Opens an error log or rejected-lines file as a stream. The token goes to the server itself only. */
export async function openLog(server: ServerTarget, url: string): Promise<AsyncIterable<Uint8Array>> {
  const own = url.startsWith(`${server.baseUrl}/`);
  const answer = await send(own ? server : { baseUrl: server.baseUrl, token: undefined }, url, { method: "GET" });
  return (answer.body ?? []) as AsyncIterable<Uint8Array>;
}

/** What a progress line needs, from an answer of the status endpoint. */
export function snapshotOf(state: ImportState, time: number, knownBytes: number): ProgressState {
  const { result } = state;
  const share = Number(/^(\d{1,3}(?:\.\d{1,9})?) ?%/.exec(state.progress ?? "")?.[1] ?? "0") / 100;
  if (result === undefined) {
    const planning = { time, phase: "planning" as const, loaded: 0, rejected: 0, bytes: 0, totalBytes: 0 };
    return share > 0 ? { ...planning, phase: "loading", bytes: share * knownBytes, totalBytes: knownBytes } : planning;
  }
  const totalBytes = result.stoker?.totalBytes ?? knownBytes;
  const bytes = result.stoker?.bytes ?? share * totalBytes;
  return {
    time,
    phase: state.completed || bytes >= totalBytes ? "finishing" : "loading",
    bytes,
    totalBytes,
    loaded: result.stoker?.loaded ?? sum(result.output),
    rejected: result.stoker?.rejected ?? sum(result.error),
  };
}

function sum(entries: readonly { readonly count: number }[]): number {
  return entries.reduce((total, entry) => total + entry.count, 0);
}

async function send(server: ServerTarget, url: string, request: RequestInit): Promise<Response> {
  const headers = new Headers(request.headers);
  if (server.token !== undefined) headers.set("authorization", `Bearer ${server.token}`);
  let answer: Response;
  try {
    answer = await fetch(url, { ...request, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new StokerError("database-unavailable", unreachable(server, cause), { cause });
  }
  if (answer.ok) return answer;
  const body = await answer.text();
  const reason = reasonOf(body);
  const details = firstIssue(body).details?.text;
  const isBase = answer.status !== 404 || /\/_operations\/import\/\d/.test(url);
  const hint = isBase ? "" : ` (--server takes the FHIR base of a server, such as http://127.0.0.1:8080/fhir)`;
  throw new StokerError(codeOf(answer.status), (reason ?? `${url} answered ${String(answer.status)}`) + hint, {
    status: answer.status,
    ...(details === undefined ? {} : { details }),
  });
}

/** What is said when a server gave no answer. */
export function unreachable(server: ServerTarget, cause: unknown): string {
  const inner = cause instanceof Error ? cause.cause : undefined;
  const code = inner instanceof Error && "code" in inner ? String(inner.code) : "";
  const why =
    cause instanceof Error && cause.name === "TimeoutError" ? "it did not answer in time" : code || String(cause);
  return `No server answers at ${server.baseUrl} (${why}); is it running? Start one with: stoker serve`;
}

function codeOf(status: number): ErrorCode {
  if (status === 404) return "not-found";
  if (status === 409) return "job-completed";
  // A proxy whose server is away, or a server that is starting or busy: worth another try.
  if (status >= 502 && status <= 504) return "database-unavailable";
  return status >= 500 ? "internal" : "bad-request";
}

/** The reason in an OperationOutcome. */
export function reasonOf(body: string): string | undefined {
  const { diagnostics, details } = firstIssue(body);
  return diagnostics ?? details?.text;
}

/** The first issue of an OperationOutcome; without members when the body is none. */
function firstIssue(body: string): { readonly diagnostics?: string; readonly details?: { readonly text?: string } } {
  try {
    const { issue } = JSON.parse(body) as { issue?: ReturnType<typeof firstIssue>[] };
    return issue?.[0] ?? {};
  } catch {
    return {};
  }
}
