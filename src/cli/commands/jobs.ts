import type { Command } from "commander";
import { terminalEnvironment } from "../../base/settings.ts";
import { fit, formatBytes, formatCount, formatDuration } from "../../terminal/format.ts";
import { readJson, type ServerTarget } from "./import/client.ts";
import { serverBase } from "./import/command.ts";
import { openTerminal } from "../../terminal/terminal.ts";

/** An import in the server's list. */
export interface ListedImport {
  readonly id: string;
  readonly state: string;
  readonly mode?: "IncrementalLoad" | "InitialLoad";
  readonly transactionTime: string;
  readonly endTime: string | null;
  readonly inputs: number;
  readonly loaded: number;
  readonly rejected: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Options of commands that speak to a server. */
export interface ServerFlags {
  readonly server?: string;
  readonly token?: string;
}

/** `stoker jobs`. */
export function addJobsCommand(program: Command): void {
  addServerOptions(program.command("jobs"))
    .description("list the imports of a server, the newest first")
    .option("--all", "list all imports, not only the newest 100")
    .option("--json", "print the list as JSON, with the metering figures of each import")
    .addHelpText("after", "\nExample:\n  $ stoker jobs --server http://127.0.0.1:8080/fhir")
    .action(async (flags: ServerFlags & { readonly all?: boolean; readonly json?: boolean }) => {
      const imports = await readJobs(serverOf(flags), flags.all ?? false);
      const terminal = openTerminal(process.stdout);
      const text = flags.json
        ? JSON.stringify({ imports: imports.map(metered) })
        : jobLines(imports, terminal.interactive ? terminal.width() : 120).join("\n");
      process.stdout.write(`${text}\n`);
    });
}

/** The newest imports of a server, or all: a server gives a page at a time. */
async function readJobs(server: ServerTarget, all: boolean): Promise<readonly ListedImport[]> {
  const jobs: ListedImport[] = [];
  for (let query = ""; ; query = `?before=${jobs.at(-1)?.id ?? ""}`) {
    const url = `${server.baseUrl}/_operations/import${query}`;
    const { imports } = await readJson<{ imports: ListedImport[] }>(server, url);
    jobs.push(...imports);
    if (!all || imports.length === 0) return jobs;
  }
}

/** Adds `--server` and `--token`. */
export function addServerOptions(command: Command): Command {
  return command
    .option("--server <URL>", "FHIR base of the server [STOKER_BASE_URL; http://127.0.0.1:8080/fhir]")
    .option("--token <TOKEN>", "bearer token [STOKER_TOKEN]");
}

/** The server that the options name. */
export function serverOf(flags: ServerFlags): ServerTarget {
  const environment = terminalEnvironment();
  return { baseUrl: serverBase(flags.server ?? environment.baseUrl), token: flags.token ?? environment.token };
}

/** The list as a table. */
export function jobLines(imports: readonly ListedImport[], width: number): string[] {
  if (imports.length === 0) return ["no imports yet"];
  const rows = imports.map((job) => {
    const share =
      job.totalBytes > 0 && job.state === "running"
        ? ` ${String(Math.floor((100 * job.bytes) / job.totalBytes))} %`
        : "";
    const seconds =
      job.endTime === null ? undefined : (Date.parse(job.endTime) - Date.parse(job.transactionTime)) / 1000;
    return [
      job.id,
      job.state + share,
      `${job.transactionTime.slice(0, 19)}Z`,
      formatCount(job.inputs),
      formatCount(job.loaded),
      formatCount(job.rejected),
      formatBytes(job.totalBytes),
      seconds === undefined ? "" : formatDuration(seconds),
    ];
  });
  const head = ["id", "state", "registered", "inputs", "loaded", "rejected", "size", "time"];
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    fit(
      cells
        .map((cell, column) => (column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
      Math.max(40, width - 1),
    );
  return [line(head), ...rows.map(line)];
}

/** The published rules meter what IncrementalLoad has loaded; InitialLoad is not metered. */
function metered(job: ListedImport): unknown {
  if (job.mode === undefined) return job;
  const resources = job.mode === "IncrementalLoad" ? job.loaded : 0;
  return { ...job, metering: { resources } };
}
