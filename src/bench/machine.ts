import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, release, totalmem, type as systemType } from "node:os";

/** What a figure means nothing without. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Mean number of processes that wanted to run in the minute before; 0 where the system does not say. */
  readonly load: number;
}

/** Describes this machine. */
export function machineFacts(): MachineFacts {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown processor",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${systemType()} ${release()} ${process.arch}`,
    node: process.version,
    load: loadavg()[0] ?? 0,
  };
}

/** Resident memory of a process in bytes: now, and the most it ever had. Undefined where the system does not say. */
export async function processMemory(pid: number): Promise<{ now: number; peak: number } | undefined> {
  const text = await readFile(`/proc/${String(pid)}/status`, "utf8").catch(() => "");
  const now = /^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1];
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1];
  if (now === undefined || peak === undefined) return undefined;
  return { now: Number(now) * 1024, peak: Number(peak) * 1024 };
}

/** Linux counts processor time for user space in hundredths of a second, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Processor time in seconds that a process, its children and those of them that have ended have used. Undefined where
 * the system does not say.
 */
export async function processTime(pid: number): Promise<number | undefined> {
  const own = await times(pid);
  if (own === undefined) return undefined;
  let ticks = own.self + own.ended;
  const children = await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, "utf8").catch(() => "");
  for (const child of children.split(" ").filter(Boolean)) ticks += (await times(Number(child)))?.self ?? 0;
  return ticks / TICKS_PER_SECOND;
}

async function times(pid: number): Promise<{ self: number; ended: number } | undefined> {
  const text = await readFile(`/proc/${String(pid)}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  // The name may hold anything; the fields after it begin with the state.
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return { self: user + system, ended: endedUser + endedSystem };
}
