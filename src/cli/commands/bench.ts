import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import { StokerError } from "../../base/errors.ts";
import { wholeNumber } from "./generate.ts";
import { openStopRequests } from "../../terminal/stop.ts";
import { WrongCount } from "../../bench/import-run.ts";
import { benchReportLines } from "../../bench/report.ts";
import { BENCH_PHASES, type BenchPhase } from "../../bench/results.ts";
import { runBench, writeResults } from "../../bench/run-bench.ts";

interface BenchFlags {
  readonly data?: string;
  readonly grow: number;
  readonly repeat: number;
  readonly json: string;
  readonly workers?: number;
  readonly phases?: ReadonlySet<BenchPhase>;
  readonly apiResources: number;
  readonly databaseUrl?: string;
  readonly workDir: string;
  readonly keep?: boolean;
}

/** Exit code when an import loaded something else than its lines. Slow is no failure. */
const WRONG = 1;

/** `stoker bench`. */
export function addBenchCommand(program: Command): void {
  program
    .command("bench")
    .description(
      "measure this machine: raw COPY, imports and their ratio to it, growth, searches and writes by the API, memory, disk",
    )
    .option("--data <DIR>", "folder with *.ndjson or *.ndjson.gz files [generated data of 500 patients]")
    .option("--grow <N>", "also benchmark a store of N resources, made of copies with new ids", wholeNumber(0, 1e9), 0)
    .option("--repeat <N>", "imports into an empty store per mode; the median is reported", wholeNumber(1, 99), 3)
    .option("--json <FILE>", "file for the results", "stoker-bench.json")
    .option("--workers <COUNT>", "import units processed in parallel [number of cores]", wholeNumber(1, 256))
    .option("--phases <LIST>", `what to measure: ${BENCH_PHASES.join(", ")} [all]`, phaseList)
    .option(
      "--api-resources <N>",
      "size of the store, in resources, that searches are measured on",
      wholeNumber(1, 1e9),
      1e6,
    )
    .option("--database-url <URL>", "measure on this PostgreSQL, in separate databases, instead of on the embedded one")
    .option("--work-dir <DIR>", "where temporary data goes", tmpdir())
    .option("--keep", "keep the temporary data and the databases")
    .addHelpText(
      "after",
      "\nExample:\n  $ stoker bench --data ./exports --grow 5000000 --json results.json\n  $ stoker bench --data ./exports --phases api",
    )
    .action(async (flags: BenchFlags) => {
      const requests = openStopRequests();
      try {
        const results = await runBench(
          {
            data: flags.data === undefined ? undefined : resolve(flags.data),
            grow: flags.grow,
            repeat: flags.repeat,
            workers: flags.workers,
            phases: flags.phases ?? new Set(BENCH_PHASES),
            apiResources: flags.apiResources,
            databaseUrl: flags.databaseUrl,
            workDir: resolve(flags.workDir),
            keep: flags.keep ?? false,
            commandLine: shownCommandLine(process.argv.slice(2)),
          },
          requests.signal,
          say,
        );
        say(["", ...benchReportLines(results), ""].join("\n"));
        await writeResults(flags.json, results);
        say(`Everything is in ${flags.json}.`);
      } catch (error) {
        if (requests.signal.aborted) throw new StokerError("bad-request", "stopped");
        if (!(error instanceof WrongCount)) throw error;
        process.stderr.write(`stoker: wrong result: ${error.message}\n`);
        process.exitCode = WRONG;
      } finally {
        requests.close();
      }
    });
}

function phaseList(text: string): ReadonlySet<BenchPhase> {
  const names = text.split(",").map((name) => name.trim());
  const phases = BENCH_PHASES.filter((phase) => names.includes(phase));
  if (phases.length !== new Set(names).size) throw new InvalidArgumentError(`choose of ${BENCH_PHASES.join(", ")}`);
  return new Set(phases);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The command line as it may be shown: a database's address may hold a password. */
export function shownCommandLine(words: readonly string[]): string {
  return ["stoker", ...words.map(withoutPassword)].join(" ");
}

function withoutPassword(word: string): string {
  const start = word.search(/postgres(?:ql)?:\/\//);
  if (start < 0) return word;
  const colon = word.indexOf(":", word.indexOf("://", start) + 3);
  const at = word.lastIndexOf("@");
  return colon < 0 || colon > at ? word : `${word.slice(0, colon)}:…${word.slice(at)}`;
}
