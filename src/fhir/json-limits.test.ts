import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StokerError } from "../base/errors.ts";
import { describeExcess, jsonExcess, MAX_LEVELS, parseBoundedJson } from "./json-limits.ts";

const arrays = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const LEVELS = "levels of objects and arrays";
const VALUES = "values and names of members";
const NUMBER = "characters in a number";

/** As many values and names as a text of this length may have. */
const allowed = (length: number): number => 2_000_000 + Math.floor(length / 12);

describe("jsonExcess", () => {
  it.each([
    ["as many levels of arrays as allowed", arrays(128)],
    ["… and of objects", `${'{"a":'.repeat(128)}1${"}".repeat(128)}`],
    ["brackets in strings", `["${"[{".repeat(500)}"]`],
    ["brackets behind an escaped quote", `["\\"${"[".repeat(500)}"]`],
    ["brackets behind an escaped backslash's string", `["\\\\\\"${"[".repeat(500)}"]`],
    ["brackets side by side", `[${"[],".repeat(5000)}[]]`],
    ["a long number", `[-1.${"1".repeat(65_532)}]`],
    ["many digits in a string", `["${"1".repeat(100_000)}"]`],
    ["many values in a long text", `[${'"aaaaaaaaa",'.repeat(3_000_000)}1]`],
    ["nothing", ""],
    ["a string without an end", '"'],
    ["a string that ends with a backslash", '"\\'],
    ["closing brackets only", "]".repeat(1000)],
  ])("nothing: %s", (_, text) => {
    expect(jsonExcess(text)).toBeUndefined();
  });

  it.each([
    ["arrays", arrays(129), { limit: 128, found: 129, of: LEVELS, at: 128 }],
    ["arrays without an end", "[".repeat(100_000), { limit: 128, found: 100_000, of: LEVELS, at: 128 }],
    ["objects", '{"a":'.repeat(200), { limit: 128, found: 200, of: LEVELS, at: 640 }],
    ["behind a string of backslashes", `["\\\\",${arrays(128)}]`, { limit: 128, found: 129, of: LEVELS, at: 6 + 127 }],
    ["deep in the second item", `[${arrays(3)},${arrays(130)}]`, { limit: 128, found: 131, of: LEVELS, at: 8 + 127 }],
    ["a number", `[1.${"0".repeat(65_535)}]`, { limit: 65_536, found: 65_537, of: NUMBER, at: 1 }],
    ["an exponent", `{"a":1e-${"0".repeat(70_000)}}`, { limit: 65_536, found: 70_003, of: NUMBER, at: 5 }],
  ])("%s", (_, text, expected) => {
    expect(jsonExcess(text)).toEqual(expected);
  });

  it.each([
    ["numbers", "1"],
    ["empty objects", "{}"],
    ["members", '"":1'],
  ])("%s", (_, item) => {
    const [open, close] = item.includes(":") ? ["{", "}"] : ["[", "]"];
    const text = `${open}${`${item},`.repeat(2_600_000)}${item}${close}`;
    const each = item === "1" ? 1 : 2;
    const found = 2_600_001 * each;
    expect(jsonExcess(text)).toEqual({
      limit: allowed(text.length),
      found,
      of: VALUES,
      at: expect.any(Number) as number,
    });
  });

  it("counts the levels of any JSON as a walk through its values does, wherever its strings have brackets and quotes", () => {
    const strings = fc.string({ unit: fc.constantFrom("[", "]", "{", "}", '"', "\\", ",", ":", "1", "-", "é", "😀") });
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        strings,
        fc.double(),
        fc.constant(null),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(strings, tie("value"), { maxKeys: 3 }),
      ),
    }));
    const levelsOf = (item: unknown): number =>
      typeof item !== "object" || item === null ? 0 : 1 + Math.max(0, ...Object.values(item).map(levelsOf));
    fc.assert(
      fc.property(value, fc.integer({ min: 120, max: 130 }), fc.constantFrom(0, 1), (item, around, indent) => {
        const text = "[".repeat(around) + JSON.stringify(item, undefined, indent) + "]".repeat(around);
        const levels = around + levelsOf(item);
        const excess = jsonExcess(text);
        expect(excess?.found).toBe(levels > MAX_LEVELS ? levels : undefined);
      }),
    );
  });
});

describe("parseBoundedJson", () => {
  it("gives what JSON.parse gives", () => {
    expect(parseBoundedJson('{"a":[1,"x",null]}')).toEqual({ a: [1, "x", null] });
    expect(() => parseBoundedJson("{")).toThrow(SyntaxError);
  });

  it("refuses what is too much with the limit, what was found, and where", () => {
    const text = "the limit is exceeded at character 129";
    expect(() => parseBoundedJson(arrays(1000))).toThrow(
      new StokerError("bad-request", `The body has more than 128 ${LEVELS}: found 1000, ${text}.`, {
        issue: "too-long",
      }),
    );
    expect(describeExcess({ limit: 128, found: 1000, of: LEVELS, at: 128 })).toBe(
      `has more than 128 ${LEVELS}: found 1000, ${text}`,
    );
  });
});
