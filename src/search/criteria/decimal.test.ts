import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDecimal } from "./decimal.ts";

describe("parseDecimal", () => {
  it.each([
    ["7", "7.0", "6.5", "7.5"],
    ["7.00", "7.000", "6.995", "7.005"],
    ["-7.5", "-7.50", "-7.55", "-7.45"],
    ["+3", "3.0", "2.5", "3.5"],
    ["4e1", "40.0", "39.5", "40.5"],
    ["2e-3", "0.0020", "0.0015", "0.0025"],
    ["1.50E2", "150.0", "149.5", "150.5"],
    ["100", "100.0", "99.5", "100.5"],
    ["1e2", "100.0", "95.0", "105.0"],
    ["-1e2", "-100.0", "-105.0", "-95.0"],
    ["1.0e2", "100.0", "95.0", "105.0"],
    ["10e1", "100.0", "95.0", "105.0"],
    ["1.00e2", "100.0", "99.5", "100.5"],
    ["2e3", "2000.0", "1950.0", "2050.0"],
    ["54e2", "5400.0", "5350.0", "5450.0"],
    ["5.4e-3", "0.00540", "0.00535", "0.00545"],
    ["0", "0.0", "-0.5", "0.5"],
    ["1e5000", "Infinity", "Infinity", "Infinity"],
    ["-1e5000", "-Infinity", "-Infinity", "-Infinity"],
  ])("%s is %s, from %s to %s", (text, value, low, high) => {
    expect(parseDecimal(text)).toMatchObject({ value, low, high });
  });

  it.each(["", "-", ".5", "5.", "1e", "e1", "0x1", "1_000", "NaN", "Infinity", " 1", "1 ", "1,5", "9".repeat(1001)])(
    "refuses %j",
    (text) => {
      expect(parseDecimal(text)).toBeUndefined();
    },
  );

  it("takes numbers below 10^-1000 as zero", () => {
    expect(Number(parseDecimal("1e-99999999999999999999")?.value)).toBe(0);
  });

  it("agrees with floating point where that is exact enough", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: -6, max: 6 }), (digits, exponent) => {
        const operand = parseDecimal(`${digits}e${exponent}`);
        const expected = digits * 10 ** exponent;
        const isSingleDigit = Math.abs(digits) < 10 && exponent > 0;
        const half = 0.5 * 10 ** (isSingleDigit ? exponent - 1 : exponent);
        expect(Number(operand?.value)).toBeCloseTo(expected, 5);
        expect(Number(operand?.low)).toBeCloseTo(expected - half, 5);
        expect(Number(operand?.high)).toBeCloseTo(expected + half, 5);
        expect(Number(operand?.approximateLow)).toBeCloseTo(expected - half - Math.abs(expected) / 10, 5);
      }),
    );
  });
});
