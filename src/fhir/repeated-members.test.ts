import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonValue } from "../base/json.ts";
import { repeatedMember } from "./repeated-members.ts";

function repeated(text: string): string | undefined {
  return repeatedMember(Buffer.from(text), JSON.parse(text) as JsonValue);
}

describe("repeatedMember", () => {
  it.each([
    ['{"a":1,"a":1}', "a"],
    ['{"a":{"b":[{"c":1},{"c":1,"d":{},"c":"2"}]}}', "a.b.c"],
    ['{"a":1,"\\u0061":2}', "a"],
    ['{"x":{"a":1},"a":[{"b":":\\"{"}], "b":{"b":1, "b" :2}}', "b.b"],
    ['{"a":{"b":1},"a":2}', "a"],
  ])("%s: %s", (text, path) => expect(repeated(text)).toBe(path));

  it.each(["{}", '{"a":"a","b":"a\\":","c":["a:","a:"]}', '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}', '[":"]'])(
    "%s: none",
    (text) => expect(repeated(text)).toBeUndefined(),
  );

  it("finds none in what JSON.stringify writes, and one in whatever object gets one", () => {
    fc.assert(
      fc.property(fc.json(), fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (text, object) => {
        expect(repeated(text)).toBeUndefined();
        const [name = ""] = Object.keys(object);
        const twice = `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:${text}}`;
        expect(repeated(`[{"x":${twice}}]`)).toBe(`x.${name}`);
      }),
    );
  });
});
