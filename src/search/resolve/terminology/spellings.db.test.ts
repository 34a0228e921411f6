import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../base/json.ts";
import { openSearchServer, type SearchServer } from "../../testing/search-server.ts";

const CI = "http://t.example/ci";
const CS = "http://t.example/cs";

let server: SearchServer;
beforeAll(async () => {
  server = await openSearchServer();
  // The data is there before the code systems.
  await server.loadLive(...DATA);
});
afterAll(() => server.close());

function observation(id: string, system: string | undefined, code: string, more: JsonObject = {}): JsonObject {
  const coding = [{ ...(system !== undefined && { system }), code }];
  return { resourceType: "Observation", id, status: "final", code: { coding }, ...more };
}

function component(code: string, value: string): JsonObject {
  return { code: { coding: [{ system: CI, code }] }, valueCodeableConcept: { coding: [{ system: CI, code: value }] } };
}

const DATA: JsonObject[] = [
  observation("upper", CI, "ABC", { valueQuantity: { value: 5 } }),
  observation("mixed", CI, "AbC", { valueQuantity: { value: 7 }, subject: { reference: "Patient/p" } }),
  observation("lower", CI, "abc"),
  observation("below", CI, "Abc-D"),
  observation("cased", CS, "AbC"),
  observation("none", undefined, "AbC"),
  observation("parts", CI, "x", { component: [component("PaRt", "VaLue")] }),
  { resourceType: "Patient", id: "p", identifier: [{ system: CI, value: "AbC" }] },
  {
    resourceType: "DiagnosticReport",
    id: "r",
    status: "final",
    code: { text: "x" },
    result: [{ reference: "Observation/mixed" }],
  },
];

async function idsOf(path: string): Promise<string> {
  const [type = "", query = ""] = path.split("?");
  return (await server.ids(`/${type}?${query.replaceAll("|", "%7C")}`)).join(" ");
}

function codeSystem(id: string, url: string, caseSensitive: boolean | undefined): JsonObject {
  const concept = [{ code: "abc", concept: [{ code: "abc-d" }] }];
  const sensitive = caseSensitive === undefined ? {} : { caseSensitive };
  return { resourceType: "CodeSystem", id, status: "active", content: "complete", url, ...sensitive, concept };
}

describe("codes of systems whose CodeSystem is stored", () => {
  it("differ by case as long as it is not", async () => {
    expect(await idsOf(`Observation?code=${CI}|abc`)).toBe("lower");
    expect(await idsOf("Observation?code=AbC")).toBe("cased mixed none");
  });

  describe("and says that case does not matter", () => {
    beforeAll(async () => {
      await server.loadLive(codeSystem("ci", CI, false), codeSystem("cs", CS, true), {
        resourceType: "ValueSet",
        id: "set",
        status: "active",
        url: "http://t.example/set",
        compose: { include: [{ system: CI, concept: [{ code: "ABc" }] }] },
      });
    });

    it.each([
      [`Observation?code=${CI}|abc`, "lower mixed upper"],
      [`Observation?code=${CI}|ABC`, "lower mixed upper"],
      [`Observation?code=${CI}|aBc`, "lower mixed upper"],
      [`Observation?code=${CI}|aBcd`, ""],
      ["Observation?code=aBc", "lower mixed upper"],
      ["Observation?code=AbC", "cased lower mixed none upper"],
      ["Observation?code=|AbC", "none"],
      [`Observation?code=${CS}|AbC`, "cased"],
      [`Observation?code=${CS}|abc`, ""],
      [`Observation?code=${CS}|abc,${CI}|ABC-d`, "below"],
      [`Observation?code:not=${CI}|aBC`, "below cased none parts"],
      ["Observation?code:in=http://t.example/set", "lower mixed upper"],
      ["Observation?code:not-in=http://t.example/set", "below cased none parts"],
      [`Observation?code:below=${CI}|ABC`, "below lower mixed upper"],
      [`Observation?code:below=${CI}|ABC-D`, "below"],
      [`Observation?code:above=${CI}|abc-D`, "below lower mixed upper"],
      [`Observation?code=${CI}|aBc&value-quantity=gt4`, "mixed upper"],
      [`Observation?code-value-quantity=${CI}|aBc$5`, "upper"],
      [`Observation?component-code-value-concept=${CI}|part$value`, "parts"],
      [`Observation?combo-code=${CI}|PART`, "parts"],
      [`DiagnosticReport?result.code=${CI}|aBC`, "r"],
      [`Patient?_has:Observation:subject:code=${CI}|aBC`, "p"],
      [`Patient?identifier=${CI}|abc`, ""],
      [`Patient?identifier=${CI}|AbC`, "p"],
    ])("%s finds %s", async (path, expected) => {
      expect(await idsOf(path)).toBe(expected);
    });

    it("until it says otherwise, or is gone", async () => {
      await server.load([{ resource: codeSystem("ci", CI, true), versionId: 2 }]);
      expect(await idsOf(`Observation?code=${CI}|aBc`)).toBe("");
      await server.load([{ resource: codeSystem("ci", CI, undefined), versionId: 3 }]);
      expect(await idsOf(`Observation?code=${CI}|aBc`)).toBe("");
      await server.load([{ resource: codeSystem("ci", CI, false), versionId: 4 }]);
      expect(await idsOf(`Observation?code=${CI}|aBc`)).toBe("lower mixed upper");
      await server.load([{ resource: codeSystem("ci", CI, false), versionId: 5, deleted: true }]);
      expect(await idsOf(`Observation?code=${CI}|aBc`)).toBe("");
    });
  });
});
