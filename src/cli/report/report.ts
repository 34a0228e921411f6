import { dirname } from "node:path";
import { fit, formatBytes, formatCount, formatDuration, formatPlural } from "../../terminal/format.ts";
import type { Cause } from "./causes.ts";

/** What an import did, ready to be shown. */
export interface ImportReport {
  /** One row per resource type, or per file where the type is not known. */
  readonly rows: readonly ReportRow[];
  readonly bytes: number;
  /** From registration to the end of the job. */
  readonly seconds: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly causes: readonly Cause[];
  /** Rejected lines whose cause is not among {@link causes}. */
  readonly otherLines: number;
  readonly logs: readonly ReportLog[];
  /** References of loaded lines that lead nowhere, by form (`conditional`, `urn`) and target type. */
  readonly references?: readonly {
    readonly form: string;
    readonly targetType: string | null;
    readonly count: number;
  }[];
  /** Command that imports corrected lines: `stoker import … FILE`. */
  readonly again?: string;
  /** Where the data is, and a command that does something with it. */
  readonly next?: readonly [text: string, command: string];
}

/** A row of the table. */
export interface ReportRow {
  readonly label: string;
  readonly loaded: number;
  readonly rejected: number;
}

/** Where the error log of an input is, and its rejected lines. */
export interface ReportLog {
  readonly input: string;
  readonly errorLog: string;
  readonly rejectedLines: string | undefined;
}

/** How a report may look. */
export interface ReportStyle {
  readonly width: number;
  readonly color: boolean;
}

/** Error logs that are listed one by one. */
const MOST_LOGS = 20;

/** The report as lines: what was loaded and how fast, what was rejected and why, where to find it. */
export function reportLines(report: ImportReport, style: ReportStyle): string[] {
  const loaded = report.rows.reduce((sum, row) => sum + row.loaded, 0);
  const rejected = report.rows.reduce((sum, row) => sum + row.rejected, 0);
  const seconds = Math.max(report.seconds, 0.001);
  // Lines that were rejected took their time, too, but they are not resources of the store.
  const lineRate = `${formatCount((loaded + rejected) / seconds)} ${rejected > 0 ? "lines" : "resources"}/s`;
  const rates = `${lineRate}, ${formatBytes(report.bytes / seconds)}/s`;
  const fates = (["created", "updated", "unchanged", "deleted"] as const)
    .filter((fate) => report[fate] > 0)
    .map((fate) => `${formatCount(report[fate])} ${fate}`);
  return [
    ...table([...report.rows, { label: "Total", loaded, rejected }], style),
    "",
    ...wrap(
      `${formatPlural(loaded, "resource")} loaded (${formatBytes(report.bytes)}) in ${formatDuration(report.seconds)}: ${rates}`,
      "",
      style,
    ),
    ...(fates.length > 0 ? wrap(fates.join(", "), "", style) : []),
    ...(report.next !== undefined && loaded > 0 ? ["", ...wrap(report.next[0], "", style), `  ${report.next[1]}`] : []),
    ...referenceLines(report.references ?? [], style),
    ...(rejected > 0 ? rejectedLines(report, rejected, style) : []),
  ];
}

function table(rows: readonly ReportRow[], style: ReportStyle): string[] {
  const counts = Math.max(
    8,
    ...rows.map((row) => Math.max(formatCount(row.loaded).length, formatCount(row.rejected).length)),
  );
  const room = Math.max(8, style.width - 1 - 2 * (counts + 2));
  const labels = Math.min(room, Math.max(8, ...rows.map((row) => row.label.length)));
  const line = (label: string, loaded: string, rejected: string): string =>
    `${fit(label, labels).padEnd(labels)}  ${loaded.padStart(counts)}  ${rejected.padStart(counts)}`;
  const rule = "─".repeat(labels + 2 * (counts + 2));
  const shown = rows.map((row) => {
    const text = line(row.label, formatCount(row.loaded), formatCount(row.rejected));
    return row.rejected > 0 ? paint(text, "31", style) : text;
  });
  return [paint(line("", "loaded", "rejected"), "2", style), ...shown.slice(0, -1), rule, ...shown.slice(-1)];
}

/** What refers to nothing: it is loaded, but searches along these references find nothing. */
function referenceLines(references: NonNullable<ImportReport["references"]>, style: ReportStyle): string[] {
  if (references.length === 0) return [];
  const total = references.reduce((sum, { count }) => sum + count, 0);
  const counts = Math.max(5, ...references.map(({ count }) => formatCount(count).length));
  const shown = references.slice(0, MOST_REFERENCES).map(({ form, targetType, count }) => {
    const text =
      form === "conditional" ? `${targetType ?? "Type"}?…` : `urn:… ${targetType === null ? "" : `to ${targetType}`}`;
    return fit(`  ${formatCount(count).padStart(counts)}  ${text.trim()}`, style.width - 1);
  });
  const more = references.length - shown.length;
  return [
    "",
    paint(
      `${formatPlural(total, "reference")} that lead nowhere (kept as written), by form and target type:`,
      "1",
      style,
    ),
    ...shown,
    ...(more > 0 ? [`  and ${formatPlural(more, "more kind")}`] : []),
  ];
}

const MOST_REFERENCES = 20;

function rejectedLines(report: ImportReport, rejected: number, style: ReportStyle): string[] {
  const lines = ["", paint(`${formatPlural(rejected, "line")} rejected, by cause:`, "1", style)];
  const counts = Math.max(5, ...report.causes.map((cause) => formatCount(cause.count).length));
  const indent = " ".repeat(counts + 4);
  for (const { text, count, sample } of report.causes) {
    const [first = "", ...rest] = wrap(text, indent, style);
    lines.push(`  ${formatCount(count).padStart(counts)}  ${first.trimStart()}`, ...rest);
    const place = [
      `${sample.file}${sample.line === undefined ? "" : ` line ${String(sample.line)}`}`,
      ...(sample.byteOffset === undefined ? [] : [`byte ${String(sample.byteOffset)}`]),
      ...(sample.element === undefined || sample.message.includes(sample.element) ? [] : [sample.element]),
    ];
    const example = sample.message === text ? "" : `: ${sample.message}`;
    lines.push(paint(fit(`${indent}e.g. ${place.join(", ")}${example}`, style.width - 1), "2", style));
  }
  if (report.otherLines > 0) {
    const [first = "", ...rest] = wrap("with other causes (see the error logs)", indent, style);
    lines.push(`  ${formatCount(report.otherLines).padStart(counts)}  ${first.trimStart()}`, ...rest);
  }
  for (const { input, errorLog, rejectedLines: copy } of report.logs.slice(0, MOST_LOGS)) {
    lines.push("", input, `  error log       ${errorLog}`);
    if (copy !== undefined) lines.push(`  rejected lines  ${copy}`);
  }
  if (report.logs.length > MOST_LOGS) lines.push(`and ${formatPlural(report.logs.length - MOST_LOGS, "more file")}`);
  lines.push(...howToGoOn(report, style));
  return lines;
}

/** What to do about rejected lines. The command stands on a line of its own, to be copied. */
function howToGoOn(report: ImportReport, style: ReportStyle): string[] {
  const copies = report.logs.flatMap(({ rejectedLines: copy }) => (copy === undefined ? [] : [copy]));
  const [first] = copies;
  if (first === undefined) return [];
  const isRemote = /^https?:/i.test(first);
  const where = isRemote ? "Download the rejected lines, correct them," : "Correct the rejected lines in their files,";
  const text = `${where} and import what you have corrected; nothing else needs to be sent again:`;
  // Copies are beside one another.
  const all = copies.length === 1 ? quotedText(first) : `${quotedText(dirname(first))}/*-rejected.ndjson`;
  return ["", ...wrap(text, "", style), `  ${report.again ?? "stoker import"} ${isRemote ? "FILE" : all}`];
}

/** A path as a shell takes it. */
export function quotedText(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** Breaks a text at spaces so that no line, with its indent, is wider than the terminal. */
export function wrap(text: string, indent: string, style: ReportStyle): string[] {
  const room = Math.max(20, style.width - 1 - indent.length);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, indent + line];
}

function paint(text: string, code: string, style: ReportStyle): string {
  return style.color ? `\u001B[${code}m${text}\u001B[0m` : text;
}
