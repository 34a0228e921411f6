import type { Pool } from "pg";
import { UnitState } from "../job/job-state.ts";

/** URL of the extension that holds the byte offset of a rejected line in its file (decision D-06). */
const BYTE_OFFSET_EXTENSION = "urn:stoker:import:byte-offset";

/** Rejected lines per query: some hundred kilobytes of text at a time, and no cursor held for a slow reader. */
const PAGE = 1000;

/** One rejected line, as the error log tells of it. */
export interface RejectedLineRow {
  readonly byteOffset: number;
  /** Length in bytes, without the line end. */
  readonly length: number;
  /** 1-based number in the file, blank lines counted; null while units before it are still at work. */
  readonly line: number | null;
  /** FHIR issue code. */
  readonly code: string;
  /** The contract's text; at its very end, `line: {line}` stands for the line's number. */
  readonly message: string;
  readonly expression: string | null;
}

/** Name of an input's error log (contract 6.1; one per input, decision D-06). */
export function errorLogName(type: string | null, jobId: string, input: number): string {
  return `${type ?? ""}${jobId}_${String(input)}.ndjson`;
}

/** The number of the input whose error log has this name, undefined when the name is none of this job's. */
export function inputOfErrorLog(name: string, jobId: string): number | undefined {
  const match = /^[A-Za-z]*(\d+)_(\d{1,9})\.ndjson$/.exec(name);
  return match?.[1] === jobId ? Number(match[2]) : undefined;
}

const UNITS = `
select id::text as id, lines_before::float8 as "linesBefore", known
from (
  select id, rejected, start_offset,
    coalesce(sum(lines) over before, 0) as lines_before,
    coalesce(bool_and(state = ${UnitState.completed}) over before, true) as known
  from import_unit where job = $1 and input = $2
  window before as (order by start_offset rows between unbounded preceding and 1 preceding)
) unit
where rejected > 0
order by start_offset`;

const LINES = `
select byte_offset::float8 as "byteOffset", line::float8 as line, length, code, message, expression
from import_rejected_line
where unit = $1 and byte_offset > $2
order by byte_offset limit ${PAGE}`;

/**
 * The rejected lines of an input in file order, by pages. Line numbers are true numbers in the file: a unit counts its
 * own lines, and the lines of the units before it are added.
 */
export async function* rejectedLines(
  database: Pool,
  jobId: string,
  input: number,
): AsyncGenerator<readonly RejectedLineRow[], void, undefined> {
  const units = await database.query<{ id: string; linesBefore: number; known: boolean }>(UNITS, [jobId, input]);
  for (const unit of units.rows) {
    for (let after = -1; ;) {
      const { rows } = await database.query<RejectedLineRow & { line: number }>(LINES, [unit.id, after]);
      const last = rows.at(-1);
      if (last === undefined) break;
      yield rows.map((row) => Object.assign(row, { line: unit.known ? row.line + unit.linesBefore : null }));
      if (rows.length < PAGE) break;
      after = last.byteOffset;
    }
  }
}

/** The error log of an input as NDJSON, chunk by chunk (contract 6.2 with decision D-06). */
export async function* errorLog(database: Pool, jobId: string, input: number): AsyncGenerator<Buffer, void, undefined> {
  for await (const page of rejectedLines(database, jobId, input)) yield Buffer.from(page.map(errorLogLine).join(""));
}

/** The error logs of all inputs of a job, one after the other, in the order of the request. */
export async function* allErrorLogs(database: Pool, jobId: string): AsyncGenerator<Buffer, void, undefined> {
  for (const input of await inputsWithRejectedLines(database, jobId)) yield* errorLog(database, jobId, input);
}

/** The numbers of the inputs that have rejected lines, in the order of the request. */
export async function inputsWithRejectedLines(database: Pool, jobId: string): Promise<readonly number[]> {
  const { rows } = await database.query<{ input: number }>(
    "select distinct input from import_unit where job = $1 and rejected > 0 order by input",
    [jobId],
  );
  return rows.map((row) => row.input);
}

/** One line of an error log, line end included: a compact OperationOutcome with one issue. */
function errorLogLine(line: RejectedLineRow): string {
  const number = line.line === null ? "unknown" : String(line.line);
  const place =
    line.line === null
      ? `Failed to process resource at byte offset: ${String(line.byteOffset)}`
      : `Failed to process resource at line: ${number} with stream start offset: 0`;
  const issue = {
    extension: [{ url: BYTE_OFFSET_EXTENSION, valueDecimal: line.byteOffset }],
    severity: "error",
    code: line.code,
    details: { text: line.message.replace(/line: \{line\}$/, `line: ${number}`) },
    diagnostics: place,
    ...(line.expression === null ? {} : { expression: [line.expression] }),
  };
  return `${JSON.stringify({ resourceType: "OperationOutcome", issue: [issue] })}\n`;
}
