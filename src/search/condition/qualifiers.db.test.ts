import { assert, asyncProperty, array, constantFrom, integer, record, subarray } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { openSearchServer, type SearchServer } from "../testing/search-server.ts";

interface Case {
  codes: readonly string[];
  value: number;
}

const UCUM = "http://unitsofmeasure.org";
const CODES = ["A", "B", "C", "D", "E", "F"];

/** Every tenth has no code, some have more than are qualified. */
const CASES: Case[] = Array.from({ length: 240 }, (_, index) => ({
  codes: index % 10 === 0 ? [] : CODES.slice(index % 6).slice(0, index % 7),
  value: (index * 7) % 20,
}));

function observation({ codes, value }: Case, id: string): JsonObject {
  const coding = codes.flatMap((code) => [{ code }, { system: "urn:s", code }]);
  const code = codes.length === 0 ? { text: "A" } : { coding };
  return { resourceType: "Observation", id, code, valueQuantity: { value, unit: "g", code: "g" } };
}

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  await server.loadLive(...CASES.map((each, index) => observation(each, `o${index}`)));
});
afterAll(() => server.close());

function expected(test: (each: Case) => boolean): string[] {
  return CASES.flatMap((each, index) => (test(each) ? [`o${index}`] : [])).toSorted();
}

describe("a code with a quantity (contract 10.4, 10.6)", () => {
  it("finds what has both, however many codes there are", async () => {
    const query = record({
      codes: subarray(CODES, { minLength: 1 }),
      form: constantFrom("", "|", "urn:s|"),
      bounds: array(integer({ min: -1, max: 21 }), { minLength: 1, maxLength: 2 }),
    });
    await assert(
      asyncProperty(query, async ({ codes, form, bounds: [least = 0, below] }) => {
        const values = codes.map((code) => `${form}${code}`).join();
        const upper = below === undefined ? "" : `&value-quantity=lt${below}`;
        const found = expected(
          (each) =>
            each.codes.some((code) => codes.includes(code)) && each.value >= least && each.value < (below ?? 99),
        );
        const plain = `code=${values}&value-quantity=ge${least}${upper}`;
        expect(await server.ids(`/Observation?_count=1000&${plain}`)).toEqual(found);
        if (upper !== "") return;
        const composites = codes.map((code) => `${form}${code}$ge${least}`).join();
        expect(await server.ids(`/Observation?_count=1000&code-value-quantity=${composites}`)).toEqual(found);
        expect(await server.ids(`/Observation?_count=1000&combo-code-value-quantity=${composites}`)).toEqual(found);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ["code=urn:s|&value-quantity=7", (each: Case) => each.codes.length > 0 && each.value === 7],
    ["code:not=A&value-quantity=7", (each: Case) => !each.codes.includes("A") && each.value === 7],
    ["code:text=a&value-quantity=0", (each: Case) => each.codes.length === 0 && each.value === 0],
    ["combo-code=A&value-quantity=lt9", (each: Case) => each.codes.includes("A") && each.value < 9],
    ["value-quantity=7", (each: Case) => each.value === 7],
    [
      "code=A&code=B&value-quantity=lt9",
      ({ codes, value }: Case) => codes.includes("A") && codes.includes("B") && value < 9,
    ],
  ])("%s", async (query, test) => {
    const found = expected(test);
    expect(found.length).toBeGreaterThan(0);
    expect(await server.ids(`/Observation?_count=1000&${query}`)).toEqual(found);
  });

  it("qualifies the rows of up to four codes, one row for each; searches find what has none, as older rows do", async () => {
    const { rows } = await server.database.pool.query<{ rows: number; qualified: number }>(
      `select count(*)::int as rows, count(distinct qualifier) filter (where qualifier <> 0)::int as qualified
       from search_quantity group by key`,
    );
    const shapes = new Set(rows.map((row) => `${row.rows} rows, ${row.qualified} qualified`));
    const upToFour = Array.from({ length: 4 }, (_, n) => `${n + 1} rows, ${n + 1} qualified`);
    expect(shapes).toEqual(new Set(["1 rows, 0 qualified", ...upToFour]));
    await server.database.pool.query("update search_quantity set qualifier = 0 where key % 2 = 0");
    const found = expected((each) => each.codes.includes("B") && each.value > 12);
    expect(await server.ids("/Observation?_count=1000&code=B&value-quantity=gt12")).toEqual(found);
  });

  it("finds a code's values in all the units that they have", async () => {
    const doses: [id: string, value: number, unit: string, system: string][] = [
      ["mg", 6, "mg", UCUM],
      ["g", 0.006, "g", UCUM],
      ["less", 4, "mg", UCUM],
      ["kg", 6, "kg", UCUM],
      ["mm", 6, "mm", UCUM],
      ["other", 6, "mg", "urn:x"],
    ];
    const resources = ["dose", "dosis"].flatMap((code) =>
      doses
        .filter(([id]) => code === "dose" || id === "g" || id === "mm")
        .map(([id, value, unit, system]) => ({
          resourceType: "Observation",
          id: `${code}-${id}`,
          code: { coding: [{ code }] },
          valueQuantity: { value, code: unit, system },
        })),
    );
    await server.loadLive(...resources);
    const found = (query: string): Promise<string[]> => server.ids(`/Observation?_count=1000&${query}`);
    expect(await found(`code=dose&value-quantity=6|${UCUM}|mg`)).toEqual(["dose-g", "dose-mg"]);
    expect(await found(`code=dose&value-quantity=6||mg`)).toEqual(["dose-g", "dose-mg", "dose-other"]);
    expect(await found(`code=dose&value-quantity=ge5|${UCUM}|mg`)).toEqual(["dose-g", "dose-kg", "dose-mg"]);
    expect(await found(`code=dosis&value-quantity=ge5|${UCUM}|mg`)).toEqual(["dosis-g"]);
    expect(await found(`code=dosis&value-quantity=gt5|${UCUM}|mm`)).toEqual(["dosis-mm"]);
    expect(await found(`code=dosis&value-quantity=gt5|${UCUM}|s`)).toEqual([]);
    expect(await found(`code=dosis,dose&value-quantity=lt1|${UCUM}|cm`)).toEqual(["dose-mm", "dosis-mm"]);
  });
});
