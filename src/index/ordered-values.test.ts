import { describe, expect, it } from "vitest";
import type { JsonObject } from "../base/json.ts";
import { dateRangeOf } from "../fhir/date-range.ts";
import { number, parameterId, record, unit } from "./testing/recorder.ts";

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

function rows(resourceType: string, members: JsonObject): string[] {
  return record({ resourceType, ...members }).rows;
}

function encounter(value: number): JsonObject & { resourceType: string } {
  return { resourceType: "Encounter", length: { value } };
}

function low(text: string): bigint {
  return dateRangeOf(text)?.low ?? 0n;
}

function high(text: string): bigint {
  return dateRangeOf(text)?.high ?? 0n;
}

describe("dates (contract 10.3)", () => {
  const id = parameterId("Observation.date");

  it.each<[JsonObject, bigint, bigint]>([
    [{ effectiveDateTime: "2012-03" }, low("2012-03"), high("2012-03")],
    [
      { effectiveInstant: "2012-03-14T09:26:53.250Z" },
      low("2012-03-14T09:26:53.250Z"),
      low("2012-03-14T09:26:53.250Z"),
    ],
    [{ effectivePeriod: { start: "2012", end: "2013-02" } }, low("2012"), high("2013-02")],
    [{ effectivePeriod: { start: "2012" } }, low("2012"), MAX],
    [{ effectivePeriod: { end: "2012" } }, MIN, high("2012")],
    [{ effectiveTiming: { event: ["2013-05-01", "2012-02-01"] } }, low("2012-02-01"), high("2013-05-01")],
    [{ effectiveTiming: { event: ["2014"], repeat: { boundsPeriod: { start: "2013" } } } }, low("2013"), MAX],
  ])("%j", (effective, from, till) => {
    expect(rows("Observation", effective)).toEqual([`0 date ${id} ${from} ${till}`]);
  });

  it.each<JsonObject>([
    { effectivePeriod: {} },
    { effectiveTiming: { code: { text: "BID" } } },
    { effectiveDateTime: "x" },
  ])("finds no date in %j", (effective) => {
    expect(record({ resourceType: "Observation", ...effective })).toEqual({ equality: [], rows: [] });
  });
});

describe("numbers and quantities (contract 10.4)", () => {
  const id = parameterId("Encounter.length");
  const ucum = "http://unitsofmeasure.org";

  it.each<[JsonObject, string[]]>([
    [
      { value: 0.004, unit: "mg", code: "mg", system: ucum },
      [`0.004 0.004 ${unit(ucum)} ${unit("mg")}`, `term 0 ${unit("mg")} mg`],
    ],
    [{ value: 1, unit: "mg" }, [`1 1 0 ${unit("mg")}`]],
    [{ value: 1e-7 }, ["1e-7 1e-7 0 0"]],
    [{ value: 5, comparator: "<", code: "h" }, [`-Infinity 499999999999999999999e-20 0 ${unit("h")}`]],
    [{ value: 5, comparator: "<=" }, ["-Infinity 5 0 0"]],
    [{ value: -0.25, comparator: "<" }, ["-Infinity -2500000000000000000001e-22 0 0"]],
    [{ value: 1e21, comparator: ">" }, [`1${"0".repeat(40)}1e-20 Infinity 0 0`]],
    [{ value: 5, comparator: ">=" }, ["5 Infinity 0 0"]],
    [
      { value: 2, unit: "hours", code: "h", system: ucum },
      [`2 2 ${unit(ucum)} ${unit("h")}`, `2 2 0 ${unit("hours")}`, `term 0 ${unit("h")} h`],
    ],
    [{ unit: "h" }, []],
  ])("%j", (value, expected) => {
    expect(rows("Encounter", { length: value })).toEqual(
      expected.map((row) => (row.startsWith("term") ? row : `0 quantity ${id} ${row}`)).toSorted(),
    );
    expect(record({ resourceType: "Encounter", length: value }).equality).toContain(
      number("Encounter.length", "present"),
    );
  });

  it("reads Range, Money, SampledData and plain numbers", () => {
    expect(rows("Condition", { onsetRange: { low: { value: 3, unit: "a" } } })).toEqual([
      `0 quantity ${parameterId("Condition.onset-age")} 3 Infinity 0 ${unit("a")}`,
    ]);
    expect(rows("Invoice", { totalNet: { value: 9.5, currency: "EUR" } })).toEqual([
      `0 quantity ${parameterId("Invoice.totalnet")} 9.5 9.5 ${unit("urn:iso:std:iso:4217")} ${unit("EUR")}`,
    ]);
    const sampled = { origin: { value: 10, code: "mV" }, factor: 2, data: "1 -2 E U" };
    expect(rows("Observation", { valueSampledData: sampled })).toContain(
      `0 quantity ${parameterId("Observation.value-quantity")} 6 Infinity 0 ${unit("mV")}`,
    );
    expect(rows("RiskAssessment", { prediction: [{ probabilityDecimal: 0.2 }, { probabilityRange: {} }] })).toEqual([
      `0 quantity ${parameterId("RiskAssessment.probability")} 0.2 0.2 0 0`,
    ]);
  });

  it("keeps the digits of the source where a double has too few (D-15)", () => {
    const literal = "0.12345678901234567890";
    const resource = { resourceType: "Encounter", length: { value: Number(literal) } };
    const asked: number[] = [];
    const recorded = record(resource, (value) => {
      asked.push(value);
      return literal;
    });
    expect(recorded.rows).toEqual([`0 quantity ${id} ${literal} ${literal} 0 0`]);
    expect(asked).toEqual([Number(literal)]);
    expect(rows("Encounter", { length: { value: Number(literal) } })).toEqual([
      `0 quantity ${id} 0.12345678901234568 0.12345678901234568 0 0`,
    ]);
  });

  it("takes the nearest bound of a number that no database holds (D-15)", () => {
    expect(record(encounter(Infinity), () => "1e400").rows).toEqual([`0 quantity ${id} 1e400 1e400 0 0`]);
    expect(record(encounter(Infinity), () => "1e999999999").rows).toEqual([`0 quantity ${id} Infinity Infinity 0 0`]);
    expect(record(encounter(-Infinity)).rows).toEqual([`0 quantity ${id} -Infinity -Infinity 0 0`]);
  });
});
