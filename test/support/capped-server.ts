import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openWorkplace, type StokerRun } from "./stoker-run.ts";

/** Greatest resident memory of the server process, in bytes: with more it is killed, and the test fails. */
export const MEMORY_CAP: number = 1 << 30;

/** Heap of the server's main thread, in MB: what remains of the cap is for buffers, worker threads and code. */
const HEAP_MEGABYTES = 640;

/** How long the loop must look calm before an attack is over, in milliseconds: what it set off counts, too. */
const AFTERMATH_MS = 500;

/** The worst that was seen of a server during an attack. */
export interface Worst {
  /** The longest answer of `/health/live`, in milliseconds; what a busy machine gave to others is left out. */
  readonly liveMs: number;
  /** How often `/health/live` was asked. */
  readonly asked: number;
  /** How asking failed, if it did. */
  readonly failures: readonly string[];
  /** Greatest resident memory of the server process, in bytes. */
  readonly memory: number;
  /** Greatest memory that one process of the embedded PostgreSQL had for itself, in bytes. */
  readonly databaseMemory: number;
  /** Set when the server was killed because it held more than {@link MEMORY_CAP}: so many bytes. */
  readonly killedAt?: number;
}

/** `stoker serve` on its embedded PostgreSQL, with a heap and a memory limit, watched from a process of its own. */
export interface CappedServer {
  /** FHIR base, without a slash at the end. */
  readonly base: string;
  /** Scheme, host and port. */
  readonly origin: string;
  readonly port: number;
  readonly run: StokerRun;
  /** Carries an attack out, and tells what was seen of the server meanwhile. Throws what the attack throws. */
  during(attack: () => Promise<void>): Promise<Worst>;
  close(): Promise<void>;
}

/** Starts a capped server; `dist/` must have been built. Settings are environment variables. */
export async function openCappedServer(settings: Readonly<Record<string, string>> = {}): Promise<CappedServer> {
  const workplace = await openWorkplace();
  try {
    const run = await workplace.serve({
      STOKER_WORKERS: "1",
      STOKER_LOG_LEVEL: "warn",
      NODE_OPTIONS: `--max-old-space-size=${String(HEAP_MEGABYTES)}`,
      ...settings,
    });
    const { origin, port } = new URL(run.base);
    const watch = fork(
      fileURLToPath(new URL("./watch-server.mjs", import.meta.url)),
      [origin, String(run.child.pid), String(MEMORY_CAP)],
      { execArgv: [] },
    );
    const seen = async (): Promise<Worst> => {
      watch.send("seen");
      const [worst] = (await once(watch, "message")) as [Worst];
      return worst;
    };
    return {
      base: run.base,
      origin,
      port: Number(port),
      run,
      async during(attack) {
        await seen();
        await attack();
        await sleep(AFTERMATH_MS);
        return await seen();
      },
      async close() {
        watch.disconnect();
        await workplace.close();
      },
    };
  } catch (error) {
    await workplace.close();
    throw error;
  }
}

/** What is wrong with a server that was attacked; an empty list is what a test expects. */
export function harmOf(worst: Worst): string[] {
  const harm = worst.failures.map((failure) => `/health/live failed: ${failure}`);
  if (worst.asked === 0 || worst.liveMs > 1000) harm.push(`/health/live took ${String(worst.liveMs)} ms`);
  if (worst.killedAt !== undefined) harm.push(`the server was killed at ${megabytes(worst.killedAt)}`);
  if (worst.memory > MEMORY_CAP) harm.push(`the server held ${megabytes(worst.memory)}`);
  if (worst.databaseMemory > MEMORY_CAP) harm.push(`a process of PostgreSQL held ${megabytes(worst.databaseMemory)}`);
  return harm;
}

function megabytes(bytes: number): string {
  return `${String(Math.round(bytes / 1048576))} MB`;
}
