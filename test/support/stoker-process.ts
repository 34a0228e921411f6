import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** `bin/stoker serve` as users run it, with its embedded PostgreSQL in a temporary folder. */
export interface StokerServer {
  /** FHIR base, without a slash at the end. */
  readonly base: string;
  /** Stops it and removes its data. */
  close(): Promise<void>;
}

/**
 * Starts a server that may import files below `fileRoot`, and waits until it is ready. `environment`: further settings, such as
 * the URL of a database that is there.
 */
export async function startServer(fileRoot: string, environment: Record<string, string> = {}): Promise<StokerServer> {
  const folder = await mkdtemp(join(tmpdir(), "stoker-serve-"));
  await chmod(folder, 0o711); // started by root, PostgreSQL runs as another user
  const child = spawn(process.execPath, [resolve("bin", "stoker"), "serve"], {
    cwd: folder,
    env: {
      ...process.env,
      STOKER_PORT: "0",
      STOKER_BASE_URL: "",
      STOKER_DATABASE_URL: "",
      STOKER_DATA_DIR: join(folder, "data"),
      STOKER_FILE_ROOT: fileRoot,
      STOKER_LOG_LEVEL: "warn",
      ...environment,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await Promise.race([ended, sleep(20_000, undefined, { ref: false })]);
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await ended;
    }
    process.off("exit", kill);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const base = /^Stoker ready at (\S+)/.exec(line)?.[1];
      if (base !== undefined) return { base, close };
    }
    throw new Error("stoker serve ended before it was ready");
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the status endpoint says of a completed import, as far as the tests look. */
export interface ImportOutcome {
  readonly output: readonly { readonly type: string; readonly count: number; readonly inputUrl: string }[];
  readonly error: readonly { readonly type: string; readonly count: number; readonly inputUrl: string }[];
}

/** Registers an import and waits for its end. Throws when the server says anything else than 202 and then 200. */
export async function importFiles(
  base: string,
  mode: "InitialLoad" | "IncrementalLoad",
  inputs: readonly { readonly type: string; readonly url: string }[],
): Promise<ImportOutcome> {
  const parameter = [
    { name: "inputFormat", valueString: "application/fhir+ndjson" },
    { name: "mode", valueString: mode },
    { name: "force", valueBoolean: true },
    ...inputs.map(({ type, url }) => ({
      name: "input",
      part: [
        { name: "type", valueString: type },
        { name: "url", valueUri: url },
      ],
    })),
  ];
  const registered = await fetch(`${base}/$import`, {
    method: "POST",
    headers: { "content-type": "application/fhir+json", prefer: "respond-async" },
    body: JSON.stringify({ resourceType: "Parameters", parameter }),
  });
  const location = registered.headers.get("content-location");
  if (registered.status !== 202 || location === null) throw new Error(await registered.text());
  for (;;) {
    await sleep(200);
    const response = await fetch(location);
    const text = await response.text();
    if (response.status === 200) return JSON.parse(text) as ImportOutcome;
    if (response.status !== 202) throw new Error(`the import ended with ${String(response.status)}: ${text}`);
  }
}
