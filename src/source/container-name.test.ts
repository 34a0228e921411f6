import { expect, it } from "vitest";
import { checkContainerName } from "./container-name.ts";
import { normaliseEtag } from "./source.ts";

const CHARACTERS =
  "Error container name contains invalid characters. Only lowercase letters, numbers, and hyphens are allowed. The name must begin and end with a letter or a number. The name can't contain two consecutive hyphens.";
const LENGTH = "The error container name must be between 3 and 63 characters long.";

it.each([
  ["fhirlogs", undefined],
  ["a-b-3", undefined],
  ["abc", undefined],
  ["x".repeat(63), undefined],
  ["x".repeat(64), LENGTH],
  ["ab", LENGTH],
  ["", LENGTH],
  ["Logs", CHARACTERS],
  ["a--b", CHARACTERS],
  ["-abc", CHARACTERS],
  ["abc-", CHARACTERS],
  ["a_b", CHARACTERS],
  ["$root", CHARACTERS],
  ["abc\n", CHARACTERS],
  ["ümlaut", CHARACTERS],
])("contract 7.2: container name %j", (name, expected) => {
  expect(checkContainerName(name)).toBe(expected);
});

it.each([
  ["0x8D92A7342657F4F", "0x8D92A7342657F4F"],
  ['"0x8D92A7342657F4F"', "0x8D92A7342657F4F"],
  ['W/"abc"', "abc"],
  [' "abc" ', "abc"],
  ['"', '"'],
  ["", ""],
])("contract 1.7: etag %j", (etag, expected) => {
  expect(normaliseEtag(etag)).toBe(expected);
});
