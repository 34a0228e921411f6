import type { RejectedSample } from "./causes.ts";

/** Longest line of an error log that is read as a whole; what is longer is no error log. */
const LONGEST_LINE = 4 * 1024 * 1024;

/** Cuts a stream of bytes into lines, with no more than one line in memory. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > LONGEST_LINE) rest = "";
    for (const part of parts) if (part !== "") yield part;
  }
  if (rest !== "") yield rest;
}

/** What a line of an error log says of a rejected line of `file`; undefined when it is no OperationOutcome. */
export function readErrorLogLine(text: string, file: string): RejectedSample | undefined {
  let outcome: { issue?: ErrorLogIssue[] };
  try {
    outcome = JSON.parse(text) as typeof outcome;
  } catch {
    return undefined;
  }
  const issue = outcome?.issue?.[0];
  if (issue === undefined) return undefined;
  const line = /line: (\d+)/.exec(issue.diagnostics ?? "")?.[1];
  const offset = issue.extension?.find((extension) => extension.url?.includes("byte-offset"));
  return {
    file,
    line: line === undefined ? undefined : Number(line),
    byteOffset: offset?.valueDecimal ?? offset?.valueInteger,
    element: issue.expression?.[0],
    code: issue.code ?? "unknown",
    message: issue.details?.text ?? issue.diagnostics ?? "no reason given",
  };
}

interface ErrorLogIssue {
  readonly code?: string;
  readonly diagnostics?: string;
  readonly details?: { readonly text?: string };
  readonly expression?: readonly string[];
  readonly extension?: readonly {
    readonly url?: string;
    readonly valueDecimal?: number;
    readonly valueInteger?: number;
  }[];
}
