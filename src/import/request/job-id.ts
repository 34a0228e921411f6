import { StokerError } from "../../base/errors.ts";

const LARGEST_ID = 2n ** 63n - 1n;

/** The job id in a path as decimal text; anything that is not an id is 0, which no job has (contract 3.1). */
export function readJobId(text: string): string {
  if (!/^\d{1,19}$/.test(text)) return "0";
  const id = BigInt(text);
  return id > LARGEST_ID ? "0" : id.toString();
}

/** The 404 of contract 3.1. */
export function jobNotFound(id: string): StokerError {
  return new StokerError("not-found", `The requested import job "${id}" was not found.`);
}
