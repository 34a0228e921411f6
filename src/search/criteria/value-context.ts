import { StokerError } from "../../base/errors.ts";

/** What the meaning of a value depends on beside its text. */
export interface ValueContext {
  /** The parameter as written in the query, for messages: `value-quantity`, `subject:Patient`. */
  name: string;
  /** This server's base, without a slash at the end: references to it are references to resources here. */
  baseUrl: string;
  /** The type in `subject:Patient`. */
  referenceType?: string;
}

/** The `bad-request` for a value that makes no sense; values themselves are not repeated (they may be personal data). */
export function malformed(context: { name: string }, why: string): StokerError {
  return new StokerError("bad-request", `Search parameter '${context.name}': ${why}.`, { expression: context.name });
}

/** An id without a type. */
export const BARE_ID: RegExp = /^[A-Za-z0-9\-.]{1,64}$/;
