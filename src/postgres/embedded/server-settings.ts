import { access, constants, stat, statfs } from "node:fs/promises";
import { usableMemory } from "../../base/memory.ts";

/** What the machine offers to the server. */
export interface Machine {
  readonly cores: number;
  /** Memory Stoker and PostgreSQL may use together, in bytes; a container's limit when there is one. */
  readonly memoryBytes: number;
  /** Room on the cluster's disk, in bytes. */
  readonly freeDiskBytes: number;
  /** False where POSIX shared memory (/dev/shm) is missing or tiny, as in many containers. */
  readonly posixSharedMemory: boolean;
}

/** Names and values as in postgresql.conf. */
export type ServerSettings = Readonly<Record<string, string>>;

const MB = 1024 * 1024;

/** Settings of the embedded server for bulk loading and short reads on this machine. */
export function serverSettings(machine: Machine): ServerSettings {
  const memory = Math.max(256, Math.floor(machine.memoryBytes / MB));
  const disk = Math.floor(machine.freeDiskBytes / MB);
  const maxWal = clamp(Math.floor(disk / 8), 256, 4096);
  return {
    // Memory. Above 2 GB of buffers loading gains nothing: new segments fit, and the system's cache holds the rest.
    shared_buffers: `${clamp(Math.floor(memory / 4), 64, 2048)}MB`,
    effective_cache_size: `${Math.floor((memory * 5) / 8)}MB`,
    work_mem: `${clamp(Math.floor(memory / 256), 4, 64)}MB`,
    maintenance_work_mem: `${clamp(Math.floor(memory / 16), 32, 512)}MB`,
    gin_pending_list_limit: `${clamp(Math.floor(memory / 64), 4, 64)}MB`,
    // With "try" the server can be killed by SIGBUS in containers without a huge page quota.
    huge_pages: "off",
    dynamic_shared_memory_type: process.platform === "win32" ? "windows" : machine.posixSharedMemory ? "posix" : "mmap",
    // Write-ahead log. One server without replicas: the least that is crash-safe, and checkpoints rarely.
    wal_level: "minimal",
    max_wal_senders: "0",
    max_logical_replication_workers: "0",
    max_wal_size: `${maxWal}MB`,
    min_wal_size: `${Math.min(1024, Math.max(80, Math.floor(maxWal / 4)))}MB`,
    wal_buffers: "16MB",
    checkpoint_timeout: "15min",
    checkpoint_completion_target: "0.9",
    full_page_writes: "on",
    synchronous_commit: "on",
    // Planner: disks of today; compiling queries never pays for short ones.
    random_page_cost: "1.1",
    jit: "off",
    max_connections: "100",
    // A search may lock every segment's tables and indexes at once.
    max_locks_per_transaction: "512",
    max_parallel_workers_per_gather: `${clamp(Math.floor(machine.cores / 2), 0, 4)}`,
    max_parallel_workers: `${clamp(machine.cores, 1, 8)}`,
    max_worker_processes: `${clamp(machine.cores, 4, 16)}`,
    // Tables that only grow need analyze soon and vacuum seldom; three workers would starve the load.
    autovacuum_max_workers: `${clamp(Math.floor(machine.cores / 2), 1, 3)}`,
    autovacuum_naptime: "30s",
    autovacuum_vacuum_insert_scale_factor: "0.5",
    // The log says what the server does, never what it stores: no statements, no row contents.
    log_error_verbosity: "terse",
    log_min_error_statement: "panic",
    log_checkpoints: "off",
    log_line_prefix: "%m [%p] ",
    log_timezone: "UTC",
    timezone: "UTC",
    lc_messages: "C",
    logging_collector: "off",
  };
}

/** Measures the machine; `folder` is on the disk that the cluster lies on. */
export async function measureMachine(folder: string, cores: number, memoryBytes?: number): Promise<Machine> {
  const disk = await statfs(folder);
  return {
    cores,
    memoryBytes: memoryBytes ?? usableMemory(),
    freeDiskBytes: disk.bavail * disk.bsize,
    posixSharedMemory: await hasPosixSharedMemory(),
  };
}

/** Text of a configuration file; values are quoted as PostgreSQL reads them. */
export function settingsFile(settings: ServerSettings): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  return `# Written at every start; changes made here are lost.\n${lines.join("\n")}\n`;
}

async function hasPosixSharedMemory(): Promise<boolean> {
  if (process.platform !== "linux") return process.platform === "darwin";
  try {
    await access("/dev/shm", constants.W_OK | constants.X_OK);
    // Root may write anywhere, but runs the server as somebody else.
    if (((await stat("/dev/shm")).mode & 0o002) === 0) return false;
  } catch {
    return false;
  }
  const shm = await statfs("/dev/shm");
  // Parallel queries take segments of some work_mem each; Docker's default of 64 MB is not enough for them.
  return shm.bavail * shm.bsize >= 256 * MB;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
