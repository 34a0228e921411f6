import { assert, dictionary, jsonValue, property, string, type JsonValue } from "fast-check";
import { describe, expect, it } from "vitest";
import { StokerError } from "../base/errors.ts";
import { applyMergePatch, readMergePatch } from "./merge-patch.ts";

function apply(document: string, patch: string): string {
  return applyMergePatch(Buffer.from(document), readMergePatch(Buffer.from(patch))).toString();
}

describe("JSON Merge Patch, RFC 7386 appendix A", () => {
  // Each as the value of a member, because a resource, and so its patch, is an object.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["[1,2]", '{"a":"b","c":null}', '{"a":"b"}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])("%s with %s is %s", (target, patch, expected) => {
    expect(apply(`{"x":${target}}`, `{"x":${patch}}`)).toBe(`{"x":${expected}}`);
  });
});

describe("a merge patch", () => {
  it("keeps the bytes of what it does not name, and its own", () => {
    const document = '{ "value" : 1.10,\n  "code":{"text" : "\\u0061", "coding":[ {"code":"x"} ]} }';
    expect(apply(document, '{"code":{"text":"b"},"other": 2.50}')).toBe(
      '{ "value" : 1.10,\n  "code":{"text" : "b", "coding":[ {"code":"x"} ]},\n  "other":2.50 }',
    );
    expect(apply('{"__proto__":{"a":1}}', '{"__proto__":{"b":2}}')).toBe('{"__proto__":{"a":1,"b":2}}');
  });

  it.each(["[]", '"x"', "null", "1"])("of %s is refused: a resource is an object", (patch) => {
    expect(() => readMergePatch(Buffer.from(patch))).toThrow("A JSON Merge Patch of a resource is an object.");
  });

  it("of too many levels is refused", () => {
    const deep = `${'{"a":'.repeat(500)}1${"}".repeat(500)}`;
    expect(() => readMergePatch(Buffer.from(deep))).toThrow(StokerError);
  });

  it("takes time in proportion to its members", () => {
    const result = JSON.parse(apply(members(0), members(30_000))) as object;
    expect(Object.keys(result).length).toBe(90_000);
  });

  it("gives what the algorithm of the RFC gives", () => {
    const objects = dictionary(string({ maxLength: 2 }), jsonValue({ maxDepth: 2 }));
    assert(
      property(objects, objects, (target, patch) => {
        expect(JSON.parse(apply(JSON.stringify(target), JSON.stringify(patch)))).toEqual(
          JSON.parse(JSON.stringify(reference(target as JsonValue, patch as JsonValue))),
        );
      }),
    );
  });
});

/** RFC 7386, section 2, on parsed values. */
function reference(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const result = new Map(isObject ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, reference(result.get(name), value as JsonValue));
  }
  return Object.fromEntries(result);
}

function members(from: number): string {
  return `{${Array.from({ length: 60_000 }, (_, at) => `"m${from + at}":${at}`).join(",")}}`;
}
