import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../../bin/stoker", import.meta.url));

/** What a finished process left. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process under way. */
export interface StokerProcess {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves with the first line of standard output; rejects when the process ends without one. */
  readonly firstLine: Promise<string>;
}

/** Starts `bin/stoker` as a user would, without the settings of the environment that the tests run in. */
export function startStoker(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): StokerProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("STOKER_") && name !== "NO_COLOR");
  const child = spawn(process.execPath, [PROGRAM, ...words], {
    // What it remembers of stores is not for the person who runs the tests.
    env: { ...Object.fromEntries(inherited), XDG_STATE_HOME: join(tmpdir(), "stoker-no-state"), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (stdout.includes("\n")) resolve(stdout.slice(0, stdout.indexOf("\n")));
    });
    child.once("close", () => reject(new Error(`stoker ended without a line: ${stderr}`)));
  });
  firstLine.catch(() => undefined);
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return { child, finished, firstLine };
}

/** Runs `bin/stoker` to its end. */
export async function runStoker(
  words: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<Finished> {
  return await startStoker(words, environment).finished;
}

/** A temporary folder that the embedded PostgreSQL can enter also when the tests run as root. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "stoker-cli-"));
  chmodSync(folder, 0o711);
  return folder;
}
