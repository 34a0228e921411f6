import { createHash } from "node:crypto";

/** The two modes of an import (contract 1.3). */
export type ImportMode = "InitialLoad" | "IncrementalLoad";

/** Size of a unit in bytes when the request does not say otherwise (contract 4.2: a decimal ten million). */
export const DEFAULT_UNIT_BYTES = 10_000_000;

/** Container of error logs when the request does not say otherwise (contract 6.1). */
export const DEFAULT_ERROR_CONTAINER = "fhirlogs";

/** One input file of an import, as registered. */
export interface ImportInput {
  /** The declared resource type: every line must have it; null when none was declared. */
  readonly type: string | null;
  /** Absolute URL as the client wrote it, without a shared access signature (decision D-18). */
  readonly url: string;
  /** The ETag the client expects, as it wrote it; null when it does not care. */
  readonly etag: string | null;
}

/** What an import is told to do; stored as `import_job.definition`. The inputs stand in `import_input`. */
export interface ImportDefinition {
  readonly inputFormat: string;
  readonly inputSource: string | null;
  readonly storageType: string;
  readonly mode: ImportMode;
  readonly allowNegativeVersions: boolean;
  readonly eventualConsistency: boolean;
  /** Container of the error logs; null for {@link DEFAULT_ERROR_CONTAINER}. */
  readonly errorContainerName: string | null;
  /** Size of a unit in bytes, always positive. */
  readonly processingUnitBytesToRead: number;
}

/** A valid registration request. */
export interface ImportRequest {
  /** Public URL of the POST, query string included: part of the job's identity and of the result body. */
  readonly requestUrl: string;
  readonly definition: ImportDefinition;
  /** In the order of the request, at least one. */
  readonly inputs: readonly ImportInput[];
}

/**
 * The identity of a registration (contract 2, with SHA-256): the same request is the same job, whatever became of it.
 * Shared access signatures are not in it, because inputs do not carry them (decision D-18), and neither are `force`,
 * the caller, headers and time.
 */
export function definitionHash(request: ImportRequest): Buffer {
  const { definition } = request;
  const hash = createHash("sha256");
  // Arrays in a fixed order: the text does not depend on the order of an object's members. Inputs go in one by one, so
  // that ten thousand of them are never one text.
  hash.update(
    JSON.stringify([
      "import",
      request.requestUrl,
      definition.inputFormat,
      definition.inputSource,
      definition.storageType,
      definition.mode,
      definition.allowNegativeVersions,
      definition.eventualConsistency,
      definition.errorContainerName,
      definition.processingUnitBytesToRead,
    ]),
  );
  for (const input of request.inputs) hash.update(JSON.stringify([input.type, input.url, input.etag]));
  return hash.digest();
}
