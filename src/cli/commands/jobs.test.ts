import { expect, test } from "vitest";
import { jobLines, type ListedImport } from "./jobs.ts";

const JOB: ListedImport = {
  id: "17",
  state: "running",
  mode: "IncrementalLoad",
  transactionTime: "2026-01-02T03:04:05.678901+00:00",
  endTime: null,
  inputs: 12,
  loaded: 1_234_567,
  rejected: 0,
  bytes: 500_000,
  totalBytes: 1_000_000,
};

test("jobs as a table: share of the running ones, time of those that ended", () => {
  const done = { ...JOB, id: "16", state: "completed", endTime: "2026-01-02T03:05:05.678901+00:00" };
  expect(jobLines([JOB, done], 120)).toEqual([
    "id  state         registered            inputs     loaded  rejected    size       time",
    "17  running 50 %  2026-01-02T03:04:05Z      12  1,234,567         0  1.0 MB",
    "16  completed     2026-01-02T03:04:05Z      12  1,234,567         0  1.0 MB  1 min 0 s",
  ]);
});

test("jobs on a narrow terminal are cut, and none are said to be none", () => {
  for (const line of jobLines([JOB], 60)) expect(line.length).toBeLessThan(60);
  expect(jobLines([], 80)).toEqual(["no imports yet"]);
});
