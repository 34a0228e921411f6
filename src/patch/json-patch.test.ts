import { applyPatch } from "fast-json-patch";
import {
  array,
  assert,
  constantFrom,
  integer,
  jsonValue,
  property,
  record,
  string,
  tuple,
  type Arbitrary,
} from "fast-check";
import { describe, expect, it } from "vitest";
import { StokerError } from "../base/errors.ts";
import { applyJsonPatch, readJsonPatch } from "./json-patch.ts";

function apply(document: string, patch: unknown): string {
  const text = typeof patch === "string" ? patch : JSON.stringify(patch);
  return applyJsonPatch(Buffer.from(document), readJsonPatch(Buffer.from(text))).toString();
}

function errorOf(work: () => unknown): StokerError {
  try {
    work();
  } catch (error) {
    if (error instanceof StokerError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("JSON Patch, RFC 6902 appendix A", () => {
  it.each<[string, string, unknown, string]>([
    ["A.1", '{"foo":"bar"}', [{ op: "add", path: "/baz", value: "qux" }], '{"foo":"bar","baz":"qux"}'],
    ["A.2", '{"foo":["bar","baz"]}', [{ op: "add", path: "/foo/1", value: "qux" }], '{"foo":["bar","qux","baz"]}'],
    ["A.3", '{"baz":"qux","foo":"bar"}', [{ op: "remove", path: "/baz" }], '{"foo":"bar"}'],
    ["A.4", '{"foo":["bar","qux","baz"]}', [{ op: "remove", path: "/foo/1" }], '{"foo":["bar","baz"]}'],
    ["A.5", '{"baz":"qux","foo":"bar"}', [{ op: "replace", path: "/baz", value: "boo" }], '{"baz":"boo","foo":"bar"}'],
    [
      "A.6",
      '{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}',
      [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
      '{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}',
    ],
    [
      "A.7",
      '{"foo":["all","grass","cows","eat"]}',
      [{ op: "move", from: "/foo/1", path: "/foo/3" }],
      '{"foo":["all","cows","eat","grass"]}',
    ],
    [
      "A.8",
      '{"baz":"qux","foo":["a",2,"c"]}',
      [
        { op: "test", path: "/baz", value: "qux" },
        { op: "test", path: "/foo/1", value: 2 },
      ],
      '{"baz":"qux","foo":["a",2,"c"]}',
    ],
    [
      "A.10",
      '{"foo":"bar"}',
      [{ op: "add", path: "/child", value: { grandchild: {} } }],
      '{"foo":"bar","child":{"grandchild":{}}}',
    ],
    ["A.11", '{"foo":"bar"}', [{ op: "add", path: "/baz", value: "qux", xyz: 123 }], '{"foo":"bar","baz":"qux"}'],
    ["A.14", '{"/":9,"~1":10}', [{ op: "test", path: "/~01", value: 10 }], '{"/":9,"~1":10}'],
    [
      "A.16",
      '{"foo":["bar"]}',
      [{ op: "add", path: "/foo/-", value: ["abc", "def"] }],
      '{"foo":["bar",["abc","def"]]}',
    ],
    ["copy", '{"a":{"b":1.50}}', [{ op: "copy", from: "/a", path: "/c" }], '{"a":{"b":1.50},"c":{"b":1.50}}'],
    ["the whole document", '{"a":1}', [{ op: "replace", path: "", value: { b: 2 } }], '{"b":2}'],
    [
      "null",
      '{"a":null}',
      [
        { op: "test", path: "/a", value: null },
        { op: "replace", path: "/a", value: 1 },
      ],
      '{"a":1}',
    ],
    ["null as a value", '{"a":1}', [{ op: "add", path: "/b", value: null }], '{"a":1,"b":null}'],
  ])("%s", (_name, document, patch, expected) => {
    expect(apply(document, patch)).toBe(expected);
  });

  it.each<[string, string, unknown, string]>([
    ["A.9", '{"baz":"qux"}', [{ op: "test", path: "/baz", value: "bar" }], "Operation 1 (test /baz): the test failed"],
    [
      "A.12",
      '{"foo":"bar"}',
      [{ op: "add", path: "/baz/bat", value: "qux" }],
      "Operation 1 (add /baz/bat): there is no object or array to hold it.",
    ],
    ["A.15", '{"/":9,"~1":10}', [{ op: "test", path: "/~01", value: "10" }], "the test failed"],
    [
      "remove what is not there",
      '{"a":1}',
      [{ op: "remove", path: "/b" }],
      "Operation 1 (remove /b): there is nothing",
    ],
    [
      "replace what is not there",
      '{"a":1}',
      [{ op: "replace", path: "/b", value: 1 }],
      "(replace /b): there is nothing",
    ],
    ["test what is not there", '{"a":1}', [{ op: "test", path: "/b", value: null }], "there is nothing"],
    ["behind the end", '{"a":[1]}', [{ op: "add", path: "/a/2", value: 1 }], "the array has only 1 items"],
    ["leading zeros", '{"a":[1,2]}', [{ op: "remove", path: "/a/01" }], "there is nothing"],
    ["a name in an array", '{"a":[1]}', [{ op: "add", path: "/a/x", value: 1 }], "an array takes a number"],
    ["'-' where nothing is added", '{"a":[1]}', [{ op: "remove", path: "/a/-" }], "there is nothing"],
    ["into a scalar", '{"a":"x"}', [{ op: "add", path: "/a/0", value: 1 }], "no object or array"],
    [
      "copy from nothing",
      "{}",
      [{ op: "copy", from: "/x", path: "/y" }],
      "Operation 1 (copy /y): there is nothing at /x.",
    ],
    ["move into itself", '{"a":{"b":1}}', [{ op: "move", from: "/a", path: "/a/b/c" }], "cannot be moved into itself"],
    ["the whole resource", "{}", [{ op: "remove", path: "" }], "the resource itself"],
    [
      "a later one",
      '{"a":1}',
      [
        { op: "add", path: "/b", value: 1 },
        { op: "remove", path: "/c" },
      ],
      "Operation 2 (remove",
    ],
  ])("%s: 422", (_name, document, patch, text) => {
    const error = errorOf(() => apply(document, patch));
    expect(error.message).toContain(text);
    expect(error.status).toBe(422);
  });

  it.each<[string, string]>([
    ["no array", '{"op":"add","path":"/a","value":1}'],
    ["an item that is no object", "[1]"],
    ["no op", '[{"path":"/a"}]'],
    ["an unknown op", '[{"op":"append","path":"/a","value":1}]'],
    ["A.13: op twice", '[{"op":"add","path":"/baz","value":"qux","op":"remove"}]'],
    ["no path", '[{"op":"remove"}]'],
    ["a path that is a number", '[{"op":"remove","path":1}]'],
    ["a path without its slash", '[{"op":"remove","path":"a"}]'],
    ["a wrong escape", '[{"op":"remove","path":"/~2"}]'],
    ["no value", '[{"op":"add","path":"/a"}]'],
    ["no from", '[{"op":"move","path":"/a"}]'],
    ["too deep", `[{"op":"add","path":"/a","value":${"[".repeat(500)}${"]".repeat(500)}}]`],
    ["too long a path", `[{"op":"remove","path":"${"/a".repeat(500)}"}]`],
    ["too many", `[${Array.from({ length: 2001 }, () => '{"op":"remove","path":"/a"}').join()}]`],
  ])("%s: 400", (_name, patch) => {
    expect(errorOf(() => apply("{}", patch)).status).toBe(400);
  });
});

describe("JSON Patch", () => {
  it("keeps white space, escapes, order and digits of what it does not touch", () => {
    const document = '{\n  "b" : 1.10,\n  "10": [ 1.0 , 2.50,3 ],\n  "t": "\\u0041\\/",\n  "__proto__": {"x":1e2}\n}';
    const patch = '[{"op":"replace","path":"/10/1","value":7.00},{"op":"add","path":"/new","value":{"v":0.100}}]';
    expect(apply(document, patch)).toBe(
      '{\n  "b" : 1.10,\n  "10": [ 1.0 , 7.00,3 ],\n  "t": "\\u0041\\/",\n  "__proto__": {"x":1e2},\n  "new": {"v":0.100}\n}',
    );
  });

  it("takes __proto__ for a name like any other", () => {
    const patch = [
      { op: "add", path: "/__proto__", value: { polluted: true } },
      { op: "add", path: "/constructor", value: 1 },
    ];
    expect(apply('{"a":1}', patch)).toBe('{"a":1,"__proto__":{"polluted":true},"constructor":1}');
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(errorOf(() => apply("{}", [{ op: "remove", path: "/toString" }])).status).toBe(422);
  });

  it("removes and replaces a member that comes twice so that the first does not come back", () => {
    expect(apply('{"a":1,"b":2,"a":3}', [{ op: "remove", path: "/a" }])).toBe('{"b":2}');
    expect(JSON.parse(apply('{"a":1,"a":3}', [{ op: "replace", path: "/a", value: 4 }]))).toEqual({ a: 4 });
  });

  it.each<[string, string, boolean]>([
    ["1.10", "1.1", true],
    ["100", "1e2", true],
    ["0", "-0.0", true],
    ["-1", "1", false],
    ["0.12345678901234567890", "0.1234567890123456789", true],
    ["0.12345678901234567891", "0.12345678901234567892", false],
    ["true", '"true"', false],
    ['"\\u0041"', '"A"', true],
    ['{"a":1,"b":[2.0]}', '{"b":[2],"a":1.0}', true],
    ["[1,2]", "[2,1]", false],
    ["{}", "[]", false],
    ["null", "{}", false],
  ])("tests %s against %s: %j", (stored, value, equal) => {
    const test = (): string => apply(`{"a":${stored}}`, `[{"op":"test","path":"/a","value":${value}}]`);
    if (equal) expect(test()).toBe(`{"a":${stored}}`);
    else expect(errorOf(test).status).toBe(422);
  });

  it("does not let a short patch make a long document", () => {
    const doubling = Array.from({ length: 60 }, (_, index) => ({ op: "copy", from: "", path: `/a${index}` }));
    expect(errorOf(() => apply('{"x":"0123456789"}', doubling)).issue).toBe("too-costly");
  });

  it("does what another implementation does with the parsed document", () => {
    const pointer = array(constantFrom("a", "b", "0", "1", "2", "-", "c/d", "e~f"), { minLength: 1, maxLength: 3 }).map(
      (tokens) => tokens.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""),
    );
    const small: Arbitrary<unknown> = constantFrom<unknown>(1, "x", null, [], [1, [2]], {}, { a: 1, b: { a: [true] } });
    const operation = record({
      op: constantFrom("add", "remove", "replace", "move", "copy", "test"),
      path: pointer,
      from: pointer,
      value: small,
    });
    const document = record({ a: small, b: small, "c/d": small, "e~f": jsonValue({ maxDepth: 2 }) });
    assert(
      property(
        document,
        array(operation, { maxLength: 5 }),
        tuple(string(), integer()),
        (value, operations, [text, indent]) => {
          const before = JSON.stringify({ ...value, text, indent }, undefined, Math.abs(indent) % 4);
          let expected: unknown;
          try {
            expected = applyPatch(JSON.parse(before), structuredClone(operations) as never, true).newDocument;
          } catch {
            expect(() => apply(before, operations)).toThrow(StokerError);
            return;
          }
          expect(JSON.parse(apply(before, operations))).toEqual(expected);
        },
      ),
    );
  });
});
