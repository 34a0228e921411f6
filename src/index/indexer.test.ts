import { assert, constantFrom, dictionary, jsonValue, oneof, property, type Arbitrary } from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject, JsonValue } from "../base/json.ts";
import { RESOURCE_TYPES, resourceTypeId } from "../fhir/resource-types.ts";
import { compileExtractor } from "./compile.ts";
import { readExtractionTrees, type TreeNode } from "../fhir/extraction-tree.ts";
import { createIndexer } from "./indexer.ts";
import { record } from "./testing/recorder.ts";
import { createCacheBudget } from "./value-cache.ts";
import { NOWHERE } from "./value-collector.ts";

describe("createIndexer", () => {
  it("has a tree for every resource type, and compiles each", () => {
    const indexer = createIndexer();
    expect(Object.keys(readExtractionTrees())).toEqual(RESOURCE_TYPES);
    for (const type of RESOURCE_TYPES) indexer.index(resourceTypeId(type) ?? 0, { resourceType: type }, NOWHERE);
  });

  it("stores nothing for _id and _lastUpdated, which are columns", () => {
    const meta = { versionId: "1", lastUpdated: "2012-01-01T00:00:00Z" };
    expect(record({ resourceType: "Basic", id: "b", meta })).toEqual({ equality: [], rows: [] });
  });

  it("never throws and never repeats a number, whatever the JSON", () => {
    const names = namesOf(readExtractionTrees()["Observation"] ?? []);
    const content: Arbitrary<JsonValue> = oneof(
      jsonValue() as Arbitrary<JsonValue>,
      dictionary(constantFrom(...names), jsonValue() as Arbitrary<JsonValue>) as Arbitrary<JsonObject>,
    );
    const observation = dictionary(constantFrom(...names), oneof(content, dictionary(constantFrom(...names), content)));
    assert(
      property(observation as Arbitrary<JsonObject>, (members) => {
        const { equality } = record({ ...members, resourceType: "Observation" });
        expect(new Set(equality).size).toBe(equality.length);
      }),
    );
  });

  it("keeps resources apart", () => {
    const indexer = createIndexer();
    const typeId = resourceTypeId("Observation") ?? 0;
    const seen: number[] = [];
    const resource = { resourceType: "Observation", status: "final", code: { coding: [{ system: "s", code: "c" }] } };
    for (let run = 0; run < 3; run++) {
      let count = 0;
      indexer.index(typeId, resource, { ...NOWHERE, equality: () => void count++ });
      seen.push(count);
    }
    expect(seen[0]).toBeGreaterThan(0);
    expect(new Set(seen).size).toBe(1);
  });
});

describe("compileExtractor", () => {
  const options = { budget: createCacheBudget() };

  it.each<[string, TreeNode]>([
    ["a name that is no element", { name: "a']; process.exit(); //", nodes: [] }],
    [
      "a type that is not searched",
      { name: "x", type: "Attachment", values: [{ as: "token", parameters: [{ id: 1 }] }] },
    ],
    ["a composite of one component", { name: "x", composites: [{ id: 1, parts: [{ type: "token", nodes: [] }] }] }],
  ])("refuses %s", (_, node) => {
    expect(() => compileExtractor([node], options)).toThrow(TypeError);
  });
});

function namesOf(nodes: readonly TreeNode[]): string[] {
  const own = nodes.flatMap((node) => [...(node.name === undefined ? [] : [node.name]), ...namesOf(node.nodes ?? [])]);
  return [...new Set([...own, "coding", "system", "code", "display", "reference", "value", "start", "data", "origin"])];
}
