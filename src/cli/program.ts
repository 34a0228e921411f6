import { Command, CommanderError } from "commander";
import { StokerError } from "../base/errors.ts";
import { terminalEnvironment } from "../base/settings.ts";
import { addBenchCommand } from "./commands/bench.ts";
import { addCancelCommand } from "./commands/cancel.ts";
import { addCleanCommand } from "./commands/clean.ts";
import { addDemoCommand } from "./demo/command.ts";
import { addExportCommand } from "./export/command.ts";
import { addGenerateCommand } from "./commands/generate.ts";
import { addImportCommand } from "./commands/import/command.ts";
import { addJobsCommand } from "./commands/jobs.ts";
import { addServeCommand } from "./commands/serve.ts";
import { programVersion } from "../base/version.ts";
import { addWorkerCommand } from "./commands/worker.ts";

/** Exit code of every error of usage or of the run. */
const FATAL = 2;

/** The command line: one command each, help on each. */
export function createProgram(): Command {
  const program = new Command("stoker");
  program
    .description("an open FHIR R4 server that is fed in bulk")
    .version(programVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showHelpAfterError("(add --help for options and an example)")
    .exitOverride()
    .addHelpText("after", "\nExample:\n  $ stoker generate --patients 100 --out ./sample && stoker import ./sample");
  addServeCommand(program);
  addWorkerCommand(program);
  addImportCommand(program);
  addExportCommand(program);
  addJobsCommand(program);
  addCancelCommand(program);
  addGenerateCommand(program);
  addCleanCommand(program);
  addDemoCommand(program);
  addBenchCommand(program);
  return program;
}

/** Runs the command line and returns the exit code: every error is one line on standard error. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(words, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : FATAL;
    reportError(error);
    return FATAL;
  }
}

/** Prints an error as one line; with STOKER_LOG_LEVEL=debug its stack, too. */
export function reportError(error: unknown): void {
  const stack = error instanceof Error ? error.stack : undefined;
  if (terminalEnvironment().stacks && stack !== undefined) process.stderr.write(`${stack}\n`);
  process.stderr.write(`stoker: ${lineOf(error)}\n`);
}

function lineOf(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").trim();
  if (error instanceof StokerError) return message;
  return `unexpected error: ${message} (STOKER_LOG_LEVEL=debug shows where)`;
}
