import { StokerError } from "../../base/errors.ts";

/** The 400 for a search that would have to look at more than one answer should: cut short it would be a wrong answer. */
export function tooCostly(why: string, expression?: string): StokerError {
  const detail = expression === undefined ? { status: 400 } : { status: 400, expression };
  return new StokerError("too-costly", `This search is too costly: ${why}.`, detail);
}
