import { expect, test } from "vitest";
import { fit, formatBytes, formatClock, formatCount, formatDuration, formatPlural } from "./format.ts";

test.each([
  [0, "0"],
  [999, "999"],
  [1000, "1,000"],
  [1_234_567.4, "1,234,567"],
])("count %d", (count, text) => expect(formatCount(count)).toBe(text));

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [99_940, "99.9 kB"],
  [123_456_789, "123 MB"],
  [999_999, "1.0 MB"],
  [5e15, "5000 TB"],
])("bytes %d", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0, "0:00"],
  [59.6, "1:00"],
  [3723, "1:02:03"],
  [-5, "0:00"],
])("clock %d", (seconds, text) => expect(formatClock(seconds)).toBe(text));

test.each([
  [0.84, "0.8 s"],
  [200, "3 min 20 s"],
  [3840, "1 h 4 min"],
])("duration %d", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test("plural and fit", () => {
  expect(formatPlural(1, "line")).toBe("1 line");
  expect(formatPlural(2000, "line")).toBe("2,000 lines");
  expect(fit("abcdef", 6)).toBe("abcdef");
  expect(fit("abcdef", 4)).toBe("abc…");
});
