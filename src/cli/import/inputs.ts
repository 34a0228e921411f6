import { realpathSync, readdirSync, statSync, type Stats } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { StokerError } from "../../base/errors.ts";

/** A file or blob to import. */
export interface CliInput {
  readonly url: string;
  /** Absolute path without links, when it is a local file. */
  readonly path: string | undefined;
  /** 0 when it is not known. */
  readonly bytes: number;
}

/**
 * What the arguments of `stoker import` mean: files, folders (every `*.ndjson` below them), `file:` and `https:` URLs,
 * each input once, in a stable order. Throws `bad-request` for what is not there or cannot be imported.
 */
export function resolveInputs(words: readonly string[], folder: string): CliInput[] {
  const inputs = new Map<string, CliInput>();
  for (const word of words) {
    for (const input of /^https?:\/\//i.test(word) ? [blobInput(word)] : localInputs(word, folder)) {
      inputs.set(input.url, input);
    }
  }
  return [...inputs.values()];
}

/** The deepest folder that holds all local inputs; undefined when there are none. */
export function commonFolder(inputs: readonly CliInput[]): string | undefined {
  const folders = inputs.flatMap((input) => (input.path === undefined ? [] : [dirname(input.path)]));
  const [first] = folders;
  if (first === undefined) return undefined;
  let common = first;
  for (const folder of folders) {
    while (common !== folder && !folder.startsWith(common.endsWith(sep) ? common : common + sep))
      common = dirname(common);
  }
  return common;
}

function blobInput(url: string): CliInput {
  if (!URL.canParse(url)) throw refused(`${url} is not a URL`);
  return { url, path: undefined, bytes: 0 };
}

function localInputs(word: string, folder: string): CliInput[] {
  const path = /^file:/i.test(word) ? pathOfUrl(word) : resolve(folder, word);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw refused(`There is no file or folder ${word}`);
  if (stat.isFile()) return [fileInput(path, stat)];
  if (!stat.isDirectory()) throw refused(`${word} is neither a file nor a folder`);
  const found = filesBelow(path);
  if (found.length === 0) throw refused(`There is no file *.ndjson in ${word}`);
  return found;
}

function filesBelow(folder: string): CliInput[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.name.endsWith(".ndjson"))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .flatMap((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat?.isFile() ? [fileInput(path, stat)] : [];
    });
}

function fileInput(path: string, stat: Stats): CliInput {
  if (/\.(?:gz|zip|bz2|zst|tar|tgz)$/i.test(path)) {
    throw refused(`${path} is compressed; unpack it first (imports read plain NDJSON)`);
  }
  const real = realpathSync(path);
  return { url: pathToFileURL(real).href, path: real, bytes: stat.size };
}

function pathOfUrl(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw refused(`${url} is not the URL of a local file`, cause);
  }
}

function refused(message: string, cause?: unknown): StokerError {
  return new StokerError("bad-request", message, cause === undefined ? {} : { cause });
}
