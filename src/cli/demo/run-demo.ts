import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StokerError } from "../../base/errors.ts";
import { openLogger } from "../../base/logger.ts";
import { loadSettings } from "../../base/settings.ts";
import { formatBytes, formatDuration, formatPlural } from "../../terminal/format.ts";
import { generateFiles } from "../../generate/generate.ts";
import { resolveInputs } from "../commands/import/inputs.ts";
import { runImportCommand } from "../commands/import/run-import.ts";
import { createDisplay } from "../../terminal/display.ts";
import { reportLines, type ReportStyle } from "../report/report.ts";
import { openServer, type RunningServer } from "../../server/server.ts";
import { openStopRequests } from "../../terminal/stop.ts";
import { openTerminal } from "../../terminal/terminal.ts";
import { demoSearches } from "./searches.ts";

/** Patients of the demonstration: some forty thousand resources. */
const PATIENTS = 200;

/**
 * The demonstration: an embedded PostgreSQL in a temporary folder, sample data, a real `$import`, its report, and a few
 * searches on the result. Everything is removed at the end, also when it fails or is stopped. Returns the exit code.
 */
export async function runDemo(): Promise<number> {
  const terminal = openTerminal(process.stdout);
  const style = { width: terminal.interactive ? terminal.width() : 100, color: terminal.color };
  const requests = openStopRequests();
  const folder = await mkdtemp(join(tmpdir(), "stoker-demo-"));
  // PostgreSQL, which does not run as root, must get through to its files below this folder, to be removed with it.
  if (process.getuid?.() === 0) await chmod(folder, 0o711);
  let server: RunningServer | undefined;
  const goOn = (): void => {
    if (requests.signal.aborted) throw new StokerError("bad-request", "the demo was stopped");
  };
  try {
    const started = performance.now();
    say(heading("1  Generate sample data", style));
    const samples = join(folder, "samples");
    const options = { patients: PATIENTS, seed: 1, conditionalReferences: false, signal: requests.signal };
    const files = await generateFiles({ ...options, folder: samples, overwrite: false });
    const resources = files.reduce((sum, file) => sum + file.resources, 0);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const about = `${formatPlural(PATIENTS, "patient")}: ${formatPlural(resources, "resource")} in ${formatPlural(files.length, "NDJSON file")} (${formatBytes(bytes)})`;
    say(about, "", heading("2  Start a server on an embedded PostgreSQL", style));
    goOn();
    const starting = performance.now();
    server = await openServer(demoSettings(folder, samples), openLogger("warn", "demo"));
    const startTime = formatDuration((performance.now() - starting) / 1000);
    say(`${server.baseUrl} is ready after ${startTime}`, "", heading("3  Import the files through $import", style));
    goOn();
    const { inputs } = resolveInputs([samples], folder);
    const address = { baseUrl: server.baseUrl, token: undefined };
    const end = await runImportCommand({
      server: address,
      order: {
        inputs: inputs.map(({ url }) => ({ url, type: undefined })),
        mode: "IncrementalLoad",
        allowNegativeVersions: false,
      },
      knownBytes: bytes,
      display: createDisplay(openTerminal(process.stderr)),
      logFolder: undefined,
      pollMs: 100,
      signal: requests.signal,
    });
    goOn();
    if (end.kind === "cancelled") return 2;
    say(...reportLines(end.report, style), "", heading("4  Search the loaded data", style));
    for await (const lines of demoSearches(address, style)) {
      goOn();
      say(...lines);
    }
    say("", heading("5  Stop and clean up", style));
    await server.close();
    server = undefined;
    await rm(folder, { recursive: true, force: true });
    say(
      `done in ${formatDuration((performance.now() - started) / 1000)}; next: stoker import YOUR-FOLDER, then stoker serve`,
    );
    return end.report.rows.some((row) => row.rejected > 0) ? 1 : 0;
  } finally {
    await server?.close();
    await rm(folder, { recursive: true, force: true });
    requests.close();
  }
}

function say(...lines: string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

function demoSettings(folder: string, samples: string): ReturnType<typeof loadSettings> {
  const dataDir = join(folder, "data");
  return loadSettings({ environment: {}, folder, flags: { port: 0, dataDir, fileRoot: samples, logLevel: "warn" } });
}

function heading(text: string, style: ReportStyle): string {
  return style.color ? `\u001B[1m${text}\u001B[0m` : text;
}
