import { realpathSync, statSync } from "node:fs";
import { dirname, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Why a `file:` URL is refused: it names no file, or none below the root (R-012, D-26). */
export type FilePathProblem = "malformed" | "outside";

/**
 * The path that a `file:` URL means, if it lies below `root` (a real path) as the file system is now: refused are `..`,
 * encoded slashes, NUL, a host, links that leave the root, and whatever is there but no file. A path that does not exist
 * is judged by its nearest existing folder. `text` is the URL as it was sent: parsing would hide the `..`.
 */
export function filePathBelow(root: string, text: string): { path: string } | { problem: FilePathProblem } {
  if (/[/\\](?:\.|%2e){2}(?:[/\\]|$)/i.test(text)) return { problem: "outside" };
  if (/%(?:2f|5c|00)/i.test(text)) return { problem: "malformed" };
  let path: string;
  try {
    const url = new URL(text);
    if (url.host !== "") return { problem: "outside" };
    path = fileURLToPath(url);
  } catch {
    return { problem: "malformed" };
  }
  const real = nearestRealPath(path);
  if (real === undefined || !isBelow(root, real)) return { problem: "outside" };
  return isOtherThanFile(path) ? { problem: "malformed" } : { path };
}

/** Whether `path` is `root` or lies below it; both real paths. */
export function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** The real path of `path`, or of its nearest folder that exists and may be looked at; undefined for a loop of links. */
function nearestRealPath(path: string): string | undefined {
  for (let current = path; ; current = dirname(current)) {
    try {
      return realpathSync(current);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // what may not be looked at is reported when the job starts, like a blob that may not be read
      const goUp = code === "ENOENT" || code === "ENOTDIR" || code === "EACCES";
      if (!goUp || dirname(current) === current) return undefined;
    }
  }
}

function isOtherThanFile(path: string): boolean {
  try {
    return !statSync(path).isFile();
  } catch {
    return false;
  }
}
