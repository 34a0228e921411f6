import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TEST_HASH_KEY } from "../../test/support/hash-key.ts";
import { fromBigInt, hashPair, hashText, installHashKey, toBigInt, type Int64Halves } from "./hash.ts";

function hashed(text: string, seed: number): bigint {
  const out: Int64Halves = { high: 0, low: 0 };
  hashText(text, seed, out);
  return toBigInt(out);
}

/**
 * The published vectors of SipHash-2-4 with 64 bits of output (vectors_sip64 in the reference implementation): number n is the
 * hash of the bytes 0, 1, … n - 1, the lowest byte first, under the key 0, 1, … 15, which is the key of tests.
 */
const VECTORS = [
  "310e0edd47db6f72",
  "fd67dc93c539f874",
  "5a4fa9d909806c0d",
  "2d7efbd796666785",
  "b7877127e09427cf",
  "8da699cd64557618",
  "cee3fe586e46c9cb",
  "37d1018bf50002ab",
  "6224939a79f5f593",
  "b0e4a90bdf82009e",
  "f3b9dd94c5bb5d7a",
  "a7ad6b22462fb3f4",
  "fbe50e86bc8f1e75",
  "903d84c02756ea14",
  "eef27a8e90ca23f7",
  "e545be4961ca29a1",
  "db9bc2577fcc2a3f",
  "9447be2cf5e99a69",
  "9cd38d96f0b3c14b",
  "bd6179a71dc96dbb",
  "98eea21af25cd6be",
  "c7673b2eb0cbf2d0",
  "883ea3e395675393",
  "c8ce5ccd8c030ca8",
  "94af49f6c650adb8",
  "eab8858ade92e1bc",
  "f315bb5bb835d817",
  "adcf6b0763612e2f",
  "a5c91da7acaa4dde",
  "716595876650a2a6",
  "28ef495c53a387ad",
  "42c341d8fa92d832",
  "ce7cf2722f512771",
  "e37859f94623f3a7",
  "381205bb1ab0e012",
  "ae97a10fd434e015",
  "b4a31508beff4d31",
  "81396229f0907902",
  "4d0cf49ee5d4dcca",
  "5c73336a76d8bf9a",
  "d0a704536ba93e0e",
  "925958fcd6420cad",
  "a915c29bc8067318",
  "952b79f3bc0aa6d4",
  "f21df2e41d4535f9",
  "87577519048f53a9",
  "10a56cf5dfcd9adb",
  "eb75095ccd986cd0",
  "51a9cb9ecba312e6",
  "96afadfc2ce666c7",
  "72fe52975a4364ee",
  "5a1645b276d592a1",
  "b274cb8ebf87870a",
  "6f9bb4203de7b381",
  "eaecb2a30b22a87f",
  "9924a43cc1315724",
  "bd838d3aafbf8db7",
  "0b1a2a3265d51aea",
  "135079a3231ce660",
  "932b2846e4d70666",
  "e1915f5cb1eca46c",
  "f325965ca16d629f",
  "575ff28e60381be5",
  "724506eb4c328a95",
];

/** The same as its authors write it, with numbers of 64 bits. */
function sipHash(message: Buffer): bigint {
  const key = Buffer.from(TEST_HASH_KEY);
  const [low, high] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)];
  const start = [0x736f6d6570736575n ^ low, 0x646f72616e646f6dn ^ high, 0x6c7967656e657261n ^ low];
  const padded = Buffer.concat([message, Buffer.alloc(8 - (message.length % 8))]);
  padded[padded.length - 1] = message.length & 0xff;
  let state: State = [...start, 0x7465646279746573n ^ high] as State;
  for (let at = 0; at < padded.length; at += 8) {
    const block = padded.readBigUInt64LE(at);
    const [a, b, c, d] = sipRound(sipRound([state[0], state[1], state[2], state[3] ^ block]));
    state = [a ^ block, b, c, d];
  }
  state[2] ^= 0xffn;
  for (let round = 0; round < 4; round++) state = sipRound(state);
  return BigInt.asIntN(64, state[0] ^ state[1] ^ state[2] ^ state[3]);
}

type State = [bigint, bigint, bigint, bigint];

function sipRound([first, second, third, fourth]: State): State {
  let a = BigInt.asUintN(64, first + second);
  let c = BigInt.asUintN(64, third + fourth);
  let b = turned(second, 13n) ^ a;
  let d = turned(fourth, 16n) ^ c;
  a = BigInt.asUintN(64, turned(a, 32n) + d);
  c = BigInt.asUintN(64, c + b);
  b = turned(b, 17n) ^ c;
  d = turned(d, 21n) ^ a;
  return [a, b, turned(c, 32n), d];
}

function turned(word: bigint, by: bigint): bigint {
  return BigInt.asUintN(64, (word << by) | (word >> (64n - by)));
}

/** Four bytes that count on from the first. */
function word(first: number): number {
  return first | ((first + 1) << 8) | ((first + 2) << 16) | ((first + 3) << 24);
}

describe("hashText", () => {
  // The seed is the first four bytes of the message, and these bytes are ASCII: the text is the others.
  it.each(VECTORS.map((vector, length) => ({ length, vector })).slice(4))(
    "gives the published value of $length bytes",
    ({ length, vector }) => {
      const text = String.fromCharCode(...Array.from({ length: length - 4 }, (_, index) => index + 4));
      expect(hashed(text, 0x03020100)).toBe(Buffer.from(vector, "hex").readBigInt64LE());
    },
  );

  it("hashes a text as its bytes in UTF-8, however long it is; surrogates are units of their own", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 40 }),
      fc.constantFrom("€".repeat(5000), "瞔秶瀖何"),
    );
    fc.assert(
      fc.property(text, fc.integer(), (text, seed) => {
        const start = Buffer.alloc(4);
        start.writeInt32LE(seed);
        const units = text.split("").map((unit) => {
          const code = unit.charCodeAt(0);
          const isSurrogate = code >= 0xd800 && code < 0xe000;
          return isSurrogate
            ? Buffer.from([0xed, 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)])
            : Buffer.from(unit);
        });
        expect(hashed(text, seed)).toBe(sipHash(Buffer.concat([start, ...units])));
      }),
    );
  });

  it("tells different texts apart, also those of lone surrogates, and the same text by its seed", () => {
    const unit = fc.integer({ min: 0, max: 0xffff });
    const text = fc.array(unit, { maxLength: 12 }).map((units) => String.fromCharCode(...units));
    fc.assert(
      fc.property(text, text, fc.integer(), (first, second, seed) => {
        expect(hashed(first, seed) === hashed(second, seed)).toBe(first === second);
        expect(hashed(first, seed)).not.toBe(hashed(first, seed ^ 1));
      }),
    );
  });

  // Two pairs that MurmurHash3, which was here before, gives one hash.
  it.each([
    ["urn:x|MRN-瞔秶瀖何", "urn:x|MRN-혼蓕瀖謆"],
    ["MHf9DViVXD", "my-jpchtAD"],
  ])("tells %s from %s", (first, second) => {
    expect(hashed(first, 0)).not.toBe(hashed(second, 0));
  });
});

describe("the key", () => {
  it("is one in each thread, and not told", () => {
    installHashKey(TEST_HASH_KEY);
    const other = TEST_HASH_KEY.map((byte) => byte ^ 1);
    expect(() => installHashKey(other)).toThrow("This process has opened another store");
    expect(() => installHashKey(other.subarray(1))).toThrow("wrong length");
  });
});

describe("halves and BigInt", () => {
  it.each([0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 0x1234_5678_9abc_def0n])("round trips %s", (value) => {
    expect(toBigInt(fromBigInt(value))).toBe(value);
  });

  it("hashes a pair as the published function hashes the same 20 bytes", () => {
    const out: Int64Halves = { high: 0, low: 0 };
    hashPair({ high: word(4), low: word(8) }, { high: word(12), low: word(16) }, word(0), out);
    expect(toBigInt(out)).toBe(Buffer.from(VECTORS[20] ?? "", "hex").readBigInt64LE());
  });
});
