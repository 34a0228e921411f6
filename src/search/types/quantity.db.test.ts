import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { openSearchServer, type SearchServer } from "../testing/search-server.ts";

const UCUM = "http://unitsofmeasure.org";
const TAG = [{ system: "http://e2e-test", code: "units" }];

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
});
afterAll(() => server.close());

const q = encodeURIComponent;

function observation(id: string, valueQuantity: JsonObject, rest: JsonObject = {}): JsonObject {
  return { resourceType: "Observation", id, meta: { tag: TAG }, valueQuantity, ...rest };
}

function ucum(value: number, code: string, more: JsonObject = {}): JsonObject {
  return { value, code, system: UCUM, ...more };
}

describe("quantities in other units of UCUM", () => {
  beforeAll(() =>
    server.loadLive(
      observation("mg", ucum(5.4, "mg", { unit: "milligram" }), { code: { coding: [{ code: "dose" }] } }),
      observation("g", ucum(0.0054, "g"), { code: { coding: [{ code: "dose" }] } }),
      observation("g2", ucum(0.00546, "g")),
      observation("kg", ucum(70, "kg")),
      observation("lb", ucum(154.32, "[lb_av]")),
      observation("other", { value: 5.4, code: "mg", system: "urn:x" }),
      observation("none", { value: 5.4, unit: "mg" }),
      observation("cel", ucum(37, "Cel", { unit: "degrees C" })),
      observation("f", ucum(98.6, "[degF]")),
      observation("k", ucum(310.15, "K")),
      observation("less", ucum(1, "mg", { comparator: "<" })),
      observation("ph", ucum(7.4, "[pH]")),
      // A unit's text that is the code of something else: five months.
      observation("mo", ucum(5, "mo", { unit: "m" })),
      observation("cm", ucum(500, "cm")),
      observation("sys", ucum(120, "mm[Hg]", { unit: "mmHg" }), {
        component: [{ code: { coding: [{ code: "S" }] }, valueQuantity: ucum(16, "kPa") }],
      }),
    ),
  );

  it.each([
    [`5.4|${UCUM}|mg`, "g mg"],
    [`5.4||mg`, "g mg none other"],
    [`0.0054|${UCUM}|g`, "g mg"],
    [`5400|${UCUM}|ug`, "g mg"],
    [`54e2|${UCUM}|ug`, "g mg"],
    [`5.40|${UCUM}|mg`, "g mg"],
    [`5.5|${UCUM}|mg`, "g2"],
    [`5.4|urn:x|mg`, "other"],
    [`5.4`, "mg none other"],
    [`5.4|${UCUM}`, "mg"],
    [`lt0.01|${UCUM}|g`, "g g2 less mg"],
    [`eb5.4|${UCUM}|mg`, "less"],
    [`gt69|${UCUM}|kg`, "kg lb"],
    [`gt154|${UCUM}|[lb_av]`, "kg lb"],
    [`gt154.322|${UCUM}|[lb_av]`, "kg"],
    [`gt154.324|${UCUM}|[lb_av]`, ""],
    [`ap153|${UCUM}|[lb_av]`, "kg lb"],
    [`ne70|${UCUM}|kg`, "g g2 less mg"],
    [`98.6|${UCUM}|[degF]`, "cel f k"],
    [`37|${UCUM}|Cel`, "cel f k"],
    [`gt37|${UCUM}|Cel`, ""],
    [`ge37.0|${UCUM}|Cel`, "cel f k"],
    [`310.2|${UCUM}|K`, "cel f k"],
    [`310.20|${UCUM}|K`, ""],
    [`310.15|${UCUM}|K`, "cel f k"],
    [`7.4|${UCUM}|[pH]`, "ph"],
    [`5||m`, "cm mo"],
    [`5|${UCUM}|m`, "cm"],
    [`500|${UCUM}|cm`, "cm"],
    [`5|${UCUM}|bananas`, ""],
    [`120||mmHg`, "sys"],
    [`120||mm[Hg]`, "sys"],
    [`1e500|${UCUM}|mg`, ""],
    [`lt1e1200|${UCUM}|kg`, "g g2 kg lb less mg"],
  ])("value-quantity=%s finds %s", async (value, expected) => {
    expect((await server.ids(`/Observation?value-quantity=${q(value)}&_count=50`)).join(" ")).toBe(expected);
  });

  it.each([
    ["code-value-quantity", `dose$5.4|${UCUM}|mg`, "g mg"],
    ["code-value-quantity", `dose$lt5.4||mg`, ""],
    ["component-code-value-quantity", `S$120|${UCUM}|mm[Hg]`, "sys"],
    ["component-code-value-quantity", `T$120|${UCUM}|mm[Hg]`, ""],
    ["combo-value-quantity", `160|${UCUM}|hPa`, "sys"],
  ])("%s=%s finds %s", async (name, value, expected) => {
    expect((await server.ids(`/Observation?${name}=${q(value)}`)).join(" ")).toBe(expected);
  });

  it("takes part in chains and _has", async () => {
    await server.loadLive(
      { resourceType: "Patient", id: "p1" },
      observation("of-p1", ucum(2, "m"), { subject: { reference: "Patient/p1" } }),
      {
        resourceType: "DiagnosticReport",
        id: "r1",
        result: [{ reference: "Observation/of-p1" }],
      },
    );
    expect(await server.ids(`/Patient?_has:Observation:subject:value-quantity=${q(`200|${UCUM}|cm`)}`)).toEqual(["p1"]);
    expect(await server.ids(`/DiagnosticReport?result.value-quantity=${q(`gt199|${UCUM}|cm`)}`)).toEqual(["r1"]);
  });
});

/** Value × factor + offset of the base unit, as [numerator, denominator] pairs: written down here by hand. */
const UNITS: Record<string, { kind: string; factor: [bigint, bigint]; offset?: [bigint, bigint] }> = {
  ng: { kind: "mass", factor: [1n, 10n ** 9n] },
  mg: { kind: "mass", factor: [1n, 1000n] },
  g: { kind: "mass", factor: [1n, 1n] },
  "[lb_av]": { kind: "mass", factor: [45_359_237n, 100_000n] },
  "[oz_av]": { kind: "mass", factor: [45_359_237n, 1_600_000n] },
  s: { kind: "time", factor: [1n, 1n] },
  min: { kind: "time", factor: [60n, 1n] },
  h: { kind: "time", factor: [3600n, 1n] },
  Cel: { kind: "temperature", factor: [1n, 1n], offset: [27_315n, 100n] },
  K: { kind: "temperature", factor: [1n, 1n] },
  "[degF]": { kind: "temperature", factor: [5n, 9n], offset: [229_835n, 900n] },
  "mg/dL": { kind: "density", factor: [1n, 100_000n] },
  "g/L": { kind: "density", factor: [1n, 1000n] },
};

interface Amount {
  digits: number;
  places: number;
  unit: string;
}

const amounts: fc.Arbitrary<Amount> = fc.record({
  // Few digits, so that values of one unit meet those of another.
  digits: fc.integer({ min: -999, max: 9999 }),
  places: fc.integer({ min: 0, max: 6 }),
  unit: fc.constantFrom(...Object.keys(UNITS)),
});

/** A common denominator of everything here makes whole numbers of all of it. */
const COMMON = 10n ** 24n * 144n;

function baseOf(twentieths: bigint, places: number, unit: string): bigint {
  const { factor, offset = [0n, 1n] } = UNITS[unit] ?? { factor: [1n, 1n] };
  const scaled = (COMMON * twentieths * factor[0]) / (20n * 10n ** BigInt(places) * factor[1]);
  return scaled + (COMMON * offset[0]) / offset[1];
}

function textOf({ digits, places }: Amount): string {
  const text = `${Math.abs(digits)}`.padStart(places + 1, "0");
  const cut = text.length - places;
  return `${digits < 0 ? "-" : ""}${text.slice(0, cut)}${places === 0 ? "" : `.${text.slice(cut)}`}`;
}

function isExpected(stored: Amount, prefix: string, asked: Amount): boolean {
  if (UNITS[stored.unit]?.kind !== UNITS[asked.unit]?.kind) return false;
  const value = baseOf(BigInt(stored.digits) * 20n, stored.places, stored.unit);
  const at = (twentieths: bigint): bigint => baseOf(BigInt(asked.digits) * 20n + twentieths, asked.places, asked.unit);
  const tenth = BigInt(Math.abs(asked.digits)) * 2n;
  switch (prefix) {
    case "eq":
      return value >= at(-10n) && value < at(10n);
    case "ne":
      return value < at(-10n) || value >= at(10n);
    case "ap":
      return value >= at(-10n - tenth) && value <= at(10n + tenth);
    case "lt":
    case "eb":
      return value < at(0n);
    case "le":
      return value <= at(0n);
    case "ge":
      return value >= at(0n);
    default:
      return value > at(0n);
  }
}

function id(index: number): string {
  return `c${`${index}`.padStart(4, "0")}`;
}

describe("conversion", () => {
  it("finds in any unit exactly what the arithmetic of fractions says", async () => {
    const stored = fc.sample(amounts, 250);
    await server.loadLive(
      ...stored.map((amount, index) => ({
        resourceType: "Encounter",
        id: id(index),
        length: ucum(Number(textOf(amount)), amount.unit),
      })),
    );
    const prefixes = fc.constantFrom("eq", "ne", "ap", "lt", "le", "gt", "ge", "sa", "eb");
    // Half of the questions are about a stored value, written in another unit or with other digits.
    const asked = fc.oneof(amounts, fc.constantFrom(...stored));
    await fc.assert(
      fc.asyncProperty(prefixes, asked, async (prefix, amount) => {
        const value = q(`${prefix}${textOf(amount)}|${UCUM}|${amount.unit}`);
        const expected = stored.flatMap((each, index) => (isExpected(each, prefix, amount) ? [id(index)] : []));
        expect(await server.ids(`/Encounter?length=${value}&_count=1000`)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });
});
