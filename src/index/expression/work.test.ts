import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../base/json.ts";
import { compileDefinition, readDefinition } from "./definition.ts";
import { ExpressionError } from "./parse.ts";
import { checkAllNodes, countNodes, newWork, spend } from "./work.ts";

function definition(expression: string, more: JsonObject = {}): JsonObject {
  return {
    resourceType: "SearchParameter",
    url: "http://example.org/x",
    code: "x",
    type: "token",
    base: ["Patient"],
    expression,
    ...more,
  };
}

function nodesOf(resource: JsonObject): number {
  const read = readDefinition(resource);
  return read === undefined ? 0 : countNodes(compileDefinition(read, 10_001).trees);
}

const TOO_MUCH = /SearchParameter\.expression: it selects too much: .* 50000 elements.* value\.ofType\(Quantity\)/;

describe("what a definition may make", () => {
  it.each([
    ["one element", definition("Patient.active"), 1],
    ["an element that a union names often", definition("Patient.active|".repeat(200) + "Patient.active"), 1],
    ["the values of an extension", definition("Patient.extension('http://x').value"), 11],
    [
      "extensions of all types",
      definition("DomainResource.extension('http://x').value.ofType(code)", { base: ["DomainResource"] }),
      3 * 143,
    ],
  ])("%s", (_what, resource, nodes) => {
    expect(nodesOf(resource)).toBe(nodes);
  });

  it.each([3, 4, 5, 100])("is refused where types multiply over %d steps", (steps) => {
    expect(() => nodesOf(definition(`Patient${".extension.value".repeat(steps)}`))).toThrow(TOO_MUCH);
  });

  it("is refused where unions, bases or components multiply", () => {
    const extensions = Array.from({ length: 170 }, (_, index) => `extension('${index}')`).join("|");
    expect(() => nodesOf(definition(`(${extensions}).value`, { base: ["DomainResource"] }))).toThrow(TOO_MUCH);
    const component = Array.from({ length: 2 }, () => ({
      definition: "http://hl7.org/fhir/SearchParameter/individual-gender",
      expression: "extension.value.extension.value",
    }));
    const composite = { type: "composite", base: ["DomainResource"], component };
    expect(() => nodesOf(definition("DomainResource", composite))).toThrow(/selects too much/);
  });

  it("is refused where a path is deeper than resources are", () => {
    const deep = definition(`Patient${".extension".repeat(100)}.url`, { type: "uri" });
    expect(() => nodesOf(deep)).toThrow("SearchParameter.expression: a path has at most 50 elements.");
  });

  it("is bounded before anything is made of it", () => {
    const work = newWork();
    expect(() => spend(work, 1e9, 1)).toThrow(ExpressionError);
  });

  it("is bounded for all definitions together", () => {
    expect(() => checkAllNodes(50_000)).not.toThrow();
    expect(() => checkAllNodes(50_001)).toThrow(/all stored SearchParameters together .* 50000 elements/);
  });
});
