import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { BenchInput } from "./input.ts";

/** Modes that are measured. */
export type BenchMode = "InitialLoad" | "IncrementalLoad";

/** The server loaded something else than the lines it was given: whatever was measured is worth nothing. */
export class WrongCount extends Error {}

/** The import of the status endpoint, as far as it is looked at. */
interface ImportResult {
  readonly output?: readonly { readonly inputUrl: string; readonly count: number }[];
  readonly error?: readonly { readonly inputUrl: string; readonly count: number; readonly url: string }[];
}

const POLL_MS = 100;

/**
 * Imports all files through `$import`, polls every 100 ms, and returns the seconds from before the registration until
 * the status is 200. Throws {@link WrongCount} unless every line of every file was loaded.
 */
export async function runTimedImport(
  base: string,
  input: BenchInput,
  mode: BenchMode,
  signal: AbortSignal,
): Promise<number> {
  const body = JSON.stringify(importParameters(input, mode));
  const started = performance.now();
  const registered = await fetch(`${base}/$import`, {
    method: "POST",
    headers: { "content-type": "application/fhir+json", prefer: "respond-async" },
    body,
    signal,
  });
  const location = registered.headers.get("content-location");
  if (registered.status !== 202 || location === null) {
    throw new Error(`$import answered ${String(registered.status)}: ${await registered.text()}`);
  }
  for (;;) {
    await sleep(POLL_MS, undefined, { signal });
    const response = await fetch(location, { signal });
    if (response.status === 200) {
      const seconds = (performance.now() - started) / 1000;
      checkResult(input, (await response.json()) as ImportResult);
      return seconds;
    }
    const text = await response.text();
    if (response.status !== 202) throw new Error(`the import ended with ${String(response.status)}: ${text}`);
  }
}

function importParameters(input: BenchInput, mode: BenchMode): unknown {
  return {
    resourceType: "Parameters",
    parameter: [
      { name: "inputFormat", valueString: "application/fhir+ndjson" },
      { name: "mode", valueString: mode },
      { name: "force", valueBoolean: true },
      ...input.files.map(({ type, path }) => ({
        name: "input",
        part: [
          ...(type === undefined ? [] : [{ name: "type", valueString: type }]),
          { name: "url", valueUri: pathToFileURL(path).href },
        ],
      })),
    ],
  };
}

function checkResult(input: BenchInput, { output = [], error = [] }: ImportResult): void {
  const rejected = error.reduce((sum, entry) => sum + entry.count, 0);
  if (rejected > 0)
    throw new WrongCount(`${String(rejected)} lines were rejected, see ${error[0]?.url ?? "the error log"}`);
  for (const { path, lines } of input.files) {
    const url = pathToFileURL(path).href;
    const loaded = output.filter((entry) => entry.inputUrl === url).reduce((sum, entry) => sum + entry.count, 0);
    if (loaded !== lines) throw new WrongCount(`${String(loaded)} of ${String(lines)} lines of ${url} were loaded`);
  }
}
