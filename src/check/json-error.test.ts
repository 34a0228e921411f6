import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeJsonError } from "./json-error.ts";

describe("describeJsonError", () => {
  it.each([
    ["", "the line is empty"],
    ["   ", "the line is empty"],
    ["oops", 'unexpected "o" at character 1, expected a value'],
    ["invalid-row", 'unexpected "i" at character 1, expected a value'],
    ['{"a":1', "the line ends inside an object, after 6 characters"],
    ['{"a":[1,', "the line ends inside an array, after 8 characters"],
    ['{"a":1}{"b":2}', "unexpected text after the end of the resource at character 8"],
    ['{"a" 1}', 'unexpected "1" at character 6, expected ":"'],
    ['{"a":1 "b":2}', 'unexpected "\\"" at character 8, expected "," or "}"'],
    ["[1 2]", 'unexpected "2" at character 4, expected "," or "]"'],
    ["{a:1}", 'unexpected "a" at character 2, expected a member name in double quotes'],
    ['{"a":1,}', 'unexpected "}" at character 8, expected a member name in double quotes'],
    ["[1,]", 'unexpected "]" at character 4, expected a value'],
    ['{"a":"x', "the string that begins at character 6 does not end"],
    ['{"a":"\\u12', "the string that begins at character 6 does not end"],
    ['{"a":"\\x"}  ', "bad escape sequence in a string at character 7"],
    ['{"a":"\t"}', "control character in a string at character 7 (it must be escaped)"],
    ['{"a":01}', 'unexpected "1" at character 7, expected "," or "}"'],
    ['{"a":NaN}', 'unexpected "N" at character 6, expected a value'],
    ["\ufeff{}", "unexpected byte order mark (U+FEFF) at character 1, expected a value"],
    ['{"a":1}\ufeff', "unexpected byte order mark (U+FEFF) at character 8, expected the end of the line"],
    ['{"a":1,\u00a0"b":2}', "unexpected U+00A0 at character 8, expected a member name in double quotes"],
    ['{\u0000"b":2}', "unexpected U+0000 at character 2, expected a member name in double quotes"],
    ["\u{1f525}", 'unexpected "\u{1f525}" at character 1, expected a value'],
  ])("%j: %s", (text, expected) => {
    expect(describeJsonError(text)).toBe(expected);
  });

  it("finds a fault in whatever JSON.parse refuses, shortly", () => {
    const damaged = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom("", ",", '"', "}", "]", "\\", "x", "\u0001"))
      .map(([json, seed, insert]) => {
        const at = seed % (json.length + 1);
        return json.slice(0, at) + insert + json.slice(at + (insert === "" ? 1 : 0));
      });
    fc.assert(
      fc.property(damaged, (text) => {
        let refused = false;
        try {
          JSON.parse(text);
        } catch {
          refused = true;
        }
        fc.pre(refused);
        expect(describeJsonError(text)).not.toBe("not a JSON value");
        expect(describeJsonError(text).length).toBeLessThan(120);
      }),
      { numRuns: 1000 },
    );
  });

  it("is neither afraid of depth nor of size", () => {
    expect(describeJsonError("[".repeat(1_000_000))).toContain("1000000");
    expect(describeJsonError(`{"a":"${"x".repeat(5_000_000)}"`)).toContain("inside an object");
  });
});
