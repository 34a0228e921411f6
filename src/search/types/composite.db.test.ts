import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { openSearchServer, type SearchServer } from "../testing/search-server.ts";

const U = "http://unitsofmeasure.org";
const L = "http://lab.example/c";
const A = "http://alt.example/c";
const N = "http://ans.example";
const M = "http://ans2.example";
const R = "http://hl7.org/fhir/document-relationship-type";
const LONG = `Heather ${"moss and stone ".repeat(25)}`;

const TAG = [{ system: "http://e2e-test", code: "109" }];

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  const observation = (id: string, rest: JsonObject): JsonObject => ({
    resourceType: "Observation",
    id,
    meta: { tag: TAG },
    ...rest,
  });
  const document = (id: string, ...relatesTo: JsonObject[]): JsonObject => ({
    resourceType: "DocumentReference",
    id,
    meta: { tag: TAG },
    relatesTo,
  });
  await server.loadLive(
    observation("o0", {
      code: concept([L, "S1"], [A, "A1"]),
      valueQuantity: { value: 0, system: U, code: "{score}" },
      component: [
        { code: concept([A, "COL"]), valueCodeableConcept: concept([N, "n0"], [M, "0"]) },
        { code: concept([A, "RESP"]), valueCodeableConcept: concept([N, "n9"]) },
      ],
    }),
    observation("o1", {
      code: concept([A, "A20"]),
      valueQuantity: { value: 10, system: U, code: "{score}" },
      component: [
        { code: concept([A, "COL"]), valueCodeableConcept: concept([N, "n2"], [M, "2"]) },
        { code: concept([A, "RESP"]), valueCodeableConcept: concept([N, "n8"]) },
      ],
    }),
    observation("o2", {
      code: concept([L, "T1"], [L, "T2"], [A, "T3"]),
      valueQuantity: { value: 39, system: U, code: "Cel" },
    }),
    observation("o3", {
      code: concept([L, "PANEL"]),
      component: [
        { code: concept([L, "SYS"]), valueQuantity: { value: 107 } },
        { code: concept([L, "DIA"]), valueQuantity: { value: 60 } },
      ],
    }),
    observation("o4", { code: concept([A, "EYE"]), valueString: "blue" }),
    observation("o5", { code: concept([A, "EYE"]), valueString: LONG }),
    observation("o6", { code: concept([A, "OTHER"]), valueString: "blue" }),
    observation("o7", { code: concept([A, "OTHER"]), valueCodeableConcept: concept([N, "n2"]) }),
    observation("o8", { code: concept([A, "BORN"]), valueDateTime: "2012-03-14" }),
    document("d0", { code: "appends", target: { reference: "DocumentReference/t-app" } }),
    document(
      "d1",
      { code: "transforms", target: { reference: "DocumentReference/t-tr" } },
      { code: "replaces", target: { reference: "DocumentReference/t-rep" } },
    ),
    document("d2", { code: "transforms", target: { reference: "DocumentReference/t-tr" } }),
    {
      resourceType: "MolecularSequence",
      id: "m0",
      meta: { tag: TAG },
      referenceSeq: { chromosome: concept(["urn:chromosome", "4"]) },
      variant: [{ start: 10, end: 20 }],
    },
  );
});
afterAll(() => server.close());

function concept(...codings: [string, string][]): JsonObject {
  return { coding: codings.map(([system, code]) => ({ system, code })) };
}

async function found(type: string, name: string, value: string): Promise<string> {
  return (await server.ids(`/${type}?${name}=${encodeURIComponent(value)}&_tag=109`)).join(",");
}

describe("10.9 code-value-quantity", () => {
  it.each([
    [`${A}|A20$10|${U}|{score}`, "o1"],
    [`A20$10|${U}|{score}`, "o1"],
    [`${A}|A20$10`, "o1"],
    [`${A}|A20$10||{score}`, "o1"],
    [`${A}|A20$eq10|${U}|{score}`, "o1"],
    [`${A}|A20$ne10|${U}|{score}`, ""],
    [`${A}|A20$lt10|${U}|{score}`, ""],
    [`${A}|A20$gt10|${U}|{score}`, ""],
    [`${A}|A20$le10|${U}|{score}`, "o1"],
    [`${A}|A20$ge10|${U}|{score}`, "o1"],
    [`${L}|T1$39|${U}|Cel`, "o2"],
    [`${L}|T2$39|${U}|Cel`, "o2"],
    [`${A}|T3$39|${U}|Cel`, "o2"],
    [`http://unknown.example|T1$39|${U}|Cel`, ""],
    [`${L}|T1$39|http://unknown.example|Cel`, ""],
    [`${L}|T1$39|${U}|degF`, ""],
    [`${L}|T1$39|${U}|Cel,${A}|A20$10|${U}|{score}`, "o1,o2"],
    [`${L}|T1$gt36.6|${U}|Cel,${L}|S1$0|${U}|{score}`, "o0,o2"],
  ])("%s finds %s", async (value, expected) => {
    expect(await found("Observation", "code-value-quantity", value)).toBe(expected);
  });
});

describe("10.9 combo-code-value-quantity", () => {
  it.each([
    [`${L}|S1$0|${U}|{score}`, "o0"],
    [`${A}|A1$0|${U}|{score}`, "o0"],
    ["PANEL$107", ""],
    ["SYS$107", "o3"],
    ["SYS$60", ""],
    ["SYS$ge100,DIA$lt50", "o3"],
  ])("%s finds %s", async (value, expected) => {
    expect(await found("Observation", "combo-code-value-quantity", value)).toBe(expected);
  });
});

describe("10.9 code-value-string", () => {
  it.each([
    [`${A}|EYE$blue`, "o4"],
    ["EYE$blue", "o4"],
    ["EYE$Heather", "o5"],
    [`EYE$${LONG}`, "o5"],
    [`EYE$${LONG}Not`, ""],
    [`${A}|EYE$red`, ""],
    ["EYE$Heather,EYE$blue", "o4,o5"],
  ])("%s finds %s", async (value, expected) => {
    expect(await found("Observation", "code-value-string", value)).toBe(expected);
  });
  it("A|$blue: any code of the system", async () => {
    expect(await found("Observation", "code-value-string", `${A}|$blue`)).toBe("o4,o6");
  });
});

describe("10.9 relationship", () => {
  it.each([
    [`DocumentReference/t-app$${R}|appends`, "d0"],
    ["DocumentReference/t-app$appends", "d0"],
    ["t-app$appends", "d0"],
    ["DocumentReference/t-app$replaces", ""],
    ["DocumentReference/t-rep$replaces", "d1"],
    ["DocumentReference/t-tr$replaces", ""],
    ["DocumentReference/t-app$appends,DocumentReference/t-tr$transforms", "d0,d1,d2"],
  ])("%s finds %s", async (value, expected) => {
    expect(await found("DocumentReference", "relationship", value)).toBe(expected);
  });
});

describe("10.9 combo-code-value-concept", () => {
  it.each([
    [`${A}|A20$${N}|n2`, ""],
    [`A20$${N}|n2`, ""],
    [`${A}|A20$n2`, ""],
    ["A20$n2", ""],
    [`|A20$${N}|n2`, ""],
    [`${A}|A20$|n2`, ""],
    [`${A}|A20$${A}|A20`, ""],
    [`${A}|A20$${A}|COL`, ""],
    [`${A}|A20$${M}|2`, ""],
    [`${A}|COL$${N}|n2`, "o1"],
    [`${A}|COL$${M}|2`, "o1"],
    ["COL$n2", "o1"],
    [`${N}|n2$${M}|2`, ""],
    [`A1$${N}|n9`, ""],
    [`${A}|COL$${N}|n0`, "o0"],
    [`${A}|COL$${N}|n9`, ""],
    [`${A}|COL$${N}|n0,${A}|COL$${N}|n2`, "o0,o1"],
    [`${A}|OTHER$${N}|n2`, "o7"],
  ])("%s finds %s", async (value, expected) => {
    expect(await found("Observation", "combo-code-value-concept", value)).toBe(expected);
  });
});

describe("other composites", () => {
  it.each([
    ["Observation", "code-value-date", "BORN$2012-03", "o8"],
    ["Observation", "code-value-date", "BORN$gt2012-03-14", ""],
    ["Observation", "combo-code-value-concept:missing", "false", "o0,o1,o7"],
    ["Observation", "component-code-value-quantity:missing", "false", "o3"],
    ["MolecularSequence", "chromosome-variant-coordinate", "4$10$20", "m0"],
    ["MolecularSequence", "chromosome-variant-coordinate", "4$ge10$lt20", ""],
    ["MolecularSequence", "chromosome-variant-coordinate", "4$lt11$gt19", "m0"],
  ])("%s?%s=%s finds %s", async (type, name, value, expected) => {
    expect(await found(type, name, value)).toBe(expected);
  });
});
