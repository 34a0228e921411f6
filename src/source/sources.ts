import { realpathSync, statSync } from "node:fs";
import { StokerError } from "../base/errors.ts";
import {
  blobInAccount,
  parseConnectionString,
  parseStorageUrl,
  type AzureAccount,
  type BlobName,
} from "./azure-account.ts";
import { createBlobSource } from "./blob-source.ts";
import { filePathBelow } from "./file-path.ts";
import { createFileSource } from "./file-source.ts";
import type { Source } from "./source.ts";

/** Where inputs may come from; plain data, so that a worker thread can be given it. */
export interface SourceConfig {
  /** Folder below which `file:` URLs may be imported (`STOKER_FILE_ROOT`). */
  fileRoot?: string | undefined;
  /** `STOKER_AZURE_STORAGE_CONNECTION_STRING`. */
  azureConnectionString?: string | undefined;
  /** `STOKER_AZURE_STORAGE_URL`. */
  azureStorageUrl?: string | undefined;
}

/** An input URL that may be read. */
export interface CheckedUrl {
  /** As it is stored, shown and handed to the source; without query string. */
  url: string;
  kind: "file" | "blob";
  /** Equal for URLs that mean the same input (D-18). */
  key: string;
}

/** The configured sources: the one place that decides which URLs may be read. */
export interface Sources {
  /** Throws R-008 when nothing is configured that could be read (D-24). */
  checkConfigured(): void;
  /** Identity of an input for R-009, also of one that {@link checkUrl} refuses; "" without URL. Never throws. */
  duplicateKey(url: string | undefined): string;
  /**
   * Throws StokerError `bad-request` with the texts of and R-012 (D-23 to D-26). A shared access signature
   * is dropped, never kept: the server reads with the account's own credential (D-18).
   */
  checkUrl(url: string | undefined): CheckedUrl;
  /** The source of a URL that {@link checkUrl} returned; throws as it does. */
  sourceFor(url: string): Source;
}

interface BlobPlace {
  account: AzureAccount;
  blob: BlobName;
}

/** Opens the configured sources; nothing is connected yet. Throws StokerError `setting`. */
export function createSources(config: SourceConfig): Sources {
  const fileRoot = config.fileRoot === undefined ? undefined : realRoot(config.fileRoot);
  const fileSource = fileRoot === undefined ? undefined : createFileSource(fileRoot);
  const accounts: AzureAccount[] = [];
  if (config.azureConnectionString !== undefined) accounts.push(parseConnectionString(config.azureConnectionString));
  if (config.azureStorageUrl !== undefined) accounts.push(parseStorageUrl(config.azureStorageUrl));
  const blobSources = new Map(accounts.map((account) => [account, createBlobSource(account)]));

  function placeOf(url: URL): BlobPlace {
    for (const account of accounts) {
      const blob = blobInAccount(account, url);
      if (blob !== undefined) return { account, blob };
    }
    throw otherAccount(whyNotRead(url, accounts.length > 0, fileRoot !== undefined));
  }

  function checkConfigured(): void {
    if (fileRoot !== undefined || accounts.length > 0) return;
    const message =
      "The import storage account is not configured correctly on the server. " +
      "Import operations require a valid storage account.";
    throw badRequest(
      message,
      "This server has nothing to read from: start it with STOKER_FILE_ROOT for a local folder, or with " +
        "STOKER_AZURE_STORAGE_CONNECTION_STRING or STOKER_AZURE_STORAGE_URL for a storage account.",
    );
  }

  function checkUrl(text: string | undefined): CheckedUrl {
    checkConfigured();
    const url = parse(text);
    if (url === undefined) throw invalidUrl(notAUrl(text));
    if (!isPlain(url)) throw invalidUrl();
    if (url.protocol !== "file:") {
      const { account, blob } = placeOf(url);
      if (blob.name === "" || blob.container === "") throw invalidUrl();
      const place = `${account.endpoint}/${blob.container}/${blob.name}`;
      return { url: url.origin + url.pathname, kind: "blob", key: place };
    }
    if (fileRoot === undefined) throw otherAccount(whyNotRead(url, accounts.length > 0, false));
    if (url.search !== "") throw invalidUrl();
    const file = filePathBelow(fileRoot, (text ?? "").trim());
    if ("path" in file) return { url: url.href, kind: "file", key: `file:${file.path}` };
    throw file.problem === "outside" ? otherAccount(whyNotRead(url, accounts.length > 0, true)) : invalidUrl();
  }

  return {
    checkConfigured,
    checkUrl,
    duplicateKey(text) {
      const url = parse(text);
      if (url === undefined) return text ?? "";
      return url.searchParams.has("sig") ? decoded(url.origin + url.pathname) : decoded(url.href);
    },
    sourceFor(text) {
      if (text.startsWith("file:")) {
        if (fileSource === undefined) throw otherAccount(NO_FILE_ROOT);
        return fileSource;
      }
      const url = parse(text);
      if (url === undefined) throw invalidUrl();
      const source = blobSources.get(placeOf(url).account);
      if (source === undefined) throw otherAccount(NO_ACCOUNT);
      return source;
    },
  };
}

function realRoot(folder: string): string {
  try {
    const root = realpathSync(folder);
    if (statSync(root).isDirectory()) return root;
  } catch (cause) {
    throw new StokerError("setting", `STOKER_FILE_ROOT: no folder ${folder}.`, {
      expression: "STOKER_FILE_ROOT",
      cause,
    });
  }
  throw new StokerError("setting", `STOKER_FILE_ROOT: ${folder} is no folder.`, { expression: "STOKER_FILE_ROOT" });
}

/** An absolute URL; control characters, which parsing would silently remove, make it none. */
function parse(text: string | undefined): URL | undefined {
  const trimmed = (text ?? "").trim();
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(trimmed) || !URL.canParse(trimmed)) return undefined;
  return new URL(trimmed);
}

/** R-011 with D-25: no query string but a signature, no fragment, no user; decodable. */
function isPlain(url: URL): boolean {
  if (url.search !== "" && !url.searchParams.has("sig")) return false;
  if (url.hash !== "" || url.username !== "" || url.password !== "") return false;
  return canDecode(url.pathname);
}

function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function decoded(text: string): string {
  return canDecode(text) ? decodeURIComponent(text) : text;
}

const NO_FILE_ROOT = "This server reads no local files: set STOKER_FILE_ROOT to the folder that contains them.";
const NO_ACCOUNT =
  "This server reads no storage account: set STOKER_AZURE_STORAGE_CONNECTION_STRING or STOKER_AZURE_STORAGE_URL.";

/** Why a URL is not read, for people: the contract's text speaks of a storage account whatever the URL is. */
function whyNotRead({ protocol, host }: URL, hasAccount: boolean, hasFileRoot: boolean): string {
  if (protocol === "file:") {
    return hasFileRoot
      ? "The file is not below the folder of STOKER_FILE_ROOT, or a link leads out of it."
      : NO_FILE_ROOT;
  }
  if (protocol !== "https:" && protocol !== "http:") {
    return `URLs that begin with ${protocol} are not read; https: URLs of Azure Blob Storage and file: URLs are.`;
  }
  return hasAccount ? `${host} is not the storage account that this server reads.` : NO_ACCOUNT;
}

/** What to write instead of a path. */
function notAUrl(text: string | undefined): string {
  const trimmed = (text ?? "").trim();
  if (trimmed === "") return "Each input needs a url, such as file:///data/Patient.ndjson.";
  return "input.url must be an absolute URL: write the path of a file as file:///data/Patient.ndjson.";
}

function invalidUrl(details?: string): StokerError {
  return badRequest("Value of the following parameter input.url is invalid.", details);
}

function otherAccount(details: string): StokerError {
  return badRequest("input.url must match the configured integration storage account endpoint.", details);
}

function badRequest(message: string, details: string | undefined): StokerError {
  return new StokerError("bad-request", message, {
    expression: "input.url",
    ...(details === undefined ? {} : { details }),
  });
}
