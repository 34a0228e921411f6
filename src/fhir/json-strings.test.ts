import fc from "fast-check";
import { expect, it } from "vitest";
import { eachStringValue } from "./json-strings.ts";

function valuesOf(text: string): [string, string][] {
  const bytes = Buffer.from(text);
  const found: [string, string][] = [];
  eachStringValue(bytes, (name, start, end) => {
    found.push([name, JSON.parse(bytes.toString("utf8", start, end)) as string]);
  });
  return found;
}

it("gives values with the member they stand in", () => {
  expect(valuesOf(String.raw`{"a" : "x", "b":["y" , "\"z\\"], "c":{"d":1,"e":"é"}, "f":""}`)).toEqual([
    ["a", "x"],
    ["b", "y"],
    ["b", '"z\\'],
    ["e", "é"],
    ["f", ""],
  ]);
});

it("finds the strings that JSON.parse finds", () => {
  fc.assert(
    fc.property(fc.json(), fc.boolean(), (text, pretty) => {
      const value: unknown = JSON.parse(text);
      const expected: string[] = [];
      const walk = (each: unknown): void => {
        if (typeof each === "string") expected.push(each);
        else if (typeof each === "object" && each !== null) for (const inner of Object.values(each)) walk(inner);
      };
      walk(value);
      expect(valuesOf(JSON.stringify(value, undefined, pretty ? 2 : 0)).map(([, string]) => string)).toEqual(expected);
    }),
  );
});
