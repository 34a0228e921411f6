import { setTimeout as sleep } from "node:timers/promises";
import { StokerError } from "../../base/errors.ts";
import type { ServerTarget } from "../commands/import/client.ts";
import { forget, kickOff, readState, type ExportOrder, type Manifest, type ManifestFile } from "./bulk-client.ts";
import { download } from "./download.ts";
import { checkFree, checkSameExport, openExportFolder, type ExportFolder, type FolderState } from "./folder.ts";
import type { ExportDisplay } from "./display.ts";

/** What {@link runExportCommand} is told. */
export interface ExportRunOptions {
  readonly server: ServerTarget;
  readonly order: ExportOrder;
  /** Folder for the files. */
  readonly out: string;
  /** Whether the export stays on the server when its files are here. */
  readonly keep: boolean;
  readonly display: ExportDisplay | undefined;
  /** Breaks off; the same command takes it up again. */
  readonly signal: AbortSignal;
}

/** A file that was fetched. */
export interface DownloadedFile {
  readonly kind: "output" | "deleted" | "error";
  readonly type: string;
  readonly name: string;
  readonly bytes: number;
  readonly lines: number;
  /** As many as the manifest says; undefined where it does not. */
  readonly count: number | undefined;
}

/** What an export has brought. */
export interface ExportReport {
  /** FHIR base of the server. */
  readonly server: string;
  readonly transactionTime: string;
  readonly folder: string;
  readonly files: readonly DownloadedFile[];
  /** What is not as it should be: a sentence each. */
  readonly problems: readonly string[];
  readonly seconds: number;
  /** Whether it took up what was there already. */
  readonly resumed: boolean;
  /** Whether the export was removed from the server. */
  readonly removed: boolean;
}

/**
 * Exports from a server into a folder: kick-off, waiting, files, each with as many lines as the manifest says. What the folder
 * holds of the same export is taken up. Throws StokerError, or the reason of the signal, with everything kept that is there.
 */
export async function runExportCommand(options: ExportRunOptions): Promise<ExportReport> {
  const { server, order, display, signal } = options;
  const started = performance.now();
  const folder = await openExportFolder(options.out);
  checkSameExport(folder, server.baseUrl, order);
  const resumed = folder.state !== undefined;
  try {
    const { location } = folder.state ?? (await begin(folder, server, order, signal));
    const manifest = await finished(options, folder, location);
    await checkManifest(folder, manifest);
    const files = await fetchAll(options, folder, manifest);
    const problems = problemsOf(files);
    const removed = !options.keep && problems.length === 0 && (await forget(server, location));
    await folder.keep({ ...stateOf(folder), complete: true });
    const seconds = (performance.now() - started) / 1000;
    const { transactionTime } = manifest;
    return { server: server.baseUrl, transactionTime, folder: folder.path, files, problems, seconds, resumed, removed };
  } finally {
    display?.end();
  }
}

async function begin(
  folder: ExportFolder,
  server: ServerTarget,
  order: ExportOrder,
  signal: AbortSignal,
): Promise<FolderState> {
  const location = await kickOff(server, order, signal);
  const state = { ...order, server: server.baseUrl, location, files: {}, tags: {}, complete: false };
  await folder.keep(state);
  return state;
}

function stateOf({ state }: ExportFolder): FolderState {
  if (state === undefined) throw new Error("the state of an export was not kept");
  return state;
}

/** Waits for the manifest. */
async function finished(
  { server, display, signal }: ExportRunOptions,
  folder: ExportFolder,
  location: string,
): Promise<Manifest> {
  for (;;) {
    const state = await readState(server, location, signal).catch((error: unknown) => {
      if (!(error instanceof StokerError) || error.code !== "not-found") throw error;
      const text = `The server no longer has the export that ${folder.path} was being filled from (${error.message}); choose another folder with --out`;
      throw new StokerError("not-found", text, { cause: error });
    });
    if (state.manifest !== undefined) return state.manifest;
    display?.waiting(state.progress);
    await sleep(state.retryAfter * 1000, undefined, { signal });
  }
}

/** The files that are there must be of the same manifest. */
async function checkManifest(folder: ExportFolder, { transactionTime }: Manifest): Promise<void> {
  const state = stateOf(folder);
  if (state.transactionTime === undefined) return await folder.keep({ ...state, transactionTime });
  if (state.transactionTime === transactionTime) return;
  const text = `${folder.path} was begun with an export of ${state.transactionTime}, and the server now has one of ${transactionTime}; choose another folder with --out`;
  throw new StokerError("bad-request", text);
}

interface PlannedFile extends ManifestFile {
  readonly kind: DownloadedFile["kind"];
  readonly type: string;
  readonly name: string;
}

/** Names are made here: what a URL ends in may be anything. */
function plannedFiles({ output, deleted = [], error = [] }: Manifest): PlannedFile[] {
  const numbers = new Map<string, number>();
  const planned = (kind: DownloadedFile["kind"], prefix: string, files: readonly ManifestFile[]): PlannedFile[] =>
    files.map((file) => {
      const type = /^[A-Za-z]{1,64}$/.test(file.type ?? "") ? String(file.type) : "Resource";
      const number = (numbers.get(prefix + type) ?? 0) + 1;
      numbers.set(prefix + type, number);
      return { ...file, kind, type, name: `${prefix}${type}-${String(number)}.ndjson` };
    });
  return [
    ...planned("output", "", output),
    ...planned("deleted", "deleted-", deleted),
    ...planned("error", "error-", error),
  ];
}

async function fetchAll(
  { server, display, signal }: ExportRunOptions,
  folder: ExportFolder,
  manifest: Manifest,
): Promise<DownloadedFile[]> {
  const planned = plannedFiles(manifest);
  for (const { name } of planned) {
    if (stateOf(folder).files[name] === undefined && stateOf(folder).tags[name] === undefined)
      await checkFree(folder, name);
  }
  const resources = planned.reduce((sum, { count = 0 }) => sum + count, 0);
  const total = { files: planned.length, resources };
  const done = { files: 0, bytes: 0, lines: 0 };
  const files: DownloadedFile[] = [];
  for (const { url, name, kind, type, count } of planned) {
    signal.throwIfAborted();
    const known = stateOf(folder).files[name];
    if (known !== undefined) {
      done.bytes += known.bytes;
      done.lines += known.lines;
    }
    const fetched =
      known ??
      (await download(
        server,
        folder,
        { url: new URL(url, `${server.baseUrl}/`).href, name, tag: stateOf(folder).tags[name] },
        {
          progress(bytes, lines) {
            done.bytes += bytes;
            done.lines += lines;
            display?.fetching(done, total);
          },
          async begun(tag = "") {
            const state = stateOf(folder);
            if (state.tags[name] !== tag) await folder.keep({ ...state, tags: { ...state.tags, [name]: tag } });
          },
        },
        signal,
      ));
    const state = stateOf(folder);
    if (known === undefined) await folder.keep({ ...state, files: { ...state.files, [name]: fetched } });
    done.files++;
    display?.fetching(done, total);
    files.push({ kind, type, name, ...fetched, count });
  }
  return files;
}

/** In a file of deletions a line is a Bundle, and counts as many as it deletes. */
function problemsOf(files: readonly DownloadedFile[]): string[] {
  return files.flatMap(({ kind, name, lines, count }) => {
    if (kind === "error") return [`The server reports problems in ${name}.`];
    if (kind === "deleted" || count === undefined || count === lines) return [];
    return [`${name} has ${String(lines)} lines, but the manifest says ${String(count)}.`];
  });
}
