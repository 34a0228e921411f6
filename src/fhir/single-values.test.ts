import { describe, expect, it } from "vitest";
import { storedParameters } from "./derived-parameters.ts";
import { searchParameter } from "./search-parameters.ts";

function isSingle(type: string, code: string, ...others: string[]): boolean {
  const parameter = searchParameter(type, code);
  if (parameter === undefined) throw new TypeError(`${type} has no search parameter ${code}`);
  return storedParameters(parameter, [type, ...others]).some((stored) => stored.isSingle === true);
}

describe("a parameter whose values come from one element", () => {
  it.each([
    ["Observation", "date", "a choice of four types"],
    ["Observation", "value-quantity", "one of two types of a choice"],
    ["Patient", "birthdate", "an element"],
    ["Encounter", "date", "a period"],
    ["RiskAssessment", "date", "a parameter that many types share"],
    ["ChargeItem", "factor-override", "a number"],
  ])("%s %s: %s", (type, code) => {
    expect(isSingle(type, code)).toBe(true);
  });

  it.each([
    ["Observation", "component-value-quantity", "elements repeat"],
    ["Observation", "combo-value-quantity", "two parameters together"],
    ["CarePlan", "activity-date", "an element of an element that repeats"],
    ["RiskAssessment", "probability", "an element of an element that repeats"],
    ["Patient", "name", "no date, number or quantity"],
  ])("%s %s is not one: %s", (type, code) => {
    expect(isSingle(type, code)).toBe(false);
  });

  it("of several types is one where it is one in each of them", () => {
    expect(isSingle("Observation", "date", "Encounter")).toBe(true);
    expect(isSingle("Observation", "date", "Patient")).toBe(false);
  });
});
