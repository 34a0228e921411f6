import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alternativesIn, hasIllegalEscape, isEmptyValue, splitEscaped, unescape } from "./escape.ts";

describe("splitEscaped", () => {
  it.each([
    ["a,b", ["a", "b"]],
    ["a\\,b", ["a\\,b"]],
    ["a\\\\,b", ["a\\\\", "b"]],
    ["a\\\\\\,b", ["a\\\\\\,b"]],
    ["", [""]],
    [",", ["", ""]],
    ["a\\", ["a\\"]],
    ["\\a,b", ["\\a", "b"]],
  ])("splits %s into %j", (text, parts) => {
    expect(splitEscaped(text, ",")).toEqual(parts);
  });

  it("gives back what was escaped and joined", () => {
    const text = fc.string({ unit: fc.constantFrom("a", ",", "|", "$", "\\", "é") });
    fc.assert(
      fc.property(fc.array(text, { minLength: 1 }), fc.constantFrom(",", "|", "$"), (texts, separator) => {
        expect(splitEscaped(texts.map(escape).join(separator), separator).map(unescape)).toEqual(texts);
      }),
    );
  });
});

describe("hasIllegalEscape", () => {
  it.each([
    ["a", false],
    ["a\\,b", false],
    ["a\\\\", false],
    ["\\$\\|\\\\x", false],
    ["a\\x", true],
    ["a\\", true],
    ["a\\\\\\", true],
    ["\\\\\\x", true],
  ])("of %s: %s", (text, expected) => {
    expect(hasIllegalEscape(text)).toBe(expected);
  });
});

describe("alternativesIn", () => {
  it.each([
    ["smith,", ["smith"]],
    [",a,,b", ["a", "b"]],
    ["a\\,b,", ["a\\,b"]],
    [",", []],
  ])("%s: %j", (text, expected) => {
    expect(alternativesIn(text)).toEqual(expected);
    expect(isEmptyValue(text)).toBe(expected.length === 0);
  });
});

function escape(text: string): string {
  return text.replaceAll(/[,|$\\]/g, "\\$&");
}
