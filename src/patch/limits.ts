import { unprocessable } from "./failure.ts";

/** Greatest result, as for a resource that is sent as a whole. Bytes. */
export const RESULT_BYTES: number = 16 * 1024 * 1024;
/** Operations of one patch. */
export const MAX_OPERATIONS = 2000;
/** Levels of objects and arrays in a patch, and steps of a path; a text has at most 128 (`fhir/json-limits.ts`). */
export const MAX_PATCH_LEVELS = 400;
/** Bytes that the operations of a patch may copy, move or parse, all together. */
const WORK_BYTES = 64 * 1024 * 1024;

/** What a patch may still do: patches are applied on the thread that answers all requests. */
export interface Budget {
  bytes: number;
}

/** The budget of one application of a patch. */
export function newBudget(): Budget {
  return { bytes: WORK_BYTES };
}

/** Takes work off the budget. Throws `unprocessable` when there is none left. */
export function spendPatchWork(budget: Budget, bytes: number): void {
  budget.bytes -= bytes;
  if (budget.bytes < 0) throw unprocessable("this patch needs too much work.", { issue: "too-costly" });
}
