import { access, open, readFile, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { makeFolders } from "../../base/make-folders.ts";
import { StokerError } from "../../base/errors.ts";
import type { ExportOrder } from "./bulk-client.ts";

/** What is known of an export that is fetched into a folder; kept there, so that it can be taken up again. */
export interface FolderState extends ExportOrder {
  readonly server: string;
  /** Address of the export's status. */
  readonly location: string;
  /** The manifest's; undefined until there is one. */
  readonly transactionTime?: string;
  /** Files that are complete, by their names. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly lines: number }>>;
  /** ETags of files that have been begun, by their names. */
  readonly tags: Readonly<Record<string, string>>;
  readonly complete: boolean;
}

/** A folder that an export is fetched into. */
export interface ExportFolder {
  readonly path: string;
  /** As it was found, or kept last; undefined for a folder that no export was fetched into. */
  readonly state: FolderState | undefined;
  /** Keeps the state: whole, or as it was before. */
  keep(state: FolderState): Promise<void>;
}

/** Name of the file with the state. */
export const STATE_FILE = "stoker-export.json";

/** Opens a folder, which is made where it is missing. Throws `bad-request` for one that cannot be used. */
export async function openExportFolder(name: string): Promise<ExportFolder> {
  const path = resolve(name);
  try {
    await makeFolders(path);
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw new StokerError("bad-request", `The folder ${path} cannot be created (${code})`, { cause });
  }
  let state = await readState(join(path, STATE_FILE));
  return {
    path,
    get state() {
      return state;
    },
    async keep(next) {
      const file = join(path, STATE_FILE);
      const handle = await open(`${file}.new`, "w", 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(next, undefined, 2)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(`${file}.new`, file);
      state = next;
    },
  };
}

/**
 * Checks that the folder is one for this export: empty of exports, or with the same one begun. Throws `bad-request` for one that holds
 * another, or a finished one.
 */
export function checkSameExport({ path, state }: ExportFolder, server: string, order: ExportOrder): void {
  if (state === undefined) return;
  const other = "choose another folder with --out";
  if (state.complete) {
    const text = `${path} holds a finished export, of ${state.transactionTime ?? ""}; ${other}`;
    throw new StokerError("bad-request", text);
  }
  if (state.server !== server || state.since !== order.since || state.types.join() !== order.types.join()) {
    const text = `${path} holds the beginning of another export, of ${state.server}; ${other}`;
    throw new StokerError("bad-request", text);
  }
}

/** Throws `bad-request` when a file of that name exists that no export has written. */
export async function checkFree({ path }: ExportFolder, name: string): Promise<void> {
  const isThere = await access(join(path, name)).then(
    () => true,
    () => false,
  );
  if (!isThere) return;
  const text = `${join(path, name)} already exists and is not from this export; nothing is overwritten: choose another folder with --out`;
  throw new StokerError("bad-request", text);
}

/** Ending of the name of a file that is not complete. */
export const PART = ".part";

async function readState(file: string): Promise<FolderState | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new StokerError("bad-request", `${file} cannot be read`, { cause });
  }
  try {
    const state = JSON.parse(text) as FolderState;
    if (typeof state.location === "string" && typeof state.files === "object") return state;
  } catch {
    // Below.
  }
  throw new StokerError("bad-request", `${file} is not from an export; choose another folder with --out`);
}
