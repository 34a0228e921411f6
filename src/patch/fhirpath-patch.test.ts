import { assert, asyncProperty, constantFrom, integer } from "fast-check";
import { describe, expect, it } from "vitest";
import { readFhirPathPatch } from "./fhirpath-operations.ts";
import { applyFhirPathPatch } from "./fhirpath-patch.ts";
import { type Operation, apply, errorOf, patient, identified, move, identifier } from "./testing/fhirpath-patches.ts";

const observation = (value: object): object => ({
  resourceType: "Observation",
  status: "final",
  ...value,
  issued: "x",
});

describe("FHIRPath Patch", () => {
  it.each<[string, object, Operation[], object]>([
    [
      "a choice, to a value of another type, in its place",
      observation({ valueQuantity: { value: 1 } }),
      [{ type: "replace", path: "Observation.value", value: { valueString: "x" } }],
      observation({ valueString: "x" }),
    ],
    [
      "a choice that is added",
      patient(),
      [{ type: "add", path: "Patient", name: "deceased", value: { valueBoolean: false } }],
      patient({ deceasedBoolean: false }),
    ],
    [
      "a choice by its name in JSON",
      patient(),
      [{ type: "add", path: "Patient", name: "multipleBirthInteger", value: { valueInteger: 2 } }],
      patient({ multipleBirthInteger: 2 }),
    ],
    [
      "a choice that is deleted",
      patient({ deceasedBoolean: true }),
      [{ type: "delete", path: "Patient.deceased" }],
      patient(),
    ],
    [
      "delete of nothing",
      patient({ active: true }),
      [{ type: "delete", path: "Patient.birthDate" }],
      patient({ active: true }),
    ],
    [
      "insert where there is no list yet",
      patient(),
      [{ type: "insert", path: "Patient.identifier", index: 0, value: identifier(1) }],
      identified(1),
    ],
    [
      "a path without the type",
      patient({ active: true }),
      [{ type: "replace", path: "active", value: { valueBoolean: false } }],
      patient({ active: false }),
    ],
    [
      "an element found by its content",
      identified(1, 2),
      [{ type: "delete", path: "Patient.identifier.where(system = 's' and value = '1')" }],
      identified(2),
    ],
    [
      "an item with extensions: both arrays",
      patient({ name: [{ given: ["A", "B", "C"], _given: [null, { id: "b" }, null] }] }),
      [
        { type: "delete", path: "Patient.name[0].given[0]" },
        { type: "insert", path: "Patient.name[0].given", index: 0, value: { valueString: "D" } },
        { type: "move", path: "Patient.name[0].given", source: 1, destination: 2 },
      ],
      patient({ name: [{ given: ["D", "C", "B"], _given: [null, null, { id: "b" }] }] }),
    ],
    [
      "the only item with an extension",
      patient({ name: [{ given: ["A", "B"], _given: [null, { id: "b" }] }] }),
      [{ type: "delete", path: "Patient.name.given[1]" }],
      patient({ name: [{ given: ["A"] }] }),
    ],
    [
      "a value with an extension",
      patient({ name: [{ given: ["A"] }] }),
      [{ type: "add", path: "Patient.name[0]", name: "given", value: { _valueString: { id: "x" } } }],
      patient({ name: [{ given: ["A", null], _given: [null, { id: "x" }] }] }),
    ],
    [
      "an extension of a primitive that had none",
      patient({ birthDate: "1990" }),
      [
        {
          type: "add",
          path: "Patient.birthDate",
          name: "extension",
          value: {
            part: [
              { name: "url", valueUri: "u" },
              { name: "value", valueDecimal: 1 },
            ],
          },
        },
      ],
      patient({ birthDate: "1990", _birthDate: { extension: [{ url: "u", valueDecimal: 1 }] } }),
    ],
    [
      "an extension of an item",
      patient({ name: [{ given: ["A", "B"] }] }),
      [
        {
          type: "add",
          path: "Patient.name[0].given[1]",
          name: "extension",
          value: {
            part: [
              { name: "url", valueUri: "u" },
              { name: "value", valueCode: "c" },
            ],
          },
        },
      ],
      patient({ name: [{ given: ["A", "B"], _given: [null, { extension: [{ url: "u", valueCode: "c" }] }] }] }),
    ],
    [
      "the last extension of a primitive",
      patient({ birthDate: "1990", _birthDate: { extension: [{ url: "u", valueDate: "1990" }] } }),
      [{ type: "delete", path: "Patient.birthDate.extension('u')" }],
      patient({ birthDate: "1990" }),
    ],
    [
      "a value in an extension",
      patient({ extension: [{ url: "u", valueString: "a" }] }),
      [{ type: "replace", path: "Patient.extension('u').value", value: { valueCode: "b" } }],
      patient({ extension: [{ url: "u", valueCode: "b" }] }),
    ],
    [
      "the last of an item that has nothing else",
      patient({ active: true, name: [{ _given: [{ id: "a" }] }] }),
      [{ type: "delete", path: "Patient.name.given.id" }],
      patient({ active: true }),
    ],
    [
      "parts that repeat, and parts of parts",
      { resourceType: "Questionnaire" },
      [
        {
          type: "add",
          path: "Questionnaire",
          name: "item",
          value: {
            part: [
              { name: "linkId", valueString: "1" },
              { name: "item", part: [{ name: "linkId", valueString: "1.1" }] },
              { name: "item", part: [{ name: "linkId", valueString: "1.2" }] },
            ],
          },
        },
      ],
      { resourceType: "Questionnaire", item: [{ linkId: "1", item: [{ linkId: "1.1" }, { linkId: "1.2" }] }] },
    ],
    [
      "contained resources",
      patient({ contained: [{ resourceType: "Organization", id: "o", name: "x" }] }),
      [
        { type: "replace", path: "Patient.contained.where(id = 'o').name", value: { valueString: "y" } },
        { type: "add", path: "Patient", name: "contained", value: { resource: { resourceType: "Basic", id: "b" } } },
      ],
      patient({
        contained: [
          { resourceType: "Organization", id: "o", name: "y" },
          { resourceType: "Basic", id: "b" },
        ],
      }),
    ],
  ])("%s", async (_name, before, operations, after) => {
    expect(await apply(before, ...operations)).toBe(JSON.stringify(after));
  });

  it.each<[string, object, Operation, string]>([
    ["several", identified(1, 2), { type: "delete", path: "Patient.identifier" }, "2 elements"],
    [
      "replace of nothing",
      patient(),
      { type: "replace", path: "Patient.active", value: { valueBoolean: true } },
      "no element",
    ],
    [
      "add of what is there",
      patient({ active: true }),
      { type: "add", path: "Patient", name: "active", value: { valueBoolean: false } },
      "'active' already",
    ],
    [
      "a second of a choice",
      patient({ deceasedBoolean: true }),
      { type: "add", path: "Patient", name: "deceased", value: { valueDateTime: "2020" } },
      "'deceasedBoolean' already",
    ],
    [
      "an unknown element",
      patient(),
      { type: "add", path: "Patient", name: "foo", value: { valueString: "x" } },
      "Patient has no element 'foo'",
    ],
    [
      "a wrong complex type",
      patient(),
      { type: "add", path: "Patient", name: "name", value: { valueCodeableConcept: { text: "x" } } },
      "is a HumanName",
    ],
    [
      "a primitive for a complex type",
      patient(),
      { type: "add", path: "Patient", name: "name", value: { valueString: "x" } },
      "is a HumanName",
    ],
    [
      "a type that the choice does not have",
      patient(),
      { type: "add", path: "Patient", name: "deceased", value: { valueString: "x" } },
      "does not allow such a value",
    ],
    [
      "insert behind the end",
      identified(1),
      { type: "insert", path: "Patient.identifier", index: 2, value: identifier(2) },
      "only 1 items",
    ],
    [
      "insert into what is no list",
      patient({ active: true }),
      { type: "insert", path: "Patient.active", index: 0, value: { valueBoolean: true } },
      "a single list",
    ],
    [
      "insert into two lists",
      patient({ name: [{ given: ["a"] }, { given: ["b"] }] }),
      { type: "insert", path: "Patient.name.given", index: 0, value: { valueString: "x" } },
      "a single list",
    ],
    [
      "insert into a part of a list",
      identified(1, 2),
      { type: "insert", path: "Patient.identifier[1]", index: 0, value: identifier(3) },
      "whole list",
    ],
    ["move from behind the end", identified(1, 2), move(2, 0), "only 2 items"],
    ["move to behind the end", identified(1, 2), move(0, 2), "only 2 items"],
    ["move in nothing", patient(), move(0, 0), "no list"],
    ["the resource", patient(), { type: "delete", path: "Patient" }, "only be deleted by DELETE"],
    [
      "a value",
      patient({ active: true }),
      { type: "delete", path: "Patient.active.not()" },
      "not an element of the resource",
    ],
    ["a literal", patient(), { type: "delete", path: "'x'" }, "not an element of the resource"],
    ["no FHIRPath", patient(), { type: "delete", path: "Patient.name.(" }, "invalid FHIRPath"],
    [
      "a function that leaves the resource",
      patient(),
      { type: "delete", path: "Patient.generalPractitioner.resolve()" },
      "may not have the function resolve",
    ],
    [
      "a regular expression",
      patient(),
      { type: "delete", path: "Patient.name.where(family.matches('(a+)+$'))" },
      "the function matches",
    ],
    ["everything", patient(), { type: "delete", path: "Patient.descendants()" }, "the function descendants"],
    ["a variable", patient(), { type: "delete", path: "%resource.name" }, "variables"],
    ["a prototype", patient(), { type: "delete", path: "Patient.constructor" }, "may not have such a name"],
    ["too long a path", patient(), { type: "delete", path: `Patient${".name".repeat(300)}` }, "longer than"],
  ])("%s: 422", async (_name, before, operation, text) => {
    const error = await errorOf(() => apply(before, operation));
    expect(error.message).toContain(text);
    expect([error.status, error.expression]).toEqual([422, "Parameters.parameter[0]"]);
  });

  it.each<[string, object]>([
    ["another name", { name: "op", part: [] }],
    ["no type", { name: "operation", part: [{ name: "path", valueString: "Patient" }] }],
    [
      "an unknown type",
      {
        name: "operation",
        part: [
          { name: "type", valueCode: "upsert" },
          { name: "path", valueString: "Patient" },
        ],
      },
    ],
    ["no path", { name: "operation", part: [{ name: "type", valueCode: "delete" }] }],
    [
      "no value",
      {
        name: "operation",
        part: [
          { name: "type", valueCode: "replace" },
          { name: "path", valueString: "Patient.active" },
        ],
      },
    ],
    ["an unknown part", { name: "operation", part: [{ name: "kind", valueCode: "delete" }] }],
    [
      "a part twice",
      {
        name: "operation",
        part: [
          { name: "type", valueCode: "delete" },
          { name: "type", valueCode: "delete" },
        ],
      },
    ],
    [
      "a negative index",
      {
        name: "operation",
        part: [
          { name: "type", valueCode: "insert" },
          { name: "path", valueString: "Patient.name" },
          { name: "index", valueInteger: -1 },
        ],
      },
    ],
  ])("%s: 400", async (_name, parameter) => {
    const bytes = Buffer.from(JSON.stringify({ resourceType: "Parameters", parameter: [parameter] }));
    const error = await errorOf(() => readFhirPathPatch(bytes));
    expect([error.status, error.expression]).toEqual([400, "Parameters.parameter[0]"]);
    expect(error.message).toContain("Operation 1: ");
  });

  it("keeps bytes and digits, of the resource and of the patch", async () => {
    const before =
      '{ "resourceType" : "Observation",\n "component": [ {"valueQuantity":{"value":1.10}} ],\n "status":"final" }';
    const patch = `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[
      {"name":"type","valueCode":"add"},{"name":"path","valueString":"Observation"},{"name":"name","valueString":"component"},
      {"name":"value","part":[{"name":"value","valueQuantity":{"value":7.000}}]}]}]}`;
    expect((await applyFhirPathPatch(Buffer.from(before), readFhirPathPatch(Buffer.from(patch)))).toString()).toBe(
      '{ "resourceType" : "Observation",\n "component": [ {"valueQuantity":{"value":1.10}}, {"valueQuantity":{"value":7.000}}],\n "status":"final" }'.replace(
        "7.000}}]",
        "7.000}} ]",
      ),
    );
  });

  it("moves as arrays do", async () => {
    await assert(
      asyncProperty(
        integer({ min: 1, max: 6 }),
        integer({ min: 0, max: 5 }),
        integer({ min: 0, max: 5 }),
        constantFrom(" ", ""),
        async (length, from, to, space) => {
          const values = Array.from({ length }, (_, index) => index);
          const [source, destination] = [from % length, to % length];
          const after = [...values];
          after.splice(destination, 0, ...after.splice(source, 1));
          const before = JSON.stringify(identified(...values), undefined, space);
          expect(JSON.parse(await apply(before, move(source, destination)))).toEqual(identified(...after));
        },
      ),
    );
  });
});
