import { InvalidArgumentError, type Command } from "commander";
import { StokerError } from "../../base/errors.ts";
import { formatBytes, formatCount, formatDuration } from "../../terminal/format.ts";
import { openStopRequests } from "../../terminal/stop.ts";
import { generateFiles, type GeneratedFile } from "../../generate/generate.ts";

interface GenerateFlags {
  readonly patients: number;
  readonly out: string;
  readonly seed: number;
  readonly conditionalReferences?: boolean;
  readonly force?: boolean;
}

/** `stoker generate`. */
export function addGenerateCommand(program: Command): void {
  program
    .command("generate")
    .description("write clinically plausible sample data as NDJSON, one file per resource type")
    .requiredOption("--patients <N>", "number of patients", wholeNumber(1, 10_000_000))
    .requiredOption("--out <DIR>", "folder to write into; created if it does not exist")
    .option("--seed <S>", "seed; the same number always gives the same bytes", wholeNumber(0, 4_294_967_295), 1)
    .option(
      "--conditional-references",
      "refer to practitioners, organizations and locations by identifier, as Synthea does",
    )
    .option("--force", "overwrite existing files")
    .addHelpText("after", "\nExample:\n  $ stoker generate --patients 1000 --out ./sample && stoker import ./sample")
    .action(async (flags: GenerateFlags) => {
      const started = performance.now();
      const requests = openStopRequests();
      let files: GeneratedFile[];
      try {
        files = await generateFiles({
          patients: flags.patients,
          seed: flags.seed,
          conditionalReferences: flags.conditionalReferences ?? false,
          folder: flags.out,
          overwrite: flags.force ?? false,
          signal: requests.signal,
        });
      } catch (error) {
        throw requests.signal.aborted
          ? new StokerError("bad-request", "stopped; unfinished files were removed")
          : error;
      } finally {
        requests.close();
      }
      process.stdout.write(`${generatedLines(files, flags.out, (performance.now() - started) / 1000).join("\n")}\n`);
    });
}

/** What was written, as lines. */
function generatedLines(files: readonly GeneratedFile[], folder: string, seconds: number): string[] {
  const width = Math.max(...files.map((file) => formatCount(file.resources).length));
  const resources = files.reduce((sum, file) => sum + file.resources, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const rate = formatCount(resources / Math.max(seconds, 0.001));
  return [
    ...files.map((file) => `${formatCount(file.resources).padStart(width)}  ${file.type}`),
    `${formatCount(resources)} resources (${formatBytes(bytes)}) written to ${folder} in ${formatDuration(seconds)}: ${rate} resources/s`,
  ];
}

/** Parses a whole number of a flag. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${String(minimum)} to ${String(maximum)}.`);
  };
}
