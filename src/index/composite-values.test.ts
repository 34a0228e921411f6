import { describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import { searchParameter } from "../fhir/search-parameters.ts";
import { number, pair, parameterId, record, target, unit } from "./testing/recorder.ts";

function component(code: string, value: number): JsonObject {
  return { code: { coding: [{ system: "L", code }] }, valueQuantity: { value, code: "mm[Hg]" } };
}

function ids(...codes: string[]): number[] {
  return codes.map((code) => parameterId(`Observation.${code}`));
}

const RELATION = "http://hl7.org/fhir/document-relationship-type";

describe("composites (contract 10.9)", () => {
  it("pairs a reference with every form of a code (DocumentReference.relationship)", () => {
    const name = "DocumentReference.relationship";
    const reference = target(name, "DocumentReference", "t-app");
    const { equality } = record({
      resourceType: "DocumentReference",
      relatesTo: [{ code: "appends", target: { reference: "DocumentReference/t-app" } }],
    });
    const expected = [
      number(name, "present"),
      pair(name, reference, number(name, "code", "appends")),
      pair(name, reference, number(name, "noSystemCode", "appends")),
      pair(name, reference, number(name, "systemCode", `${RELATION}|appends`)),
      pair(name, reference, number(name, "system", RELATION)),
    ];
    expect(equality).toEqual(expect.arrayContaining(expected));
  });

  it("qualifies a component's quantity with each form of its code, never with another component's", () => {
    const name = "Observation.component-code-value-quantity";
    const { rows, equality } = record({
      resourceType: "Observation",
      code: { coding: [{ system: "L", code: "PANEL" }] },
      component: [component("SYS", 107), component("DIA", 60)],
    });
    const row = (qualifier: bigint, value: number): string =>
      `${qualifier} quantity ${parameterId(name)} ${value} ${value} 0 ${unit("mm[Hg]")}`;
    const qualified = rows.filter((text) => !/^(?:0|term) /.test(text));
    expect(qualified).toEqual(
      [
        row(number(name, "code", "SYS"), 107),
        row(number(name, "systemCode", "L|SYS"), 107),
        row(number(name, "system", "L"), 107),
        row(number(name, "code", "DIA"), 60),
        row(number(name, "systemCode", "L|DIA"), 60),
        row(number(name, "system", "L"), 60),
      ].toSorted(),
    );
    expect(equality).toContain(number(name, "present"));
    expect(equality).not.toContain(number("Observation.combo-code-value-quantity", "present"));
  });

  it("pairs code and value of the same component (combo-code-value-concept shares them)", () => {
    const name = "Observation.component-code-value-concept";
    const { equality } = record({
      resourceType: "Observation",
      code: { coding: [{ code: "A1" }] },
      component: [
        {
          code: { coding: [{ system: "A", code: "COL" }] },
          valueCodeableConcept: {
            coding: [
              { system: "N", code: "n2" },
              { system: "M", code: "2" },
            ],
          },
        },
      ],
    });
    const col = number(name, "systemCode", "A|COL");
    expect(equality).toContain(pair(name, col, number(name, "systemCode", "N|n2")));
    expect(equality).toContain(pair(name, number(name, "code", "COL"), number(name, "systemCode", "M|2")));
    expect(equality).not.toContain(pair(name, number(name, "systemCode", "N|n2"), number(name, "systemCode", "M|2")));
    expect(equality).not.toContain(pair(name, number(name, "code", "A1"), number(name, "systemCode", "N|n2")));
  });

  it("stores start and end of a variant in one row, qualified by the chromosome of the resource", () => {
    const name = "MolecularSequence.chromosome-variant-coordinate";
    const { rows } = record({
      resourceType: "MolecularSequence",
      referenceSeq: { chromosome: { coding: [{ code: "17" }] } },
      variant: [{ start: 10, end: 20 }, { start: 5 }],
    });
    expect(rows.filter((row) => !row.startsWith("0 "))).toEqual(
      [number(name, "code", "17"), number(name, "noSystemCode", "17")]
        .map((qualifier) => `${qualifier} quantity ${parameterId(name)} 10 20 0 0`)
        .toSorted(),
    );
  });

  it("answers contexts at the root from plain parameters, and shares what is the same", () => {
    expect(searchParameter("Observation", "code-value-quantity")?.composite).toEqual({
      Observation: [{ context: "root", parameters: ids("code", "value-quantity") }],
    });
    expect(searchParameter("Observation", "combo-code-value-concept")?.composite).toEqual({
      Observation: [
        { context: "root", parameters: ids("code", "value-concept") },
        { context: "element", values: parameterId("Observation.component-code-value-concept") },
      ],
    });
  });
});
