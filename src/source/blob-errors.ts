import { StokerError } from "../base/errors.ts";
import { sourceChanged, sourceUnauthorized, sourceVanished } from "./source.ts";

/** What the storage client throws, as far as we look at it. */
interface StorageFailure {
  name?: string;
  message?: string;
  /** The service's error code, or the system's (`ENOTFOUND`). */
  code?: string;
  statusCode?: number;
  /** Of a HEAD answer, which has no body, only the headers are left. */
  details?: { errorCode?: string };
}

/** A HEAD answer has a code but no text; these are the service's texts for it. */
const STORAGE_MESSAGES: Record<string, string> = {
  BlobNotFound: "The specified blob does not exist.",
  ContainerNotFound: "The specified container does not exist.",
  ResourceNotFound: "The specified resource does not exist.",
  AuthenticationFailed:
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly " +
    "including the signature.",
  AuthorizationFailure: "This request is not authorized to perform this operation.",
  AuthorizationPermissionMismatch: "This request is not authorized to perform this operation using this permission.",
  NoAuthenticationInformation:
    "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
};

/** System codes of a host that has no address; everything else that never got a status is "did not answer". */
const UNKNOWN_HOST = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_NONAME", "EAI_NODATA"]);

/** A failure to look at a blob when the job starts: the storage's own status passes through (contract 7.1, D-11). */
export function blobStartError(url: string, error: unknown): StokerError {
  const failure = error as StorageFailure;
  const other = identityError(failure) ?? networkError(url, failure);
  if (other !== undefined) return other;
  const status = failure.statusCode;
  // Which of maybe thousands of inputs it is, the service's text does not say.
  const known = knownMessage(failure);
  const message = known === undefined ? `Failed to get properties of blob ${url}` : `${known} ${url}`;
  if (status === 404) return new StokerError("source-missing", message, { cause: error });
  if (status === 401 || status === 403) return new StokerError("source-forbidden", message, { status, cause: error });
  return failed(message, status, error);
}

/** A failure while a unit reads (contract 7.1, unit rows). */
export function blobReadError(url: string, error: unknown): StokerError {
  if (error instanceof StokerError) return error;
  const failure = error as StorageFailure;
  const known = identityError(failure) ?? networkError(url, failure);
  if (known !== undefined) return known;
  switch (failure.statusCode) {
    case 404:
      return sourceVanished(error);
    case 401:
    case 403:
      return sourceUnauthorized(error);
    // another content than planned, or so short that the range lies beyond its end
    case 412:
    case 416:
      return sourceChanged(url, error);
    default:
      return failed(messageOf(failure) ?? `Reading of blob ${url} failed.`, failure.statusCode, error);
  }
}

/** A failure to write an error log. */
export function blobWriteError(url: string, error: unknown): StokerError {
  if (error instanceof StokerError) return error;
  const failure = error as StorageFailure;
  const known = identityError(failure) ?? networkError(url, failure);
  if (known !== undefined) return known;
  const message = `The error log could not be written: ${messageOf(failure) ?? "no reason given"} ${url}`;
  const status = failure.statusCode;
  if (status === 401 || status === 403) return new StokerError("source-forbidden", message, { status, cause: error });
  return failed(message, status, error);
}

/** Whether asking again may help: no answer, or an answer that the service gives when it is busy. */
export function mayHelpToAskAgain(error: unknown): boolean {
  if (error instanceof StokerError) return false;
  const { statusCode, name } = error as StorageFailure;
  if (isIdentity(name)) return false;
  return statusCode === undefined || statusCode === 408 || statusCode === 429 || statusCode >= 500;
}

function networkError(url: string, failure: StorageFailure): StokerError | undefined {
  if (failure.statusCode !== undefined) return undefined;
  const { hostname, port, protocol } = new URL(url);
  const place = `(${hostname}:${port === "" ? (protocol === "http:" ? "80" : "443") : port})`;
  let message = `The storage account did not answer. ${place}`;
  if (UNKNOWN_HOST.has(failure.code ?? "")) message = `No such host is known. ${place}`;
  if (failure.code === "ECONNREFUSED") message = `The storage account refused the connection. ${place}`;
  return new StokerError("source-unreachable", message, { cause: failure });
}

function identityError(failure: StorageFailure): StokerError | undefined {
  if (!isIdentity(failure.name)) return undefined;
  if (failure.name === "CredentialUnavailableError") {
    const message = "Unable to get access token for storage account.";
    return new StokerError("source-forbidden", message, { status: 403, cause: failure });
  }
  const message = "Managed Identity Credential authentication failed";
  return new StokerError("source-forbidden", message, { status: 400, cause: failure });
}

function isIdentity(name: string | undefined): boolean {
  return name !== undefined && /^(?:CredentialUnavailable|Authentication|AggregateAuthentication)/.test(name);
}

function knownMessage(failure: StorageFailure): string | undefined {
  return STORAGE_MESSAGES[failure.code ?? failure.details?.errorCode ?? ""];
}

/** The service's own sentence: the first line, without request id and time. */
function messageOf(failure: StorageFailure): string | undefined {
  const known = knownMessage(failure);
  const first = failure.message?.split("\n", 1)[0]?.trim();
  return known ?? (first === "" ? undefined : first);
}

function failed(message: string, status: number | undefined, cause: unknown): StokerError {
  return new StokerError(
    "source-failed",
    message,
    status === undefined || status < 400 ? { cause } : { status, cause },
  );
}
