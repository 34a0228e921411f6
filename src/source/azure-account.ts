import { StokerError } from "../base/errors.ts";
import { withoutTrailingSlashes } from "../base/trailing-slashes.ts";

/** One storage account: where its blobs are and how to prove who we are. */
export interface AzureAccount {
  /** Scheme, host, port and, for explicit endpoints, the account part of the path; no slash at the end (D-23). */
  endpoint: string;
  credential:
    | { kind: "shared-key"; accountName: string; accountKey: string }
    | { kind: "sas"; query: string }
    | { kind: "managed-identity" };
}

/** A blob of an account: its container and its decoded name. */
export interface BlobName {
  container: string;
  name: string;
}

/** The emulator's account and key are published and the same everywhere; `UseDevelopmentStorage=true` means them. */
const EMULATOR: AzureAccount = {
  endpoint: "http://127.0.0.1:10000/devstoreaccount1",
  credential: {
    kind: "shared-key",
    accountName: "devstoreaccount1",
    accountKey: "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
  },
};

const CONNECTION_STRING = "STOKER_AZURE_STORAGE_CONNECTION_STRING";
const STORAGE_URL = "STOKER_AZURE_STORAGE_URL";

/**
 * Reads a connection string: account name and key, or a shared access signature; endpoint derived from name and suffix
 * or given as `BlobEndpoint`. Throws StokerError `setting`, which never repeats the string: it holds a key.
 */
export function parseConnectionString(text: string): AzureAccount {
  const parts = new Map<string, string>();
  for (const part of text.split(";")) {
    const equals = part.indexOf("=");
    if (equals > 0) parts.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim());
  }
  if (parts.get("usedevelopmentstorage")?.toLowerCase() === "true") return EMULATOR;

  const accountName = parts.get("accountname");
  const accountKey = parts.get("accountkey");
  const signature = parts.get("sharedaccesssignature");
  const endpoint = parts.get("blobendpoint") ?? derivedEndpoint(parts, accountName);
  if (accountName !== undefined && accountKey !== undefined) {
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(accountKey)) {
      throw settingError(CONNECTION_STRING, "has an AccountKey that is not Base64; copy the whole key");
    }
    return {
      endpoint: checkEndpoint(endpoint, CONNECTION_STRING),
      credential: { kind: "shared-key", accountName, accountKey },
    };
  }
  if (signature !== undefined) {
    return {
      endpoint: checkEndpoint(endpoint, CONNECTION_STRING),
      credential: { kind: "sas", query: signature.replace(/^\?/, "") },
    };
  }
  throw settingError(CONNECTION_STRING, "needs AccountName and AccountKey, or SharedAccessSignature");
}

/** Reads an account URL: managed identity, or the shared access signature in its query string. */
export function parseStorageUrl(text: string): AzureAccount {
  const [endpoint = "", query = ""] = text.split("?", 2);
  return {
    endpoint: checkEndpoint(endpoint, STORAGE_URL),
    credential: query.includes("sig=") ? { kind: "sas", query } : { kind: "managed-identity" },
  };
}

/**
 * The blob a URL without query string means, when it lies in this account (R-012 with D-23: scheme, host, port and the
 * account part of the path). Undefined when it lies elsewhere; `{name: ""}` when it names no blob.
 */
export function blobInAccount(account: AzureAccount, url: URL): BlobName | undefined {
  const endpoint = new URL(account.endpoint);
  if (endpoint.protocol !== url.protocol || endpoint.host !== url.host) return undefined;
  const accountPath = endpoint.pathname.replace(/\/$/, "");
  if (accountPath !== "" && !url.pathname.startsWith(`${accountPath}/`)) return undefined;
  const path = decodeURIComponent(url.pathname.slice(accountPath.length + 1));
  const slash = path.indexOf("/");
  // a blob that stands in no container stands in the account's root container
  if (slash < 0) return { container: "$root", name: path };
  return { container: path.slice(0, slash), name: path.slice(slash + 1) };
}

/** The public URL of a blob, without signature. */
export function blobUrl(account: AzureAccount, blob: BlobName): string {
  const name = blob.name.split("/").map(encodeURIComponent).join("/");
  return `${account.endpoint}/${blob.container}/${name}`;
}

function derivedEndpoint(parts: Map<string, string>, accountName: string | undefined): string | undefined {
  if (accountName === undefined) return undefined;
  const protocol = parts.get("defaultendpointsprotocol") ?? "https";
  const suffix = parts.get("endpointsuffix") ?? "core.windows.net";
  return `${protocol}://${accountName}.blob.${suffix}`;
}

function checkEndpoint(text: string | undefined, setting: string): string {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw settingError(setting, "does not give a usable blob endpoint");
  }
  if (url.username !== "" || url.search !== "" || url.hash !== "") {
    throw settingError(setting, "has a blob endpoint with more than scheme, host, port and path");
  }
  return withoutTrailingSlashes(url.origin + url.pathname);
}

function settingError(setting: string, problem: string): StokerError {
  return new StokerError("setting", `${setting} ${problem}.`, { expression: setting });
}
