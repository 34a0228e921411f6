import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitEscaped, unescape } from "./escape.ts";

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

function escape(text: string): string {
  return text.replaceAll(/[,|$\\]/g, "\\$&");
}
