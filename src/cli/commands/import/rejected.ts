import { open, mkdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { StokerError } from "../../../base/errors.ts";
import type { CauseSample } from "../../../import/report/causes.ts";
import { createCauseCounter, type Cause } from "../../report/causes.ts";
import { linesOf, readErrorLogLine } from "../../report/error-log.ts";
import type { ReportLog } from "../../report/report.ts";
import { fileName, inputNames } from "../../report/rows.ts";
import { writeAll } from "../../../base/write-all.ts";
import { openLog, type ImportResult, type ServerTarget } from "./client.ts";

/** What is known of the rejected lines of an import. */
export interface RejectedLines {
  readonly causes: readonly Cause[];
  readonly otherLines: number;
  readonly logs: readonly ReportLog[];
}

/** Causes that a report lists. */
const TOP_CAUSES = 20;

/**
 * Reads the error logs of an import, groups them by cause, and, with `folder`, keeps copies of the logs and of the
 * rejected lines there. Streams: memory does not grow with the logs. A log that cannot be read is listed all the same.
 */
export async function readRejectedLines(
  server: ServerTarget,
  result: ImportResult,
  folder: string | undefined,
): Promise<RejectedLines> {
  const counter = createCauseCounter();
  const logs: ReportLog[] = [];
  const names = inputNames(result.output.map((entry) => entry.inputUrl));
  let unread = 0;
  if (folder !== undefined && result.error.length > 0) await mkdir(folder, { recursive: true });
  for (const entry of result.error) {
    const input = names.get(entry.inputUrl) ?? fileName(entry.inputUrl);
    const kept = folder === undefined ? undefined : join(folder, fileName(entry.url));
    const counted = await readLog(server, entry.url, kept, (line) => {
      const sample = readErrorLogLine(line, input);
      if (sample !== undefined) counter.add(sample);
      return sample !== undefined;
    });
    unread += Math.max(0, entry.count - (counted ?? 0));
    const rejectedUrl = counted === undefined ? undefined : entry.rejectedUrl;
    const copy =
      folder === undefined || rejectedUrl === undefined ? undefined : join(folder, copyName(fileName(rejectedUrl)));
    const copied =
      copy === undefined || rejectedUrl === undefined
        ? undefined
        : await readLog(server, rejectedUrl, copy, () => true);
    logs.push({
      input,
      errorLog: counted === undefined ? entry.url : (kept ?? entry.url),
      // A file that was rejected as a whole has no lines to be corrected.
      rejectedLines: copied === undefined ? entry.rejectedUrl : copied === 0 ? undefined : copy,
    });
  }
  const told = result.stoker?.causes;
  if (told !== undefined) {
    // The server has seen all logs, also those in a storage account that cannot be read from here.
    const causes = told.map(({ text, code, count, samples }) => ({
      text,
      count,
      sample: sampleOf(code, samples[0], names),
    }));
    return { causes, otherLines: result.stoker?.otherRejected ?? 0, logs };
  }
  const { causes, otherLines } = counter.top(TOP_CAUSES);
  return { causes, otherLines: otherLines + unread, logs };
}

function sampleOf(code: string, sample: CauseSample | undefined, names: ReadonlyMap<string, string>): Cause["sample"] {
  const url = sample?.inputUrl ?? "";
  return {
    file: names.get(url) ?? fileName(url),
    line: sample?.line ?? undefined,
    byteOffset: sample?.byteOffset,
    element: sample?.expression ?? undefined,
    code,
    message: sample?.text ?? "",
  };
}

/** Reads a log line by line, and into a file; the number of lines that `take` took, or undefined when it cannot be read. */
async function readLog(
  server: ServerTarget,
  url: string,
  file: string | undefined,
  take: (line: string) => boolean,
): Promise<number | undefined> {
  let chunks: AsyncIterable<Uint8Array>;
  try {
    chunks = await openLog(server, url);
  } catch (error) {
    if (error instanceof StokerError) return undefined;
    throw error;
  }
  const handle = file === undefined ? undefined : await open(file, "w");
  let count = 0;
  try {
    for await (const line of linesOf(copying(chunks, handle))) if (take(line)) count += 1;
  } finally {
    await handle?.close();
  }
  return count;
}

async function* copying(chunks: AsyncIterable<Uint8Array>, handle: FileHandle | undefined): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (handle !== undefined) await writeAll(handle, chunk);
    yield chunk;
  }
}

/** Error log and rejected lines of an input may have the same name on the server. */
function copyName(name: string): string {
  return name.endsWith("-rejected.ndjson") ? name : name.replace(/(?:\.ndjson)?$/, "-rejected.ndjson");
}
