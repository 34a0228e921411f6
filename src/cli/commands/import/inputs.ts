import { realpathSync, readdirSync, statSync, type Stats } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { StokerError } from "../../../base/errors.ts";

/** A file or blob to import. */
export interface CliInput {
  readonly url: string;
  /** Absolute path without links, when it is a local file. */
  readonly path: string | undefined;
  /** 0 when it is not known. */
  readonly bytes: number;
}

/** What {@link resolveInputs} found. */
export interface FoundInputs {
  readonly inputs: CliInput[];
  /** Files in the folders that look like data, but are not taken, because they are compressed or have another name. */
  readonly leftOut: string[];
}

/**
 * What the arguments of `stoker import` mean: files, folders (every `*.ndjson` below them, hidden files and folders and
 * `dataFolder` excepted), `file:` and `https:` URLs, each input once, in a stable order. Throws `bad-request` for what is not
 * there or cannot be imported.
 */
export function resolveInputs(words: readonly string[], folder: string, dataFolder?: string): FoundInputs {
  const inputs = new Map<string, CliInput>();
  const leftOut: string[] = [];
  for (const word of words) {
    const found = /^https?:\/\//i.test(word) ? [blobInput(word)] : localInputs(word, folder, dataFolder, leftOut);
    for (const input of found) inputs.set(input.url, input);
  }
  return { inputs: [...inputs.values()], leftOut };
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

function localInputs(
  word: string,
  folder: string,
  dataFolder: string | undefined,
  leftOut: string[],
): readonly CliInput[] {
  const isUrl = /^file:/i.test(word);
  if (!isUrl && /^[a-z][a-z0-9+.-]+:\/\//i.test(word)) {
    throw refused(`${word} cannot be imported: only https: and file: URLs can`);
  }
  const path = isUrl ? pathOfUrl(word) : resolve(folder, word);
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) throw refused(`There is no file or folder ${word}`);
    if (stat.isFile()) return [fileInput(path, stat)];
    if (!stat.isDirectory()) throw refused(`${word} is neither a file nor a folder`);
    const found = filesBelow(path, dataFolder, leftOut);
    if (found.length > 0) return found;
  } catch (error) {
    if (error instanceof StokerError) throw error;
    const { code = "", path: place = word } = error as NodeJS.ErrnoException;
    throw refused(`${place} cannot be read (${code})`, error);
  }
  const but =
    leftOut[0] === undefined ? "" : `, but ${leftOut[0]}: unpack compressed files, and name other files one by one`;
  throw refused(`There are no *.ndjson files in ${word}${but}`);
}

function filesBelow(folder: string, dataFolder: string | undefined, leftOut: string[]): CliInput[] {
  const skipped = dataFolder !== undefined && isBelow(dataFolder, folder) ? dataFolder : undefined;
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/(?:^|[\\/])\./.test(relative(folder, path)))
    .filter((path) => skipped === undefined || !isBelow(path, skipped))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .flatMap((path) => {
      const isData = /\.ndjson$/i.test(path);
      if (!isData && !COMPRESSED.test(path) && !/\.(?:jsonl|ldjson)$/i.test(path)) return [];
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isFile() !== true) return [];
      if (isData) return [fileInput(path, stat)];
      leftOut.push(path);
      return [];
    });
}

function isBelow(path: string, parent: string): boolean {
  return path.startsWith(parent + sep);
}

const COMPRESSED = /\.(?:gz|zip|bz2|zst|xz|tar|tgz)$/i;

function fileInput(path: string, stat: Stats): CliInput {
  if (COMPRESSED.test(path)) {
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
