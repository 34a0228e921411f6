import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { StokerError } from "../base/errors.ts";
import { checkContainerName } from "../source/container-name.ts";
import { parseConnectionString, parseStorageUrl, type AzureAccount } from "../source/azure-account.ts";

/** Where the files of exports go. Plain data, so that a thread can be given it. */
export type Destination =
  /** Below a folder of this machine; this server hands them out. */
  | { readonly kind: "folder"; readonly path: string }
  /** Into the storage account that is configured. */
  | { readonly kind: "account"; readonly account: AzureAccount };

/** The settings that say where exports go. */
export interface DestinationSettings {
  readonly dataDir: string;
  readonly azureStorageConnectionString: string | undefined;
  readonly azureStorageUrl: string | undefined;
}

/** Container of exports that name none. */
export const USUAL_CONTAINER = "fhirexport";

/** The storage account where there is one, otherwise `exports` below the data folder. Throws `setting`. */
export function destinationOf(settings: DestinationSettings): Destination {
  const { azureStorageConnectionString: text, azureStorageUrl: url } = settings;
  if (text !== undefined) return { kind: "account", account: parseConnectionString(text) };
  if (url !== undefined) return { kind: "account", account: parseStorageUrl(url) };
  return { kind: "folder", path: join(settings.dataDir, "exports") };
}

/**
 * Names the place for all servers on a database: those with the same can read, and remove, one another's files. A folder
 * is its machine's own.
 */
export function placeOf(destination: Destination, container: string): string {
  if (destination.kind === "account") return `${destination.account.endpoint}/${container}`;
  // One folder holds the exports into all containers.
  return `file://${hostname()}${destination.path}`;
}

/** Throws `bad-request` for a container that the destination cannot have. */
export function checkContainer(destination: Destination, container: string | undefined): void {
  if (container === undefined) return;
  const problem =
    destination.kind === "folder"
      ? "containers need a storage account, and none is configured."
      : checkContainerName(container)?.replaceAll("error container name", "name").replaceAll("Error container", "The");
  if (problem !== undefined)
    throw new StokerError("bad-request", `_container: ${problem}`, { expression: "_container" });
}

/** Name of a folder that nobody has used before. */
export function folderName(job: string, fence: string): string {
  const salt = createHash("sha256").update(`${job}/${fence}/${performance.now()}/${process.pid}`).digest("hex");
  return `${job}-${fence}-${salt.slice(0, 12)}`;
}
