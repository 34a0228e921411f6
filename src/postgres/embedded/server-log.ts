import { closeSync, fchownSync, openSync } from "node:fs";
import { open, rename, stat, truncate } from "node:fs/promises";
import { dirname } from "node:path";

/** The server's own log: a file the server appends to, which neither grows without bound nor needs Stoker alive. */
export interface ServerLog {
  /** For the server's standard error. */
  readonly descriptor: number;
  /** The last part of what the server said since this log was opened. */
  tail(): Promise<string>;
  /** Bytes in the file. */
  size(): Promise<number>;
  close(): void;
}

const KEPT_BYTES = 1024 * 1024;
const MAX_BYTES = 16 * 1024 * 1024;
const CHECK_MS = 60_000;
const TAIL_BYTES = 2000;

/** Opens the log at `path`; a long one of earlier runs is kept once, as `path.1`. */
export async function openServerLog(path: string): Promise<ServerLog> {
  const before = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (before > KEPT_BYTES) await rename(path, `${path}.1`);
  const descriptor = openSync(path, "a", 0o600);
  if (process.getuid?.() === 0) {
    // Root may run once where an ordinary user runs otherwise.
    const { uid, gid } = await stat(dirname(path));
    fchownSync(descriptor, uid, gid);
  }
  const start = before > KEPT_BYTES ? 0 : before;
  const size = async (): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;
  // All writers append, so the file can be emptied under them.
  const timer = setInterval(() => {
    void size().then(async (bytes) => {
      if (bytes > MAX_BYTES) await truncate(path, 0).catch(() => undefined);
    });
  }, CHECK_MS);
  timer.unref();
  return {
    descriptor,
    size,
    async tail() {
      const end = await size();
      const from = Math.max(Math.min(start, end), end - TAIL_BYTES);
      const file = await open(path, "r");
      try {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(TAIL_BYTES), 0, end - from, from);
        return buffer.toString("utf8", 0, bytesRead).trim();
      } finally {
        await file.close();
      }
    },
    close() {
      clearInterval(timer);
      closeSync(descriptor);
    },
  };
}
