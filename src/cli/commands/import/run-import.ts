import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { StokerError } from "../../../base/errors.ts";
import { formatDuration } from "../../../terminal/format.ts";
import type { ProgressDisplay } from "../../../terminal/display.ts";
import { createTrack, follow, type ProgressView } from "../../../terminal/view.ts";
import type { ImportReport } from "../../report/report.ts";
import { reportRows, typeRows, type InputCounts } from "../../report/rows.ts";
import { requestCancellation, readStatus, requestImport, snapshotOf } from "./client.ts";
import type { ImportOrder, ImportResult, ServerTarget } from "./client.ts";
import { readRejectedLines } from "./rejected.ts";

/** What {@link runImportCommand} is told. */
export interface ImportRunOptions {
  readonly server: ServerTarget;
  readonly order: Omit<ImportOrder, "source">;
  /** Bytes of all inputs, 0 when unknown; for servers that do not say. */
  readonly knownBytes: number;
  readonly display: ProgressDisplay | undefined;
  /** Where copies of error logs and rejected lines are kept, by job; undefined = they stay on the server. */
  readonly logFolder: ((jobId: string) => string) | undefined;
  /** Milliseconds between two looks at the status. */
  readonly pollMs: number;
  /** Milliseconds that the server may not answer before the import is given up from here; a minute by default. */
  readonly patienceMs?: number;
  /** Cancels the import on the server. */
  readonly signal: AbortSignal;
}

/** How an import ended. */
export type ImportEnd =
  | { readonly kind: "completed"; readonly id: string; readonly report: ImportReport }
  | { readonly kind: "cancelled"; readonly id: string; readonly last: ProgressView | undefined };

/** How long the server may not answer before the import is given up from here: it may be restarting. Milliseconds. */
const PATIENCE_MS = 60_000;
/** Pause between two tries while it does not answer, in milliseconds. */
const RETRY_MS = 1000;

/**
 * Registers an import, follows it to its end and reads the reasons of rejected lines. Every call is a new job, also on
 * the same inputs. Throws StokerError when it was refused or failed.
 */
export async function runImportCommand(options: ImportRunOptions): Promise<ImportEnd> {
  const { server, signal, display, patienceMs = PATIENCE_MS } = options;
  const started = performance.now();
  const statusUrl = await requestImport(server, { ...options.order, source: `urn:stoker:cli:${randomUUID()}` });
  const id = statusUrl.slice(statusUrl.lastIndexOf("/") + 1);
  const track = createTrack(started);
  let last: ProgressView | undefined;
  let silentSince: number | undefined;
  try {
    for (;;) {
      try {
        if (signal.aborted && (await cancelled(server, statusUrl))) return { kind: "cancelled", id, last };
        const state = await readStatus(server, statusUrl);
        if (silentSince !== undefined) display?.tell(`${server.baseUrl} answers again`);
        silentSince = undefined;
        last = follow(track, snapshotOf(state, performance.now(), options.knownBytes));
        display?.show(last);
        if (state.completed && state.result !== undefined) {
          display?.end();
          const report = await makeReport(options, id, state.result, (performance.now() - started) / 1000);
          return { kind: "completed", id, report };
        }
      } catch (error) {
        if (!(error instanceof StokerError) || error.code !== "database-unavailable") throw error;
        const now = performance.now();
        silentSince ??= now;
        if (now - silentSince > patienceMs || signal.aborted) throw gaveUp(server, id, now - silentSince, error);
        display?.tell(
          `no answer from ${server.baseUrl}: trying again for ${formatDuration((patienceMs - now + silentSince) / 1000)}`,
        );
      }
      await sleep(silentSince === undefined ? options.pollMs : RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    display?.end();
  }
}

/** The server is gone: what that means for the import, and how to find it again. */
function gaveUp(server: ServerTarget, id: string, milliseconds: number, cause: StokerError): StokerError {
  return new StokerError(
    "database-unavailable",
    `No server has answered at ${server.baseUrl} for ${formatDuration(milliseconds / 1000)}. Import ${id} is not lost: it continues when the server runs again. ` +
      `To look at it then: stoker jobs --server ${server.baseUrl}`,
    { cause },
  );
}

/** True when the import was cancelled; false when it had completed before. */
async function cancelled(server: ServerTarget, statusUrl: string): Promise<boolean> {
  try {
    await requestCancellation(server, statusUrl);
    return true;
  } catch (error) {
    if (error instanceof StokerError && error.code === "job-completed") return false;
    throw error;
  }
}

async function makeReport(
  options: ImportRunOptions,
  id: string,
  result: ImportResult,
  seconds: number,
): Promise<ImportReport> {
  const { causes, otherLines, logs } = await readRejectedLines(options.server, result, options.logFolder?.(id));
  return {
    rows: result.stoker?.types === undefined ? reportRows(countsOf(result)) : typeRows(result.stoker.types),
    references: result.stoker?.references?.left ?? [],
    bytes: result.stoker?.bytes ?? options.knownBytes,
    seconds: result.stoker?.seconds ?? seconds,
    created: result.stoker?.created ?? 0,
    updated: result.stoker?.updated ?? 0,
    unchanged: result.stoker?.unchanged ?? 0,
    deleted: result.stoker?.deleted ?? 0,
    causes,
    otherLines,
    logs,
  };
}

/** Loaded and rejected lines by input. */
function countsOf(result: ImportResult): InputCounts[] {
  const rejected = new Map<string, number>();
  for (const { inputUrl, count } of result.error) rejected.set(inputUrl, (rejected.get(inputUrl) ?? 0) + count);
  return result.output.map(({ type, inputUrl, count }) => {
    const lost = rejected.get(inputUrl) ?? 0;
    rejected.delete(inputUrl);
    return { type, url: inputUrl, loaded: count, rejected: lost };
  });
}
