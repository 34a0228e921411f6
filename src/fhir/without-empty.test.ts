import {
  array,
  assert,
  boolean,
  constant,
  constantFrom,
  dictionary,
  double,
  letrec,
  oneof,
  property,
  string,
} from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../base/json.ts";
import { withoutEmpty } from "./without-empty.ts";

function pruned(text: string): string {
  return withoutEmpty(Buffer.from(text), JSON.parse(text) as JsonObject).toString();
}

describe("what counts as absent is left out (C-015)", () => {
  test.each([
    ['{"a":null,"b":"","c":{},"d":[],"e":[{}],"f":{"g":[{"h":""}]},"i":1}', '{"i":1}'],
    ['{ "a" : null , "b" : [ 1.50 , { } , "x" ] , "c" : "" }', '{"b":[1.50,"x"]}'],
    ['{"n":1e30,"s":"\\u0041\\"","x":null}', '{"n":1e30,"s":"\\u0041\\""}'],
    ['{"ä":null,"é":"ü"}', '{"é":"ü"}'],
    ['{"a":false,"b":0,"c":" "}', '{"a":false,"b":0,"c":" "}'],
  ])("%s", (before, after) => {
    expect(pruned(before)).toBe(after);
  });

  test("places in an array stay while its sibling has content", () => {
    expect(pruned('{"given":["a",null],"_given":[null,{"id":"x"}]}')).toBe(
      '{"given":["a",null],"_given":[null,{"id":"x"}]}',
    );
    expect(pruned('{"given":["","b"],"_given":[{"id":"x"},{}]}')).toBe(
      '{"given":[null,"b"],"_given":[{"id":"x"},null]}',
    );
    expect(pruned('{"given":["a",null],"_given":[null,{}]}')).toBe('{"given":["a"]}');
    expect(pruned('{"given":["a"],"_given":[null]}')).toBe('{"given":["a"]}');
  });

  test("an array of nothing but places stays beside its sibling's content (R4 json.html#primitive)", () => {
    const masked = '{"given":[null],"_given":[{"id":"x"}]}';
    expect(pruned(masked)).toBe(masked);
    expect(pruned('{"_given":[null,{"id":"x"}],"given":["",null],"a":{}}')).toBe(
      '{"_given":[null,{"id":"x"}],"given":[null,null]}',
    );
    expect(pruned('{"given":[{},[]],"_given":[{},{"id":"x"}]}')).toBe(
      '{"given":[null,null],"_given":[null,{"id":"x"}]}',
    );
    expect(pruned('{"given":[],"_given":[{"id":"x"}]}')).toBe('{"_given":[{"id":"x"}]}');
    expect(pruned('{"given":null,"_given":[{"id":"x"}]}')).toBe('{"_given":[{"id":"x"}]}');
    expect(pruned('{"given":[null],"_given":[{}]}')).toBe("{}");
  });

  test("where a member comes twice, the last counts", () => {
    expect(JSON.parse(pruned('{"a":1,"a":null,"b":2}'))).toEqual({ b: 2 });
    expect(JSON.parse(pruned('{"a":null,"a":1,"b":{"x":"","y":2},"b":{"x":1}}'))).toEqual({ a: 1, b: { x: 1 } });
    expect(JSON.parse(pruned('{"a":[null,1],"a":[1,2,""],"z":""}'))).toEqual({ a: [1, 2] });
  });

  test("nothing to leave out: the same bytes, white space and all", () => {
    const bytes = Buffer.from('{ "a" : [ 1 , { "b" : "" } , null ], "_a":[{"c":1},{"c":2},{"c":3}] }');
    const value = JSON.parse(bytes.toString()) as JsonObject;
    expect(withoutEmpty(bytes, value)).not.toBe(bytes);
    const whole = Buffer.from(' { "a" : [ 1 , null ], "_a" : [ null , { "c" : 1.0 } ] } ');
    expect(withoutEmpty(whole, JSON.parse(whole.toString()) as JsonObject)).toBe(whole);
  });

  test("any JSON: what the definition says", () => {
    const { value } = letrec<{ value: JsonValue }>((tie) => ({
      value: oneof(
        { depthSize: "medium" },
        oneof(
          constantFrom(null, "", 0, 1.5, "x", "ä"),
          boolean(),
          string(),
          double({ noNaN: true, noDefaultInfinity: true }),
        ),
        array(tie("value"), { maxLength: 4 }),
        dictionary(oneof(constantFrom("a", "_a", "b", "_b"), string()), tie("value"), { maxKeys: 4 }),
      ),
    }));
    assert(
      property(
        dictionary(constantFrom("a", "_a", "b", "c"), value),
        oneof(constant(0), constant(2)),
        (object, indent) => {
          const text = JSON.stringify(object, undefined, indent);
          expect(JSON.parse(pruned(text))).toEqual(reference(JSON.parse(text) as JsonValue, false) ?? {});
        },
      ),
    );
  });
});

/** The definition, on parsed JSON; undefined for what is absent. `isFiller`: an array that may have nothing but places. */
function reference(value: JsonValue | undefined, keepPlaces: boolean, isFiller = false): JsonValue | undefined {
  if (value === null || value === undefined || value === "") return undefined;
  if (typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const items = value.map((item) => reference(item, false));
    if (items.every((item) => item === undefined) && !(keepPlaces && isFiller && items.length > 0)) return undefined;
    return keepPlaces ? items.map((item) => item ?? null) : items.filter((item) => item !== undefined);
  }
  const kept: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    const sibling = value[name.startsWith("_") ? name.slice(1) : `_${name}`];
    const left = reference(
      member,
      Array.isArray(sibling) && sibling.some((item) => name.startsWith("_") || reference(item, false) !== undefined),
      !name.startsWith("_"),
    );
    if (left !== undefined) Object.defineProperty(kept, name, { value: left, enumerable: true });
  }
  return Object.keys(kept).length === 0 ? undefined : kept;
}
