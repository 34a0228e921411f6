import { assert, double, integer, property, string, tuple } from "fast-check";
import { describe, expect, it } from "vitest";
import { literalsOf, numberLiterals } from "./number-literals.ts";

describe("literalsOf", () => {
  it.each([
    ['{"a":0.12345678901234567890}', "0.12345678901234567890"],
    ['{"a":"0.12345678901234568","b":0.123456789012345678}', "0.123456789012345678"],
    ['{"a":[1.5,123456789012345678901]}', "123456789012345678901"],
    ['{"a":176.35499866729558}', "176.35499866729558"],
    ['{"a":176.354998667295581}', "176.354998667295581"],
    ['{"a":1e400}', "1e400"],
    ['{"a":-1E+400 }', "-1E+400"],
  ])("finds in %s what is written as %s", (line, literal) => {
    expect(literalsOf(line)(Number(literal))).toBe(literal);
  });

  it("finds nothing in strings", () => {
    expect(literalsOf('{"a":"\\"1e400"}')(Infinity)).toBeUndefined();
  });

  it("finds a literal that is the same double, whatever stands around", () => {
    assert(
      property(tuple(string(), double({ noNaN: true, noDefaultInfinity: true }), integer()), ([text, value, other]) => {
        const line = JSON.stringify({ [text]: [text, value, { other }] });
        const parsed = Object.is(value, -0) ? 0 : value;
        expect(Number(literalsOf(line)(parsed))).toBe(parsed);
        expect(numberLiterals(line).has(parsed)).toBe(true);
      }),
    );
  });
});
