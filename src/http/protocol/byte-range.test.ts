import { expect, it } from "vitest";
import { requestedRange, type RequestedRange } from "./byte-range.ts";

it.each<[string | undefined, RequestedRange]>([
  [undefined, "all"],
  ["bytes=0-", { start: 0, end: 9 }],
  ["bytes=3-5", { start: 3, end: 5 }],
  ["Bytes = 3 - 5", { start: 3, end: 5 }],
  ["bytes=9-9", { start: 9, end: 9 }],
  ["bytes=3-99", { start: 3, end: 9 }],
  ["bytes=-3", { start: 7, end: 9 }],
  ["bytes=-99", { start: 0, end: 9 }],
  ["bytes=10-", "none"],
  ["bytes=10-20", "none"],
  ["bytes=-0", "none"],
  ["bytes=5-3", "all"],
  ["bytes=-", "all"],
  ["bytes=0-1,3-4", "all"],
  ["lines=1-2", "all"],
  ["bytes=a-b", "all"],
  ["bytes=0x1-2", "all"],
  [`bytes=${"9".repeat(40)}-`, "all"],
])("of ten bytes, %s is %j", (range, expected) => {
  expect(requestedRange({ range }, 10, '"x"')).toEqual(expected);
});

it("nothing is in an empty file", () => {
  expect(requestedRange({ range: "bytes=0-" }, 0, '"x"')).toBe("none");
  expect(requestedRange({ range: "bytes=-5" }, 0, '"x"')).toBe("none");
  expect(requestedRange({}, 0, '"x"')).toBe("all");
});

it.each([
  ['"x"', { start: 5, end: 9 }],
  ['"y"', "all"],
  ['W/"x"', "all"],
  ["Mon, 30 Nov 2026 12:00:00 GMT", "all"],
])("If-Range %s", (condition, expected) => {
  expect(requestedRange({ range: "bytes=5-", "if-range": condition }, 10, '"x"')).toEqual(expected);
});
