import type { Pool } from "pg";
import { causeOf } from "./cause-of.ts";
import { inputsWithRejectedLines, rejectedLines } from "./error-log.ts";

/** A rejected line of a cause. */
export type CauseSample = {
  inputUrl: string;
  /** 1-based. */
  line: number | null;
  byteOffset: number;
  expression: string | null;
  text: string;
};

/** Rejected lines of one cause, in which ids, values and places are `…` or `n`. */
export type LineCause = { text: string; code: string; count: number; samples: CauseSample[] };

/** Why lines of an import were rejected: the most frequent causes first, and how many lines have others. */
export type JobCauses = { causes: LineCause[]; otherRejected: number };

const MOST_CAUSES = 20;
const MOST_SAMPLES = 3;
/** Causes that are told apart; what comes after them is counted together. */
const MOST_TOLD_APART = 1000;
/** Rejected lines that are looked at, some seconds of work; the rest is counted. */
const MOST_LINES = 500_000;

/** Groups the rejected lines of an import by cause. To be called while their rows are there. */
export async function groupCauses(database: Pool, jobId: string, signal: AbortSignal): Promise<JobCauses> {
  const causes = new Map<string, LineCause>();
  let seen = 0;
  let grouped = 0;
  for (const input of await inputsWithRejectedLines(database, jobId)) {
    if (seen >= MOST_LINES) break;
    const inputUrl = await urlOf(database, jobId, input);
    for await (const page of rejectedLines(database, jobId, input)) {
      signal.throwIfAborted();
      for (const { byteOffset, line, code, message, expression } of page) {
        seen++;
        const shown = message.replace(/line: \{line\}$/, `line: ${line === null ? "unknown" : String(line)}`);
        // A text that is cut may end within a character, which JSON in PostgreSQL does not take.
        const text = causeOf(shown, expression ?? undefined).replaceAll(/\p{Surrogate}/gu, "\ufffd");
        let cause = causes.get(text);
        if (cause === undefined) {
          if (causes.size >= MOST_TOLD_APART) continue;
          causes.set(text, (cause = { text, code, count: 0, samples: [] }));
        }
        cause.count++;
        grouped++;
        if (cause.samples.length < MOST_SAMPLES)
          cause.samples.push({ inputUrl, line, byteOffset, expression, text: shown });
      }
      if (seen >= MOST_LINES) break;
    }
  }
  const sorted = [...causes.values()].toSorted((a, b) => b.count - a.count);
  const cut = sorted.slice(MOST_CAUSES).reduce((sum, { count }) => sum + count, 0);
  const rejected = await countOf(database, jobId);
  return { causes: sorted.slice(0, MOST_CAUSES), otherRejected: Math.max(0, rejected - grouped) + cut };
}

async function urlOf(database: Pool, jobId: string, input: number): Promise<string> {
  const { rows } = await database.query<{ url: string }>(
    "select url from import_input where job = $1 and number = $2",
    [jobId, input],
  );
  return rows[0]?.url ?? "";
}

async function countOf(database: Pool, jobId: string): Promise<number> {
  const { rows } = await database.query<{ rejected: number }>(
    "select coalesce(sum(rejected), 0)::float8 as rejected from import_unit where job = $1",
    [jobId],
  );
  return rows[0]?.rejected ?? 0;
}
