import { statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a folder with those above it, as mkdir's `recursive`, which never ends where a folder cannot be made because the file
 * system has none (/proc). Throws what mkdir throws.
 */
export async function makeFolders(path: string): Promise<void> {
  if (isFolder(path)) return;
  await makeFolders(dirname(path));
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (!isFolder(path)) throw error; // else another process was quicker
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
