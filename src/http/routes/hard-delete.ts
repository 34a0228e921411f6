import { StokerError } from "../../base/errors.ts";

/** Names of the parameter that makes a deletion one without a trace; Azure's servers have both. */
export const HARD_DELETE: readonly string[] = ["hardDelete", "_hardDelete"];

/**
 * Whether a query string asks for a hard delete: without a trace, with the history. Throws `bad-request` on a value that is neither
 * true nor false.
 */
export function isHardDelete(query: string): boolean {
  const values = [...new URLSearchParams(query)].filter(([name]) => HARD_DELETE.includes(name));
  for (const [name, value] of values) {
    if (value === "true" || value === "false") continue;
    throw new StokerError("bad-request", `${name} must be true or false.`, { expression: name });
  }
  return values.some(([, value]) => value === "true");
}
