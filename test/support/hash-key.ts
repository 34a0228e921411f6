import { installHashKey } from "../../src/base/hash.ts";

/** The key of all stores of tests: that of the published vectors of SipHash. */
export const TEST_HASH_KEY: Uint8Array = Uint8Array.from({ length: 16 }, (_, index) => index);

installHashKey(TEST_HASH_KEY);
