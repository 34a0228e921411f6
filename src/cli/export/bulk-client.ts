import { setTimeout as sleep } from "node:timers/promises";
import { StokerError } from "../../base/errors.ts";
import { reasonOf, unreachable, type ServerTarget } from "../commands/import/client.ts";

/** What to export, as the kick-off says it. */
export interface ExportOrder {
  readonly types: readonly string[];
  /** An instant, as it was given. */
  readonly since: string | undefined;
}

/** The manifest of a finished export (Bulk Data Access 2.0), as far as it is used here. */
export interface Manifest {
  readonly transactionTime: string;
  readonly output: readonly ManifestFile[];
  readonly deleted?: readonly ManifestFile[];
  readonly error?: readonly ManifestFile[];
}

/** A file of the manifest. */
export interface ManifestFile {
  readonly type?: string;
  readonly url: string;
  readonly count?: number;
}

/** How far an export is. */
export type ExportProgress =
  | { readonly manifest: Manifest }
  | { readonly manifest?: undefined; readonly progress: string; readonly retryAfter: number };

/** How long an answer, or the next bytes of one, may take. */
export const TIMEOUT_MS = 120_000;

/** Seconds between two looks, where the server does not say. */
const PAUSE_SECONDS = 1;
const LONGEST_PAUSE_SECONDS = 120;
/** Answers in a row that may be missing, or say that the server is busy, before this side gives up. */
export const PATIENCE = 20;

/**
 * Asks a server for an export; gives the address of its status. Waits while the server has no room for another one. Throws
 * StokerError with the server's reason.
 */
export async function kickOff(server: ServerTarget, order: ExportOrder, signal: AbortSignal): Promise<string> {
  const query = new URLSearchParams();
  if (order.types.length > 0) query.set("_type", order.types.join(","));
  if (order.since !== undefined) query.set("_since", order.since);
  const asked = query.size === 0 ? "" : `?${query.toString()}`;
  const url = `${server.baseUrl}/$export${asked}`;
  const headers = { accept: "application/fhir+json", prefer: "respond-async" };
  const answer = await ask(server, url, { headers }, signal).catch((error: unknown) => {
    if (!(error instanceof StokerError) || error.code !== "not-found") throw error;
    const hint = "--server takes the FHIR base of a server, such as http://127.0.0.1:8080/fhir";
    throw new StokerError("not-found", `${error.message} (${hint})`, { cause: error });
  });
  await answer.arrayBuffer();
  const location = answer.headers.get("content-location");
  if (answer.status === 202 && location !== null) return new URL(location, `${server.baseUrl}/`).href;
  const text = `${server.baseUrl} answered $export with ${String(answer.status)} and no Content-Location: it has no Bulk Data export`;
  throw new StokerError("internal", text);
}

/** Asks how far an export is. Throws StokerError when it failed, `not-found` when the server has it no more. */
export async function readState(server: ServerTarget, location: string, signal: AbortSignal): Promise<ExportProgress> {
  const answer = await ask(server, location, { headers: { accept: "application/json" } }, signal);
  const text = await answer.text();
  if (answer.status === 202) {
    return { progress: answer.headers.get("x-progress") ?? "", retryAfter: pauseOf(answer.headers) };
  }
  return { manifest: readManifest(text) };
}

/** Tells the server that its files are no longer needed. Whether it took notice. */
export async function forget(server: ServerTarget, location: string): Promise<boolean> {
  const answer = await request(server, location, { method: "DELETE" }, AbortSignal.timeout(TIMEOUT_MS)).catch(
    () => undefined,
  );
  await answer?.arrayBuffer().catch(() => undefined);
  return answer?.ok === true;
}

/**
 * Sends a request, with the token where it is for the server itself. Throws `database-unavailable` when there is no answer; any
 * answer is given.
 */
export async function request(
  server: ServerTarget,
  url: string,
  { headers, ...init }: RequestInit,
  signal: AbortSignal,
): Promise<Response> {
  const sent = new Headers(headers);
  const isOwn = new URL(url).origin === new URL(server.baseUrl).origin;
  if (server.token !== undefined && isOwn) sent.set("authorization", `Bearer ${server.token}`);
  try {
    return await fetch(url, { ...init, headers: sent, signal });
  } catch (cause) {
    if (signal.aborted && !(signal.reason instanceof Error && signal.reason.name === "TimeoutError")) throw cause;
    throw new StokerError("database-unavailable", unreachable(server, cause), { cause });
  }
}

/** Like {@link request}, and again while there is no answer, or one that says so (429, 502 to 504). Throws what refuses it. */
async function ask(server: ServerTarget, url: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
  for (let failures = 1; ; failures++) {
    let pause = PAUSE_SECONDS;
    try {
      const answer = await request(server, url, init, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
      if (answer.ok) return answer;
      pause = pauseOf(answer.headers);
      const error = await refusalOf(answer, url);
      if (!isBusy(answer.status) || failures > PATIENCE) throw error;
    } catch (error) {
      const isAway = error instanceof StokerError && error.code === "database-unavailable";
      // At the first look nothing is known of the server: perhaps there is none.
      if (signal.aborted || !isAway || failures > PATIENCE || (failures === 1 && url.includes("/$export"))) throw error;
    }
    await sleep(pause * 1000, undefined, { signal });
  }
}

/** The error that an answer is. */
export async function refusalOf(answer: Response, url: string): Promise<StokerError> {
  const reason = reasonOf(await answer.text().catch(() => ""));
  const code =
    answer.status === 404 || answer.status === 410 ? "not-found" : isBusy(answer.status) ? "busy" : "internal";
  const text = reason ?? `${url} answered ${String(answer.status)}`;
  return new StokerError(code, text, { status: answer.status });
}

function isBusy(status: number): boolean {
  return status === 429 || (status >= 502 && status <= 504);
}

/** Seconds that `Retry-After` asks for; it may be a date. */
function pauseOf(headers: Headers): number {
  const text = headers.get("retry-after") ?? "";
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? PAUSE_SECONDS : Math.min(LONGEST_PAUSE_SECONDS, Math.max(0.25, seconds));
}

function readManifest(text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const { transactionTime, output } = (value ?? {}) as Partial<Manifest>;
  const isList = Array.isArray(output) && output.every((file) => typeof file?.url === "string");
  if (typeof transactionTime === "string" && isList) return value as Manifest;
  throw new StokerError("internal", "The server's answer is not the manifest of a Bulk Data export.");
}
