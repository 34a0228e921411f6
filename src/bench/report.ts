import { formatBytes, formatCount, formatDuration } from "../terminal/format.ts";
import { apiSections } from "./api-report.ts";
import { figuresOf, formatFigure, type Figure } from "./figures.ts";
import { rateOf, type BenchResults, type ImportRun } from "./results.ts";
import { STAGE_NAMES } from "./stages.ts";
import { median, typical } from "./statistics.ts";
import { renderTable } from "./table.ts";

const VERDICTS: Readonly<Record<Figure["verdict"], string>> = {
  aim: "✓ aim reached",
  must: "✓ good enough",
  missed: "✗ missed",
  smaller: "~ smaller run",
  open: "– not measured",
};

/** The results as the lines of a report: figures, runs, stages, growth, searches, and what they were measured on. */
export function benchReportLines(results: BenchResults): string[] {
  const sections = [
    ["Figures", ...figureLines(figuresOf(results))],
    ...(results.runs.length > 0 || results.reads !== undefined ? [["Runs (median)", ...runLines(results)]] : []),
    ...(results.runs.length > 0 ? [["Where the time goes (seconds of the workers)", ...stageLines(results)]] : []),
    ...(results.grownRuns.length > 0 ? [["Growth", ...growthLines(results)]] : []),
    ...(results.api === undefined ? [] : apiSections(results.api)),
    ["Measured on", ...environmentLines(results)],
  ];
  return sections.flatMap(([title = "", ...lines], index) => [
    ...(index === 0 ? [] : [""]),
    title,
    "",
    ...lines.map((line) => `  ${line}`.trimEnd()),
  ]);
}

/** The table of {@link figuresOf}. */
export function figureLines(figures: readonly Figure[]): string[] {
  return renderTable(
    [
      { title: "figure", align: "left" },
      { title: "measured", align: "right" },
      { title: "must", align: "right" },
      { title: "aim", align: "right" },
      { title: "verdict", align: "left" },
      { title: "", align: "left" },
    ],
    figures.map(({ title, value, unit, better, must, aim, verdict, note }) => [
      title,
      value === undefined ? "–" : formatFigure(value, unit),
      `${better === "lower" ? "≤" : "≥"} ${formatFigure(must, unit)}`,
      formatFigure(aim, unit),
      VERDICTS[verdict],
      note,
    ]),
  );
}

function runLines(results: BenchResults): string[] {
  const { resources, bytes } = results.data;
  const rows: string[][] = [];
  for (const column of ["jsonb", "text"] as const) {
    const runs = results.ceilings.filter((ceiling) => ceiling.column === column);
    if (runs.length === 0) continue;
    const seconds = median(runs.map((run) => run.seconds));
    const spread = spreadOf(runs.map((run) => run.seconds));
    rows.push([`COPY into one ${column} column`, String(runs.length), ...speed(seconds, resources, bytes), spread]);
  }
  for (const mode of ["InitialLoad", "IncrementalLoad"] as const) {
    const runs = results.runs.filter((run) => run.mode === mode);
    if (runs.length > 0) rows.push(runRow(mode, runs));
  }
  if (results.reads !== undefined) {
    rows.push(runRow(`${results.reads.run.mode} while being read`, [results.reads.run]));
  }
  if (results.grownRuns.length > 0) {
    rows.push(runRow(`${results.grownRuns[0]?.mode ?? ""} into the grown store`, results.grownRuns));
  }
  return renderTable(
    [
      { title: "", align: "left" },
      ...[
        "runs",
        "seconds",
        "resources/s",
        "MB/s",
        "fastest–slowest",
        "Stoker CPU",
        "PostgreSQL CPU",
        "peak memory",
      ].map((title) => ({ title, align: "right" as const })),
    ],
    rows,
  );
}

function runRow(title: string, runs: readonly ImportRun[]): string[] {
  const run = typical(runs, ({ seconds }) => seconds);
  if (run === undefined) return [title];
  return [
    title,
    String(runs.length),
    ...speed(median(runs.map(({ seconds }) => seconds)), run.resources, run.inputBytes),
    spreadOf(runs.map(({ seconds }) => seconds)),
    run.cpuSeconds === undefined ? "–" : `${run.cpuSeconds.toFixed(1)} s`,
    run.databaseCpuSeconds === undefined ? "–" : `${run.databaseCpuSeconds.toFixed(1)} s`,
    run.peakMemory === undefined ? "–" : formatBytes(Math.max(...runs.map(({ peakMemory }) => peakMemory ?? 0))),
  ];
}

function speed(seconds: number, resources: number, bytes: number): string[] {
  return [seconds.toFixed(2), formatCount(resources / seconds), (bytes / seconds / 1e6).toFixed(1)];
}

function spreadOf(seconds: readonly number[]): string {
  return `${Math.min(...seconds).toFixed(1)}–${Math.max(...seconds).toFixed(1)} s`;
}

function stageLines(results: BenchResults): string[] {
  const runs = (["InitialLoad", "IncrementalLoad"] as const).flatMap((mode) => {
    const run = typical(
      results.runs.filter((run) => run.mode === mode),
      ({ seconds }) => seconds,
    );
    return run?.stages === undefined ? [] : [{ mode, stages: run.stages }];
  });
  if (runs.length === 0) return ["not measured: the server exports no stage times"];
  const known = new Map(STAGE_NAMES);
  const labels = [...known.keys(), ...new Set(runs.flatMap(({ stages }) => Object.keys(stages)))];
  const sums = runs.map(({ stages }) => Object.values(stages).reduce((sum, seconds) => sum + seconds, 0));
  const rows = [...new Set(labels)].map((label) => [
    known.get(label) ?? label,
    ...runs.flatMap(({ stages }, index) => {
      const seconds = stages[label];
      if (seconds === undefined) return ["not measured", ""];
      return [seconds.toFixed(2), `${((seconds / (sums[index] || 1)) * 100).toFixed(0)} %`];
    }),
  ]);
  return renderTable(
    [
      { title: "stage", align: "left" },
      ...runs.flatMap(({ mode }) => [
        { title: mode, align: "right" as const },
        { title: "share", align: "right" as const },
      ]),
    ],
    [...rows, ["sum", ...sums.flatMap((sum) => [sum.toFixed(2), ""])]],
  );
}

function growthLines(results: BenchResults): string[] {
  return renderTable(
    ["in the store", "seconds", "resources/s", "peak memory"].map((title) => ({ title, align: "right" as const })),
    [...results.growth, ...results.grownRuns].map((run) => [
      formatCount(run.before),
      run.seconds.toFixed(2),
      formatCount(rateOf(run)),
      run.peakMemory === undefined ? "–" : formatBytes(run.peakMemory),
    ]),
  );
}

function environmentLines(results: BenchResults): string[] {
  const { machine, postgres, data } = results;
  const settings = Object.entries(postgres.settings).map(([name, value]) => `${name} ${value}`);
  const disk = results.disk;
  return [
    `machine     ${machine.cpu}, ${String(machine.cores)} cores, ${formatBytes(machine.memoryBytes)} memory, ${machine.system}, load before ${machine.load.toFixed(1)}`,
    `software    Stoker ${results.stoker}, Node.js ${machine.node}, PostgreSQL ${postgres.version} (${postgres.embedded ? "embedded" : "given"})`,
    `PostgreSQL  ${settings.join(", ")}`,
    `data        ${data.source}: ${formatCount(data.resources)} resources, ${formatBytes(data.bytes)}, ${String(data.files)} files`,
    ...(disk === undefined
      ? []
      : [
          `disk        database ${formatBytes(disk.databaseBytes)} (${formatBytes(disk.emptyDatabaseBytes)} when empty), write-ahead log ${disk.walBytes === undefined ? "unknown" : formatBytes(disk.walBytes)}`,
        ]),
    `run         ${results.date}, ${results.commandLine}`,
  ];
}

/** One line on an import, for the log while it goes on. */
export function runLine(title: string, run: ImportRun): string {
  const memory = run.peakMemory === undefined ? "" : `, peak memory ${formatBytes(run.peakMemory)}`;
  return `${title}: ${formatDuration(run.seconds)}, ${formatCount(rateOf(run))} resources/s${memory}`;
}
