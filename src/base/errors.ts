/**
 * The error catalogue. Everything Stoker throws on purpose is a {@link StokerError} whose `code` stands here, with the
 * HTTP status and FHIR issue code it becomes at the edge. Callers match on `code`, people read the message.
 */
export const ERROR_CODES = {
  /** A setting makes no sense; the message names it. Stops the start. */
  setting: { status: 500, issue: "invalid" },
  /** The request breaks a rule of contract 1.4; the message is the text given there. */
  "bad-request": { status: 400, issue: "invalid" },
  "not-found": { status: 404, issue: "not-found" },
  gone: { status: 410, issue: "deleted" },
  "not-supported": { status: 400, issue: "not-supported" },
  "method-not-allowed": { status: 405, issue: "not-supported" },
  "not-acceptable": { status: 406, issue: "not-supported" },
  /** A write that contradicts what is stored. */
  conflict: { status: 409, issue: "conflict" },
  /** `If-Match`, `If-None-Match` or the criteria of a conditional interaction do not hold. */
  "precondition-failed": { status: 412, issue: "conflict" },
  /** A patch that cannot be applied to what is stored. */
  unprocessable: { status: 422, issue: "processing" },
  /** A search took longer than reads may. */
  "too-costly": { status: 408, issue: "too-costly" },
  /** One line or resource needed more memory than a thread of the server may have. */
  "out-of-memory": { status: 413, issue: "too-costly" },
  "job-completed": { status: 409, issue: "processing" },
  /** An import ended otherwise than completed (contract 3.1); the status of a failed one is that of its failure. */
  "job-cancelled": { status: 400, issue: "processing" },
  "job-failed": { status: 500, issue: "processing" },
  /** The store is locked for the initial import (decision D-13). */
  locked: { status: 423, issue: "processing" },
  /** A source answered, and said no; the message says what and the status is the source's own. */
  "source-missing": { status: 404, issue: "processing" },
  "source-forbidden": { status: 403, issue: "processing" },
  "source-changed": { status: 400, issue: "processing" },
  "source-unreachable": { status: 400, issue: "processing" },
  "source-failed": { status: 500, issue: "processing" },
  /** The database has no room left (decision D-12). */
  "database-full": { status: 500, issue: "no-store" },
  /** As many imports or exports as there may be wait or run. */
  "too-many-jobs": { status: 429, issue: "throttled" },
  /** Others are in the way; the same request may succeed in a moment. */
  busy: { status: 503, issue: "throttled" },
  "database-unavailable": { status: 503, issue: "transient" },
  internal: { status: 500, issue: "exception" },
} as const;

/** A key of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An error that a user can act on: what, where, what to do. */
export class StokerError extends Error {
  override readonly name = "StokerError";
  readonly code: ErrorCode;
  /** HTTP status, the catalogue's unless the thrower knows better (a storage account's own status). */
  readonly status: number;
  /** The FHIR issue code of the OperationOutcome it becomes. */
  readonly issue: string;
  /** Element paths or the setting it is about, where there is one. */
  readonly expression: string | undefined;
  /** Seconds after which the same request may succeed, where that is known. */
  readonly retryAfter: number | undefined;
  /** What it means for people, beside a message whose text is fixed by the contract. */
  readonly details: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    detail: {
      status?: number;
      issue?: string;
      expression?: string;
      retryAfter?: number;
      details?: string;
      cause?: unknown;
    } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.status = detail.status ?? ERROR_CODES[code].status;
    this.issue = detail.issue ?? ERROR_CODES[code].issue;
    this.expression = detail.expression;
    this.retryAfter = detail.retryAfter;
    this.details = detail.details;
  }
}
