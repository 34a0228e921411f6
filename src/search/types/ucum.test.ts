import library from "@lhncbc/ucum-lhc";
import { beforeAll, describe, expect, it } from "vitest";
import { decimalOf, ONE, parseRational } from "./rational.ts";
import { openUcum, type ReadUnit } from "./ucum.ts";

let read: ReadUnit;
beforeAll(async () => {
  read = await openUcum();
});

describe("openUcum", () => {
  it.each([
    ["mg", "g1", "0.001"],
    ["mg/dL", "g1.m-3", "10"],
    ["mm[Hg]", "g1.m-1.s-2", "133322"],
    ["kg/m2", "g1.m-2", "1000"],
    ["/min", "s-1", "0.01666666666666666666"],
    ["{beats}/min", "s-1", "0.01666666666666666666"],
    ["mL/min/{1.73_m2}", "m3.s-1", "0.0000000166666666666"],
    ["10*3/uL", "m-3", "1000000000000"],
    ["10*-2", "", "0.01"],
    ["%", "", "0.01"],
    ["{score}", "{score}", "1"],
    ["kg.m/(s2)", "g1.m1.s-2", "1000"],
    ["[lb_av]", "g1", "453.59237"],
    ["[in_i]", "m1", "0.0254"],
    ["mmol/L", "m-3.mol1", "1"],
    ["meq/L", "m-3.mol1", "1"],
    ["[IU]/L", "[iU]1.m-3", "1000"],
    ["[CFU]/mL", "[CFU]1.m-3", "1000000"],
    ["KiBy", "", "8192"],
  ])("reads %s as base units", (code, dimension, factor) => {
    const unit = read(code);
    expect(unit?.dimension).toBe(dimension);
    expect(decimalOf(unit?.factor ?? ONE).startsWith(factor)).toBe(true);
    expect(unit?.offset.n).toBe(0n);
  });

  it.each([
    ["K", "1", "0"],
    ["Cel", "1", "273.15"],
    ["mCel", "0.001", "273.15"],
    ["[degF]", "0.555555", "255.37222222"],
  ])("reads the temperature %s", (code, factor, offset) => {
    const unit = read(code);
    expect(unit?.dimension).toBe("K1");
    expect(decimalOf(unit?.factor ?? ONE).startsWith(factor)).toBe(true);
    expect(decimalOf(unit?.offset ?? ONE).startsWith(offset)).toBe(true);
  });

  it.each(
    ["", "/", "m)(", "(m", "m)", "{x", "[in_i", "bananas", "mmHg", "M", "kmin", "0", "m.", "m//s", "2m"].concat(
      ["[pH]", "B[V]", "dB", "Np", "Cel/min", "[degF]2", "Cel.m"],
      ["1".repeat(30), `m${".m".repeat(60)}`, `${"(".repeat(49)}m${")".repeat(49)}`, `Ym99${".Ym99".repeat(15)}`],
    ),
  )("does not read %s", (code) => {
    expect(read(code)).toBeUndefined();
  });

  it("has the magnitudes of the library's table, where that has them right", () => {
    const utilities = library.UcumLhcUtils.getInstance();
    const wrong: string[] = [];
    let compared = 0;
    for (const code of library.UnitTables.getInstance().getAllUnitCodes()) {
      const unit = read(code);
      // Moles are no number here, and of these the table says something else than the definition.
      if (unit === undefined || /mol|\[S\]|\[LPF\]/.test(unit.dimension + code)) continue;
      const theirs = utilities.getSpecifiedUnit(code, "validate").unit?.magnitude_ ?? 0;
      compared++;
      if (Math.abs(Number(decimalOf(unit.factor)) / theirs - 1) > 1e-12) wrong.push(code);
    }
    expect(wrong).toEqual([]);
    expect(compared).toBeGreaterThan(500);
  });
});

describe("decimalOf", () => {
  it.each([
    ["0", "0"],
    ["-1.50", "-1.5"],
    ["254e-2", "2.54"],
    ["1e3", "1000"],
    ["-0.0625", "-0.0625"],
  ])("writes %s as %s", (text, expected) => {
    expect(decimalOf(parseRational(text) ?? ONE)).toBe(expected);
  });

  it("cuts what has no end after a hundred digits", () => {
    expect(decimalOf({ n: 1n, d: 3n })).toBe(`0.${"3".repeat(100)}`);
    expect(decimalOf({ n: -(10n ** 30n), d: 7n }).replace(/\D/g, "").length).toBeGreaterThanOrEqual(100);
  });
});
