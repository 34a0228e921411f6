import { describe, expect, test } from "vitest";
import { shownCommandLine } from "../cli/commands/bench.ts";
import { databaseUrl } from "./databases.ts";
import { figuresOf } from "./figures.ts";
import { figureLines, benchReportLines } from "./report.ts";
import type { BenchResults, ImportRun } from "./results.ts";
import { parseStages, stagesBetween } from "./stages.ts";
import { median, percentile, typical } from "./statistics.ts";
import { renderTable } from "./table.ts";

describe("statistics", () => {
  test.each([
    [[], Number.NaN, Number.NaN],
    [[4], 4, 4],
    [[3, 1, 2], 2, 3],
    [[4, 1, 3, 2], 2.5, 4],
    [Array.from({ length: 100 }, (_, index) => 100 - index), 50.5, 95],
  ])("of %j the median is %d and the 95th percentile %d", (values, middle, p95) => {
    expect(median(values)).toBe(middle);
    expect(percentile(values, 0.95)).toBe(p95);
  });

  test("the typical item is the one next to the median", () => {
    expect(typical([{ n: 9 }, { n: 1 }, { n: 3 }], ({ n }) => n)).toEqual({ n: 3 });
    expect(typical([], Number)).toBeUndefined();
  });
});

test("a table has aligned columns and no trailing spaces", () => {
  const columns = [
    { title: "name", align: "left" },
    { title: "n", align: "right" },
    { title: "remark", align: "left" },
  ] as const;
  expect(
    renderTable(columns, [
      ["one", "1,000", "÷"],
      ["fifteen", "2"],
    ]),
  ).toEqual(["name         n  remark", "───────  ─────  ──────", "one      1,000  ÷", "fifteen      2"]);
});

function metrics(read: number): string {
  return [
    "# TYPE stoker_import_stage_seconds_total counter",
    `stoker_import_stage_seconds_total{stage="read",worker="1"} ${String(read)}`,
    'stoker_import_stage_seconds_total{worker="2",stage="read"} 0.5',
    'stoker_import_stage_seconds_total{stage="copy"} 2e-1',
    'stoker_import_lines_total{outcome="loaded"} 7',
  ].join("\n");
}

test("stages are read from Prometheus text, summed over workers, and subtracted", () => {
  expect(parseStages(metrics(1))).toEqual({ read: 1.5, copy: 0.2 });
  expect(stagesBetween(parseStages(metrics(1)), parseStages(metrics(3)))).toEqual({ read: 2, copy: 0 });
  expect(stagesBetween(undefined, parseStages(metrics(3)))).toEqual({ read: 3.5, copy: 0.2 });
  expect(parseStages("process_cpu_seconds_total 3")).toBeUndefined();
});

test("addresses of databases: sockets in the query, no password on the shown command line", () => {
  const parts = { port: 5432, user: "u", password: "a/b@c", database: "d" };
  expect(databaseUrl({ ...parts, host: "/tmp/x y" })).toBe(
    "postgres://u:a%2Fb%40c@localhost:5432/d?host=%2Ftmp%2Fx%20y",
  );
  expect(databaseUrl({ ...parts, host: "127.0.0.1" })).toBe("postgres://u:a%2Fb%40c@127.0.0.1:5432/d");
  expect(shownCommandLine(["bench", "--database-url=postgresql://u:secret@h/d", "postgres://v:x@h/d"])).toBe(
    "stoker bench --database-url=postgresql://u:…@h/d postgres://v:…@h/d",
  );
});

function run(part: Partial<ImportRun>): ImportRun {
  return {
    mode: "IncrementalLoad",
    before: 0,
    resources: 200_000,
    inputBytes: 260e6,
    seconds: 10,
    cpuSeconds: 8,
    databaseCpuSeconds: undefined,
    peakMemory: 400e6,
    stages: undefined,
    ...part,
  };
}

describe("figures", () => {
  const results: BenchResults = {
    phases: ["imports", "growth", "api"],
    date: "2026-01-01T00:00:00.000Z",
    commandLine: "stoker bench",
    stoker: "0.1.0",
    machine: { cpu: "a processor", cores: 2, memoryBytes: 8e9, system: "Linux", node: "v24.0.0", load: 0 },
    postgres: { version: "18.4", embedded: true, settings: { fsync: "on" } },
    data: { source: "data", files: 3, resources: 200_000, bytes: 260e6 },
    ceilings: [4, 5, 6].map((seconds) => ({ column: "jsonb" as const, seconds, tableBytes: 1 })),
    runs: [
      run({ mode: "InitialLoad", seconds: 8 }),
      run({ seconds: 9 }),
      run({ seconds: 11, stages: { read: 1, copy: 3 } }),
      run({ seconds: 16 }),
    ],
    disk: { inputBytes: 100, databaseBytes: 210, emptyDatabaseBytes: 8, walBytes: undefined },
    reads: { requests: 400, median: 4, p95: 9, p99: 20, max: 30, run: run({}) },
    growth: [run({})],
    grownRuns: [run({ before: 1_000_000, seconds: 12.5, peakMemory: 600e6 })],
    api: undefined,
  };

  test("they are ratios of medians, and their verdicts compare with must and aim", () => {
    const shown = figuresOf(results).map(({ value, verdict }) => [value, verdict]);
    expect(shown).toEqual([
      [1.6, "aim"],
      [2.2, "must"],
      [16_000 / (200_000 / 11), "smaller"], // of a smaller store than the figure is about
      [600e6, "smaller"],
      [4, "aim"],
      [2.1, "missed"],
    ]);
  });

  test("what was not measured says so", () => {
    const nothing = {
      ...results,
      runs: [],
      ceilings: [],
      disk: undefined,
      reads: undefined,
      growth: [],
      grownRuns: [],
    };
    const figures = figuresOf(nothing);
    expect(figures.map(({ verdict }) => verdict)).toEqual(Array.from({ length: 6 }, () => "open"));
    expect(figureLines(figures).join("\n")).not.toMatch(/NaN|Infinity|undefined/);
    expect(benchReportLines(nothing).join("\n")).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("the API has figures of its own; counting may take long", () => {
    const times = { requests: 300, median: 4, p95: 9, p99: 20, max: 30 };
    const search = { title: "Patient by name", clients: 1, counts: false, found: 8, perSecond: 200, ...times };
    const write = { kind: "create" as const, clients: 8, resources: 1, resourcesPerSecond: 1500, ...times };
    const api = {
      resources: 1_000_000,
      partitions: 2,
      mergeSeconds: 30,
      pointRead: times,
      searches: [search, { ...search, clients: 8 }, { ...search, title: "total", counts: true, p95: 500 }],
      writes: [write, { ...write, kind: "transaction" as const, resources: 500, resourcesPerSecond: 2000 }],
    };
    const shown = figuresOf({ ...results, api }).map(({ value, verdict }) => [value, verdict]);
    expect(shown.slice(6)).toEqual([
      [9, "aim"],
      [1500, "must"],
      [2000, "missed"],
    ]);
    const text = benchReportLines({ ...results, api }).join("\n");
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
    expect(text).toMatch(/Patient by name +8 +4\.0 +9\.0 +4\.0 +9\.0 +200/);
    expect(text).toMatch(/transactions of 500 creates +8 +2,000 +4\.0 +9\.0/);
    const nothing = { ...api, pointRead: undefined, searches: [], writes: [] };
    expect(benchReportLines({ ...results, api: nothing }).join("\n")).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("the report shows every part", () => {
    const lines = benchReportLines(results);
    for (const line of lines) expect(line).toBe(line.trimEnd());
    const text = lines.join("\n");
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
    expect(text).toContain("InitialLoad into an empty store: time ÷ time of COPY");
    expect(text).toMatch(/1\.60 +≤ 2\.50 +1\.60 +✓ aim reached +8\.00 s ÷ 5\.00 s/);
    expect(text).toMatch(/COPY +3\.00 +75 %/);
    expect(text).toMatch(/index build +not measured/);
    expect(text).toMatch(/1,000,000 +12\.50 +16,000 +600 MB/);
  });
});
