import { describe, expect, it } from "vitest";
import { RESOURCE_TYPES } from "./resource-types.ts";
import { SEARCH_PARAMETERS, searchParameter, searchParameterById, searchParametersOf } from "./search-parameters.ts";

describe("the table of search parameters", () => {
  it("numbers the parameters from 1 in the order of their URLs", () => {
    const urls = SEARCH_PARAMETERS.map((parameter) => parameter.url);
    expect(urls).toEqual(urls.toSorted());
    expect(SEARCH_PARAMETERS.map((parameter) => parameter.id)).toEqual(urls.map((_, index) => index + 1));
    // Stored values carry these numbers: they may never change.
    expect(searchParameter("Patient", "birthdate")?.id).toBe(1364);
    expect(searchParameter("Observation", "code")?.id).toBe(1336);
  });

  it("finds a parameter by type and code, and by id", () => {
    const parameter = searchParameter("Observation", "value-quantity");
    expect(parameter?.type).toBe("quantity");
    expect(searchParameterById(parameter?.id ?? 0)).toBe(parameter);
    expect(searchParameter("Observation", "birthdate")).toBeUndefined();
    expect(searchParameter("NoType", "code")).toBeUndefined();
    expect(searchParameterById(0)).toBeUndefined();
    expect(searchParameterById(10_000)).toBeUndefined();
  });

  it("gives every type the parameters of Resource, and only domain resources _text", () => {
    for (const type of ["Resource", ...RESOURCE_TYPES]) {
      const codes = searchParametersOf(type).map((parameter) => parameter.code);
      expect(codes).toEqual(
        expect.arrayContaining(["_id", "_lastUpdated", "_tag", "_profile", "_security", "_source"]),
      );
      expect(new Set(codes).size).toBe(codes.length);
    }
    expect(searchParameter("Patient", "_text")).toBeDefined();
    expect(searchParameter("Bundle", "_text")).toBeUndefined();
  });

  it("has no two parameters of one name for one type", () => {
    const seen = new Set<string>();
    for (const parameter of SEARCH_PARAMETERS) {
      for (const base of parameter.base) {
        expect(seen.has(`${base}.${parameter.code}`), `${base}.${parameter.code}`).toBe(false);
        seen.add(`${base}.${parameter.code}`);
      }
    }
  });
});
