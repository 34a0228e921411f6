// The generator refuses what it does not understand; nothing of an expression is silently left out.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openDefinitions } from "../definitions.mjs";
import { openElements } from "./elements.mjs";
import { openSystems } from "./systems.mjs";
import { droppedDefinitions, parameterTable } from "./parameters.mjs";
import { readElements } from "../../dist/index/expression/elements.js";
import { parseExpression } from "../../dist/index/expression/parse.js";
import { selectFrom } from "../../dist/index/expression/select.js";
import { searchable } from "../../dist/index/expression/tree.js";

const definitions = openDefinitions();
const elements = openElements(definitions.ofType("StructureDefinition"));

function pathsOf(type, expression) {
  return selectFrom(elements, type, expression).map(({ steps, type: found }) => {
    const names = steps.map(({ name, where, first }) => name ?? (first ? "[0]" : `{${where.join("=")}}`));
    return `${names.join(".")}: ${found}`;
  });
}

test("expressions lead to JSON members and FHIR types", () => {
  assert.deepEqual(pathsOf("Observation", "(Observation.value as Quantity) | Patient.name"), [
    "valueQuantity: Quantity",
  ]);
  assert.deepEqual(pathsOf("Procedure", "Procedure.performed"), [
    "performedDateTime: dateTime",
    "performedPeriod: Period",
    "performedString: string",
    "performedAge: Age",
    "performedRange: Range",
  ]);
  assert.deepEqual(pathsOf("Patient", "Patient.telecom.where(system='email')"), [
    "telecom.{system=email}: ContactPoint",
  ]);
  assert.deepEqual(pathsOf("Bundle", "Bundle.entry[0].resource"), ["entry.[0].resource: Resource"]);
  assert.deepEqual(pathsOf("ConceptMap", "ConceptMap.source as uri"), ["sourceUri: uri", "sourceCanonical: canonical"]);
});

for (const expression of [
  "Patient.noSuchElement",
  "Patient.name.first()",
  "Patient.name.where(use != 'old')",
  "Patient.name[1]",
  "Patient.name.exists()",
  "Patient.active and Patient.name.exists()",
  "Patient.name + 1",
  "Patient.name.",
  "(Patient.name",
]) {
  test(`refuses ${expression}`, () => {
    assert.throws(() => selectFrom(elements, "Patient", expression));
  });
}

test("refuses elements that a parameter type gives no meaning", () => {
  assert.throws(() => searchable("token", [{ type: "Attachment" }], "here"), /here: a token parameter over elements/);
});

test("the product's tables lead to the same elements as the definitions", () => {
  const systemsOf = openSystems(definitions.ofType("ValueSet"), definitions.ofType("CodeSystem"));
  const fromDefinitions = openElements(definitions.ofType("StructureDefinition"), systemsOf);
  const fromTables = readElements();
  for (const { base, type: kind, expression } of parameterTable(definitions.ofType("SearchParameter"))) {
    if (expression === "" || kind === "special") continue;
    for (const type of base.filter((name) => !name.endsWith("Resource"))) {
      const expected = selectFrom(fromDefinitions, type, expression).map(comparable);
      assert.deepEqual(selectFrom(fromTables, type, expression).map(comparable), expected, `${type}: ${expression}`);
    }
  }
});

/** Inline elements have a type of their own in the tables. */
function comparable({ owner: _owner, type, ...selection }) {
  return { ...selection, type: /[.#]|^(BackboneElement|Element)$/.test(type) ? "inline" : type };
}

test("parses every expression of R4, and drops 24 of the 1,400 definitions", () => {
  const all = definitions.ofType("SearchParameter");
  for (const { expression } of parameterTable(all)) if (expression !== "") parseExpression(expression);
  assert.equal(parameterTable(all).length, 1376);
  assert.equal(droppedDefinitions(all).length, 24);
});
