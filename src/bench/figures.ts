import { formatBytes, formatCount } from "../terminal/format.ts";
import type { WriteTimes } from "./api-writes.ts";
import { rateOf, type ApiTimes, type BenchPhase, type BenchResults } from "./results.ts";
import { median } from "./statistics.ts";

/** A figure that Stoker promises, as measured. */
export interface Figure {
  readonly title: string;
  /** Undefined: not measured; `note` says why. */
  readonly value: number | undefined;
  readonly unit: "ratio" | "milliseconds" | "bytes" | "rate";
  readonly better: "lower" | "higher";
  readonly must: number;
  readonly aim: number;
  readonly verdict: "aim" | "must" | "missed" | "smaller" | "open";
  readonly note: string;
}

/** Resources and bytes that two of the figures are defined for; less says less. */
const FULL_STORE = 5_000_000;
const FULL_IMPORT_BYTES = 5e9;
const API_STORE = 1_000_000;

/** The figures of the phases that were asked for, in the order in which they are shown. */
export function figuresOf(results: BenchResults): Figure[] {
  const { phases, api } = results;
  const has = (phase: BenchPhase): boolean => phases.includes(phase);
  return [
    ...(has("imports")
      ? [againstCopy(results, "InitialLoad", 2.5, 1.6), againstCopy(results, "IncrementalLoad", 3, 1.8)]
      : []),
    ...(has("growth") ? [growthRate(results)] : []),
    ...(has("imports") || has("growth") ? [memory(results)] : []),
    ...(has("growth") ? [readsFigure(results)] : []),
    ...(has("imports") ? [diskFigure(results)] : []),
    ...(api === undefined ? [] : apiFigures(api)),
  ];
}

function readsFigure({ reads }: BenchResults): Figure {
  return figure({
    title: "median GET Patient/[id] during an import",
    value: reads?.median,
    unit: "milliseconds",
    must: 20,
    aim: 5,
    note:
      reads === undefined
        ? "no Patient in the data"
        : `p95 ${reads.p95.toFixed(1)} ms, max ${reads.max.toFixed(0)} ms, ${formatCount(reads.requests)} reads`,
  });
}

function diskFigure({ disk }: BenchResults): Figure {
  return figure({
    title: "bytes on disk ÷ bytes of input",
    value: disk && disk.databaseBytes / disk.inputBytes,
    unit: "ratio",
    must: 2,
    aim: 1.3,
    note: disk === undefined ? "no run" : `${formatBytes(disk.databaseBytes)} without write-ahead log`,
  });
}

/** Searches that count are no part of the figure: they take as long as there is something to count. */
function apiFigures({ searches, writes, resources }: ApiTimes): Figure[] {
  const rate = (kind: WriteTimes["kind"]): number | undefined =>
    writes.find((write) => write.kind === kind && write.clients === 8)?.resourcesPerSecond;
  const slowest = searches
    .filter(({ counts, clients }) => !counts && clients === 1)
    .toSorted((a, b) => b.p95 - a.p95)[0];
  return [
    figure({
      title: "slowest search, p95",
      value: slowest?.p95,
      unit: "milliseconds",
      must: 50,
      aim: 20,
      smaller: resources < API_STORE,
      note: slowest === undefined ? "no search" : `${slowest.title}, 1 client`,
    }),
    figure({
      title: "creates by API, 8 clients",
      value: rate("create"),
      unit: "rate",
      better: "higher",
      must: 1000,
      aim: 2000,
      note: "each with its own answer, on disk",
    }),
    figure({
      title: "transactions of 500 creates, 8 clients",
      value: rate("transaction"),
      unit: "rate",
      better: "higher",
      must: 3000,
      aim: 5000,
      note: "",
    }),
  ];
}

/** The value with its unit. */
export function formatFigure(value: number, unit: Figure["unit"]): string {
  if (unit === "bytes") return formatBytes(value);
  if (unit === "rate") return `${formatCount(value)}/s`;
  return unit === "milliseconds" ? `${value.toFixed(1)} ms` : value.toFixed(2);
}

function againstCopy(
  results: BenchResults,
  mode: "InitialLoad" | "IncrementalLoad",
  must: number,
  aim: number,
): Figure {
  const copy = median(results.ceilings.filter(({ column }) => column === "jsonb").map(({ seconds }) => seconds));
  const runs = results.runs.filter((run) => run.mode === mode).map(({ seconds }) => seconds);
  const seconds = median(runs);
  const measured = runs.length > 0 && copy > 0;
  return figure({
    title: `${mode} into an empty store: time ÷ time of COPY`,
    value: measured ? seconds / copy : undefined,
    unit: "ratio",
    must,
    aim,
    note: !measured ? "no run" : `${seconds.toFixed(2)} s ÷ ${copy.toFixed(2)} s`,
  });
}

function growthRate(results: BenchResults): Figure {
  const grown = results.grownRuns;
  const mode = grown[0]?.mode;
  const empty = median(results.runs.filter((run) => run.mode === mode).map(rateOf));
  const before = Math.min(...grown.map((run) => run.before));
  const rate = median(grown.map(rateOf));
  return figure({
    title: "rate into a store of 5 million ÷ rate into an empty one",
    value: grown.length === 0 ? undefined : rate / empty,
    unit: "ratio",
    better: "higher",
    must: 0.8,
    aim: 1,
    smaller: before < FULL_STORE,
    note:
      grown.length === 0
        ? "with --grow 5000000"
        : `${formatCount(rate)}/s into ${formatCount(before)} resources, ${formatCount(empty)}/s into none`,
  });
}

function memory(results: BenchResults): Figure {
  const growth = [...(results.reads === undefined ? [] : [results.reads.run]), ...results.growth, ...results.grownRuns];
  const runs = growth.length > 0 ? growth : results.runs;
  const peaks = runs.flatMap(({ peakMemory }) => (peakMemory === undefined ? [] : [peakMemory]));
  const bytes = runs.reduce(
    (sum, run) => (growth.length > 0 ? sum + run.inputBytes : Math.max(sum, run.inputBytes)),
    0,
  );
  return figure({
    title: "resident memory of the server process, 5 GB import (peak)",
    value: peaks.length === 0 ? undefined : Math.max(...peaks),
    unit: "bytes",
    must: 1e9,
    aim: 500e6,
    smaller: bytes < FULL_IMPORT_BYTES,
    note: peaks.length === 0 ? "not available on this system" : `${formatBytes(bytes)} imported by one process`,
  });
}

function figure(
  row: Pick<Figure, "title" | "value" | "unit" | "must" | "aim" | "note"> & { better?: "higher"; smaller?: boolean },
): Figure {
  const better = row.better ?? "lower";
  const reaches = (value: number, limit: number): boolean => (better === "lower" ? value <= limit : value >= limit);
  let verdict: Figure["verdict"] = "open";
  if (row.value !== undefined) {
    if (!reaches(row.value, row.must)) verdict = "missed";
    else if (row.smaller === true) verdict = "smaller";
    else verdict = reaches(row.value, row.aim) ? "aim" : "must";
  }
  const { title, value, unit, must, aim, note } = row;
  return { title, value, unit, better, must, aim, verdict, note };
}
