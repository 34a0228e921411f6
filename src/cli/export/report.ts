import { formatBytes, formatCount, formatDuration } from "../../terminal/format.ts";
import { renderTable } from "../../bench/table.ts";
import type { ExportReport } from "./run-export.ts";

/** The report as lines: what came, where it is, what is wrong with it, and how the next export brings what has changed. */
export function exportReportLines(report: ExportReport): string[] {
  const output = report.files.filter(({ kind }) => kind === "output");
  const bytes = report.files.reduce((sum, file) => sum + file.bytes, 0);
  const resources = output.reduce((sum, file) => sum + file.lines, 0);
  const rows = new Map<string, { files: number; lines: number; bytes: number }>();
  for (const { kind, type, lines, bytes: size } of report.files) {
    const label = kind === "output" ? type : kind === "deleted" ? "deletions" : "errors of the server";
    const row = rows.get(label) ?? { files: 0, lines: 0, bytes: 0 };
    rows.set(label, { files: row.files + 1, lines: row.lines + lines, bytes: row.bytes + size });
  }
  const columns = [
    { title: "type", align: "left" },
    { title: "files", align: "right" },
    { title: "lines", align: "right" },
    { title: "size", align: "right" },
  ] as const;
  const table = renderTable(
    columns,
    [...rows].map(([label, row]) => [label, formatCount(row.files), formatCount(row.lines), formatBytes(row.bytes)]),
  );
  return [
    `${formatCount(resources)} resources in ${formatDuration(report.seconds)}, ${formatBytes(bytes)}${report.resumed ? ", including what was already there" : ""}`,
    ...(rows.size === 0 ? [] : ["", ...table]),
    "",
    `The files are in ${report.folder}, of ${report.transactionTime}.`,
    ...report.problems.map((problem) => `! ${problem}`),
    `To export only what has changed since: stoker export --server ${report.server} --since ${report.transactionTime} --out ANOTHER-FOLDER`,
  ];
}
