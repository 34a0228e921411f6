import type { Command } from "commander";
import { StokerError } from "../../base/errors.ts";
import { isInstant } from "../../fhir/primitives.ts";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import { addServerOptions, serverOf, type ServerFlags } from "../commands/jobs.ts";
import { openStopRequests } from "../../terminal/stop.ts";
import { openTerminal } from "../../terminal/terminal.ts";
import { createExportDisplay } from "./display.ts";
import { exportReportLines } from "./report.ts";
import { runExportCommand, type ExportReport } from "./run-export.ts";

interface ExportFlags extends ServerFlags {
  readonly out: string;
  readonly type?: readonly string[];
  readonly since?: string;
  readonly keep?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ stoker export --out ./backup
  $ stoker export --out ./changes --since 2026-11-30T00:00:00Z --type Patient,Observation
  $ stoker export --out ./theirs --server https://fhir.example.org/r4 --token TOKEN

After an interruption, the same command resumes the export. Existing files are never overwritten.

Exit code: 0 all files are complete, 1 some files have problems, 2 fatal error or interrupted.`;

/** `stoker export`. */
export function addExportCommand(program: Command): void {
  addServerOptions(program.command("export"))
    .description("export a server's resources into a folder of NDJSON files (Bulk Data Access)")
    .requiredOption("--out <DIR>", "folder for the files; created if it does not exist")
    .option("--type <TYPES>", "only these types; separate them with commas or repeat the option", typeList)
    .option(
      "--since <INSTANT>",
      "only what has changed since this instant, such as the transaction time of the last export",
    )
    .option("--keep", "leave the export on the server; by default it is removed from there at the end")
    .option("--json", "print the result as JSON, show no progress")
    .addHelpText("after", EXAMPLES)
    .action(async (flags: ExportFlags) => {
      process.exitCode = await exportInto(flags);
    });
}

function typeList(text: string, before: readonly string[] = []): readonly string[] {
  const types = text
    .split(",")
    .map((type) => type.trim())
    .filter((type) => type !== "");
  for (const type of types) {
    if (RESOURCE_TYPES.includes(type)) continue;
    throw new StokerError(
      "bad-request",
      `--type ${type} is not a resource type of FHIR R4; types are written like Patient`,
    );
  }
  return [...before, ...types];
}

async function exportInto(flags: ExportFlags): Promise<number> {
  if (flags.since !== undefined && !isInstant(flags.since)) {
    const text = `--since ${flags.since} is not an instant with a time zone; it looks like 2026-11-30T12:00:00Z`;
    throw new StokerError("bad-request", text);
  }
  const requests = openStopRequests();
  try {
    const report = await runExportCommand({
      server: serverOf(flags),
      order: { types: [...new Set(flags.type)].toSorted(), since: flags.since },
      out: flags.out,
      keep: flags.keep ?? false,
      display: flags.json ? undefined : createExportDisplay(openTerminal(process.stderr)),
      signal: requests.signal,
    });
    const text = flags.json ? JSON.stringify(jsonReport(report)) : exportReportLines(report).join("\n");
    process.stdout.write(`${text}\n`);
    return report.problems.length > 0 ? 1 : 0;
  } catch (error) {
    if (!requests.signal.aborted) throw error;
    if (flags.json) process.stdout.write(`${JSON.stringify({ state: "broken off" })}\n`);
    process.stderr.write("the export was interrupted; the server continues with it, and the same command resumes it\n");
    return 2;
  } finally {
    requests.close();
  }
}

function jsonReport({ files, problems, ...report }: ExportReport): unknown {
  const of = (kind: string): unknown[] =>
    files
      .filter((file) => file.kind === kind)
      .map(({ type, name, lines, bytes, count }) => ({
        type,
        name,
        lines,
        bytes,
        ...(count !== undefined && { count }),
      }));
  return {
    state: problems.length > 0 ? "incomplete" : "completed",
    ...report,
    output: of("output"),
    deleted: of("deleted"),
    error: of("error"),
    problems,
  };
}
