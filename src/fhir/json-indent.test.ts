import fc from "fast-check";
import { expect, it } from "vitest";
import { indented } from "./json-indent.ts";

const LIMIT = 1024 * 1024;

it("is what JSON.stringify makes, for every value", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
      const text = JSON.stringify(value, undefined, space);
      expect(indented(Buffer.from(text), LIMIT).toString()).toBe(JSON.stringify(value, undefined, 2));
    }),
  );
});

it.each([
  ['{"value":1.10}', '{\n  "value": 1.10\n}'],
  ['{"value":1E+2,"other":-0.0}', '{\n  "value": 1E+2,\n  "other": -0.0\n}'],
  ['{"a":"\\u00e9\\"{[,:"}', '{\n  "a": "\\u00e9\\"{[,:"\n}'],
  ['{ "a" : [ ] , "b":{\n} }', '{\n  "a": [],\n  "b": {}\n}'],
])("%s keeps its values' text", (text, result) => {
  expect(indented(Buffer.from(text), LIMIT).toString()).toBe(result);
});

it("leaves a text alone that would become too long", () => {
  const bytes = Buffer.from(`${"[".repeat(500)}${"]".repeat(500)}`);
  expect(indented(bytes, 100_000)).toBe(bytes);
});
