import { describe, expect, it } from "vitest";
import { storedParameters } from "./derived-parameters.ts";
import { SEARCH_PARAMETERS, searchParameter, searchParameterById } from "./search-parameters.ts";

function stored(code: string, ...types: string[]): string[] {
  const parameter = searchParameter(types[0] ?? "", code);
  if (parameter === undefined) throw new TypeError(`no search parameter ${code}`);
  return storedParameters(parameter, types).map(
    ({ parameter: id, targetType }) => `${searchParameterById(id)?.url.split("/").at(-1)} ${targetType ?? ""}`,
  );
}

describe("storedParameters", () => {
  it("is the parameter itself where nothing is derived", () => {
    expect(stored("birthdate", "Patient")).toEqual(["individual-birthdate "]);
    expect(stored("_tag", "Patient", "Observation")).toEqual(["Resource-tag "]);
  });

  it("is what a derived parameter is derived from", () => {
    expect(stored("combo-code", "Observation")).toEqual(["Observation-component-code ", "clinical-code "]);
    expect(stored("patient", "Observation")).toEqual(["Observation-subject Patient"]);
  });

  it("is all of them for several types, whatever their order", () => {
    const expected = ["Condition-subject Patient", "Observation-subject Patient", "clinical-patient "];
    expect(stored("patient", "Observation", "AllergyIntolerance", "Condition")).toEqual(expected);
    expect(stored("patient", "AllergyIntolerance", "Condition", "Observation")).toEqual(expected);
  });

  it("never leads to a parameter that is derived itself, or of another type", () => {
    for (const parameter of SEARCH_PARAMETERS) {
      for (const type of Object.keys(parameter.derived ?? {})) {
        expect(parameter.base).toContain(type);
        for (const each of storedParameters(parameter, [type])) {
          const base = searchParameterById(each.parameter);
          expect(base?.type).toBe(parameter.type);
          expect(base?.base).toContain(type);
          expect(base?.derived?.[type]).toBeUndefined();
        }
      }
    }
  });
});
