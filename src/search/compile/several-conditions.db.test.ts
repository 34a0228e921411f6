import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { openSearchServer, type SearchServer } from "../testing/search-server.ts";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(...observations(), ...carePlans());
});
afterAll(() => server.close());

const UCUM = "http://unitsofmeasure.org";
const CODE = { coding: [{ system: "http://loinc.org", code: "x" }, { code: "y" }] };

/** With dates and periods of all lengths around 2010, values from 1 to 8, and two components each. */
function observations(): JsonObject[] {
  const dates = ["2009", "2010-03", "2010-03-01", "2010-03-31", "2010-04-01T00:00:00Z", "2011"];
  const periods = [
    { start: "2009-12-01", end: "2010-06-01" },
    { start: "2010-03-02" },
    { end: "2010-03-15" },
    { start: "2010-03-05T08:00:00Z", end: "2010-03-05T09:00:00Z" },
  ];
  const times = [
    ...dates.map((effectiveDateTime) => ({ effectiveDateTime })),
    ...periods.map((effectivePeriod) => ({ effectivePeriod })),
  ];
  return times.map((time, index) => ({
    resourceType: "Observation",
    id: `o${index}`,
    status: "final",
    code: CODE,
    ...time,
    valueQuantity: quantity(index, index % 3 === 0 ? "g" : "mg"),
    component: [
      { code: CODE, valueQuantity: quantity(index, "mg") },
      { code: CODE, valueQuantity: quantity(9 - index, "mg") },
    ],
  }));
}

/** The unit of every other one is not its code. */
function quantity(value: number, code: string): JsonObject {
  return { value, system: UCUM, code, unit: value % 2 === 0 ? code : "g" };
}

function carePlans(): JsonObject[] {
  return ["2009", "2010", "2012"].map((year, index) => ({
    resourceType: "CarePlan",
    id: `c${index}`,
    status: "active",
    intent: "plan",
    subject: { display: "x" },
    activity: [year, "2011-05"].map((scheduled) => ({
      detail: { status: "scheduled", scheduledPeriod: { start: scheduled, end: scheduled } },
    })),
  }));
}

/** Each condition asks a resource by itself, whatever the others are (R4 search, 3.1.1.5.5). */
async function expectIntersection(type: string, conditions: readonly string[]): Promise<void> {
  const each = await Promise.all(conditions.map((condition) => server.ids(`/${type}?${condition}`)));
  const expected = (each[0] ?? []).filter((id) => each.every((ids) => ids.includes(id)));
  expect(await server.ids(`/${type}?${conditions.join("&")}`), conditions.join("&")).toEqual(expected);
}

describe("several conditions on one parameter find what each of them finds", () => {
  const prefixes = ["", "ne", "lt", "gt", "le", "ge", "sa", "eb"];

  it("dates of one element", async () => {
    for (const first of prefixes) {
      for (const second of prefixes) {
        await expectIntersection("Observation", [`date=${first}2010-03`, `date=${second}2010-03-15`]);
      }
    }
    await expectIntersection("Observation", [
      "date=ge2010-03",
      "date=lt2010-04",
      "date=2010-03-05,2010-03-31",
      "date=ne2009",
    ]);
  });

  it.each([
    ["a number", ["value-quantity=gt2", "value-quantity=lt7", "value-quantity=ne5"]],
    ["units that are converted", [`value-quantity=gt2|${UCUM}|mg`, `value-quantity=lt0.006|${UCUM}|g`]],
    ["a unit and none", [`value-quantity=gt2|${UCUM}|mg`, "value-quantity=lt6"]],
    ["codes or units", ["value-quantity=gt0.004||g", "value-quantity=lt5||g", "value-quantity=lt8||mg"]],
    ["values of a code", ["code-value-quantity=x$gt2", "code-value-quantity=y$lt7", "code=x", "value-quantity=ge3"]],
    ["values that repeat", ["component-value-quantity=gt6", "component-value-quantity=lt3"]],
    [
      "many of these",
      [9, 8, 7, 6, 2].flatMap((n) => [`component-value-quantity=le${n}`, `combo-value-quantity=ge${n}`]),
    ],
    ["components", ["component-code-value-quantity=x$gt5", "component-code-value-quantity=y$lt4"]],
  ])("quantities: %s", async (_what, conditions) => {
    await expectIntersection("Observation", conditions);
    await expectIntersection("Observation", [...conditions, "date=ge2010", "date=lt2012"]);
  });

  it("dates that repeat", async () => {
    await expectIntersection("CarePlan", ["activity-date=lt2011", "activity-date=gt2010"]);
    const many = ["lt2013", "gt2008", "ge2009", "le2012", "ne2011"].map((date) => `activity-date=${date}`);
    await expectIntersection("CarePlan", many);
  });

  it("as many as are asked, in one statement that is quickly planned", async () => {
    const dates = Array.from({ length: 60 }, (_, index) => `date=ge${1940 + index}`).join("&");
    const values = Array.from({ length: 30 }, (_, index) => `component-value-quantity=lt${index + 20}`).join("&");
    expect(await server.ids(`/Observation?${dates}&${values}`)).toHaveLength(10);
  });
});
