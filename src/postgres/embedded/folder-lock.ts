import { randomBytes } from "node:crypto";
import { link, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isAlive, pause, processSpace, startMark } from "./processes.ts";

/**
 * One process at a time uses a folder. The lock survives nothing: a holder that was killed holds it no longer.
 *
 * States: `lock.N` files with ever growing N, the highest counts. Its text names the holder (process id, start mark,
 * process space), or says "released". Whoever wants the lock reads the highest; when its holder is gone, it creates
 * N + 1 by a hard link, which only one process can, and which appears with its whole text at once. Lower files are then
 * removed; the highest never is, so two processes can never both believe in their own N.
 *
 * A holder in another process space (another container on the same volume) cannot be looked up: it is believed alive
 * while the time of its file moves.
 */
export interface FolderLock {
  /** Adds the URL that the holder answers at to what others are told of it. */
  announce(url: string): Promise<void>;
  release(): Promise<void>;
}

/** Who holds the lock. */
export interface LockHolder {
  readonly pid: number;
  readonly space: string;
  readonly mark?: string | undefined;
  /** Where it answers, once that is known. */
  readonly url?: string | undefined;
}

const HEARTBEAT_MS = 1000;
const RELEASED = "released";

/** Takes the lock, or returns its living holder. */
export async function lockFolder(folder: string, prefix = "lock"): Promise<FolderLock | LockHolder> {
  const self: LockHolder = {
    pid: process.pid,
    space: await processSpace(hostname()),
    mark: await startMark(process.pid),
  };
  for (;;) {
    const highest = (await lockNumbers(folder, prefix)).at(-1) ?? 0;
    const path = join(folder, `${prefix}.${highest}`);
    const holder = highest === 0 ? undefined : await readHolder(path);
    if (holder !== undefined && (await holds(holder, self, path))) return holder;
    const mine = join(folder, `${prefix}.${highest + 1}`);
    if (!(await createWhole(mine, JSON.stringify(self)))) continue;
    const numbers = await lockNumbers(folder, prefix);
    if (numbers.at(-1) !== highest + 1) {
      await rm(mine, { force: true }); // we looked at an old state; somebody is far ahead
      continue;
    }
    for (const number of numbers.slice(0, -1)) await rm(join(folder, `${prefix}.${number}`), { force: true });
    return holdLock(mine, self);
  }
}

/** True for the holder, false for the lock itself. */
export function isHolder(result: FolderLock | LockHolder): result is LockHolder {
  return "pid" in result;
}

function holdLock(path: string, self: LockHolder): FolderLock {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined); // a folder that is gone needs no lock
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    async announce(url) {
      await replaceWhole(path, JSON.stringify({ ...self, url }));
    },
    async release() {
      clearInterval(beat);
      await replaceWhole(path, RELEASED).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    },
  };
}

async function holds(holder: LockHolder, self: LockHolder, path: string): Promise<boolean> {
  if (holder.space !== self.space) return await moves(path);
  if (!(await isAlive(holder.pid))) return false;
  const mark = await startMark(holder.pid);
  return mark === undefined || holder.mark === undefined || mark === holder.mark;
}

async function moves(path: string): Promise<boolean> {
  const time = async () => (await stat(path).catch(() => undefined))?.mtimeMs;
  const before = await time();
  for (let waited = 0; waited < 4 * HEARTBEAT_MS; waited += 250) {
    await pause(250);
    const now = await time();
    if (now === undefined) return false; // somebody took over: look again
    if (now !== before) return true;
  }
  return false;
}

async function lockNumbers(folder: string, prefix: string): Promise<number[]> {
  const start = `${prefix}.`;
  const names = (await readdir(folder)).filter((name) => name.startsWith(start));
  return names
    .map((name) => Number(name.slice(start.length)))
    .filter((number) => Number.isSafeInteger(number) && number > 0)
    .toSorted((a, b) => a - b);
}

async function readHolder(path: string): Promise<LockHolder | undefined> {
  try {
    const holder = JSON.parse(await readFile(path, "utf8")) as LockHolder;
    return typeof holder.pid === "number" ? holder : undefined;
  } catch {
    return undefined; // released, or removed by a newer holder
  }
}

/** Creates a file with its whole text at once; false when it exists. */
async function createWhole(path: string, text: string): Promise<boolean> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await writeFile(temporary, text, { mode: 0o644 });
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function replaceWhole(path: string, text: string): Promise<void> {
  await stat(path);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await writeFile(temporary, text, { mode: 0o644 });
  await rename(temporary, path);
}
