import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isTemporary } from "../../postgres/embedded/place.ts";

/**
 * The data folders that this user's commands have used, so that data can be found again: `./.stoker` is hidden, and another
 * one in each folder. They stand in `stoker/stores.json` of the user's state folder. Data folders for temporary files are not
 * remembered. Where the file cannot be read or written, nothing is known; that is never an error.
 */
export interface KnownStore {
  /** Absolute path of the data folder. */
  readonly dataDir: string;
  /** When it was last used, ISO 8601. */
  readonly lastUsed: string;
}

/** The last so many are remembered. */
const MOST_STORES = 20;

/** Remembers that a data folder was used now. */
export async function rememberStore(stateFolder: string | undefined, dataDir: string): Promise<void> {
  if (stateFolder === undefined || isTemporary(dataDir)) return;
  try {
    const others = await knownStores(stateFolder, dataDir);
    const stores: KnownStore[] = [{ dataDir, lastUsed: new Date().toISOString() }, ...others];
    await mkdir(join(stateFolder, "stoker"), { recursive: true, mode: 0o700 });
    const file = fileOf(stateFolder);
    const temporary = `${file}.${process.pid}.tmp`;
    await writeFile(temporary, `${JSON.stringify(stores.slice(0, MOST_STORES), undefined, 2)}\n`, { mode: 0o600 });
    await rename(temporary, file);
  } catch {
    // A home folder that cannot be written: the store works without.
  }
}

/** The data folders that are remembered and still there, the last used first; `except` is left out. */
export async function knownStores(stateFolder: string | undefined, except: string): Promise<KnownStore[]> {
  if (stateFolder === undefined) return [];
  try {
    const stores = JSON.parse(await readFile(fileOf(stateFolder), "utf8")) as unknown;
    if (!Array.isArray(stores)) return [];
    return stores.filter(isKnownStore).filter(({ dataDir }) => dataDir !== except && holdsStore(dataDir));
  } catch {
    return [];
  }
}

function fileOf(stateFolder: string): string {
  return join(stateFolder, "stoker", "stores.json");
}

function holdsStore(dataDir: string): boolean {
  return existsSync(join(dataDir, "postgres")) || existsSync(join(dataDir, "postgres.location"));
}

function isKnownStore(store: unknown): store is KnownStore {
  if (typeof store !== "object" || store === null) return false;
  return (
    typeof Reflect.get(store, "dataDir") === "string" &&
    !Number.isNaN(Date.parse(String(Reflect.get(store, "lastUsed"))))
  );
}
