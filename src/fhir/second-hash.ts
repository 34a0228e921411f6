import { withSecondKey } from "../base/hash.ts";
import { withWholeKeys } from "./resource-key.ts";

/**
 * Runs `work`, which must not wait for anything, with a hash that has nothing to do with the store's: keys and equality values are made
 * with a second key, and nothing else is different. What was made before is not to be mixed with what is made here.
 */
export function withSecondHash<Result>(work: () => Result): Result {
  return withSecondKey(() => withWholeKeys(work));
}
