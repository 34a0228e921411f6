import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { membersAt, soleMember } from "./json-bytes.ts";

const META = Buffer.from('meta"');

describe("soleMember", () => {
  const cases: [string, "found" | "none" | "unsure"][] = [
    ['{"id":"a","meta":{"x":1},"b":[1,2,3]}', "found"],
    ['{"a":1,"b":2,"c":3,"d":4,"meta" : {"x":1} } ', "found"],
    ['{"meta":{}}', "found"],
    ['{"a":1}', "none"],
    ['{"a":"meta"}', "none"],
    ['{"a":"\\"meta\\":{}"}', "none"],
    ['{"a":"x\\"meta"}', "none"],
    ['{"xmeta":1}', "none"],
    ['{"a":1,"b":2,"c":3,"meta":{},"d":4}', "unsure"],
    ['{"a":1,"b":2,"c":3,"contained":[{"meta":{}}]}', "unsure"],
    ['{"a":{"meta":{}}}', "unsure"],
    ['{"meta":1,"meta":2}', "unsure"],
    ['{"meta":1,"m\\u0065ta":2}', "unsure"],
  ];
  it.each(cases)("%s: %s", (text, expected) => {
    const found = soleMember(Buffer.from(text), "meta", META);
    expect(found === undefined ? "unsure" : found === null ? "none" : "found").toBe(expected);
  });

  it("agrees with all members wherever it is sure", () => {
    const names = fc.constantFrom("meta", "xmeta", 'a"meta', "b", "c", "d", "\u0000");
    const leaf = fc.oneof(fc.constantFrom("meta", 'meta":{', "}", "\\"), fc.integer(), fc.constant(null));
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie("value"), { maxLength: 3 }), tie("object")),
      object: fc.dictionary(names, tie("value"), { maxKeys: 6 }),
    }));
    fc.assert(
      fc.property(fc.dictionary(names, value, { maxKeys: 6 }), fc.constantFrom(undefined, 1), (object, space) => {
        const bytes = Buffer.from(JSON.stringify(object, null, space));
        const sole = soleMember(bytes, "meta", META);
        const all = membersAt(bytes, 0).findLast(({ name }) => name === "meta");
        if (sole !== undefined) expect(sole ?? undefined).toEqual(all);
      }),
    );
  });
});
