// Which parameters of R4 are derived from others, and that nothing else is.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { checkDerived, derivedParameters } from "./derived.mjs";

const parameters = JSON.parse(readFileSync(new URL("../../generated/search-parameters.json", import.meta.url), "utf8"));

function derivedOf(type, code) {
  const found = parameters.find((parameter) => parameter.code === code && parameter.base.includes(type));
  const rule = found.derived?.[type];
  const codeOf = (id) => parameters[id - 1].code;
  if (rule === undefined) return undefined;
  return rule.union === undefined ? `${codeOf(rule.of)} ${rule.targetType}` : rule.union.map(codeOf).toSorted().join();
}

for (const [type, code, expected] of [
  ["Observation", "combo-code", "code,component-code"],
  ["Observation", "combo-value-quantity", "component-value-quantity,value-quantity"],
  ["Observation", "patient", "subject Patient"],
  ["AppointmentResponse", "location", "actor Location"],
  ["Person", "phonetic", "name"],
  ["Coverage", "patient", "beneficiary"],
  // The same element, but other types of resources in it.
  ["Bundle", "message", undefined],
  // Of an element that repeats, the stored type does not tell which one of several references has it.
  ["Encounter", "practitioner", undefined],
  ["Person", "patient", undefined],
  ["AuditEvent", "patient", undefined],
  ["AllergyIntolerance", "patient", undefined],
  ["Patient", "email", undefined],
  ["Patient", "address-city", undefined],
]) {
  test(`${type}.${code} is derived from ${expected ?? "nothing"}`, () => assert.equal(derivedOf(type, code), expected));
}

const element = (name, more = {}) => ({ steps: [{ name }], type: "Reference", targets: [], ...more });
const reference = (id, ...selections) => ({ parameter: { id, type: "reference", target: [] }, selections });

test("takes apart unions of unions down to what is stored", () => {
  const rows = [reference(3, element("a"), element("b"), element("c")), reference(2, element("a"), element("b"))];
  const singles = [reference(7, element("a")), reference(5, element("b")), reference(6, element("c"))];
  const expected = [
    [2, { union: [5, 7] }],
    [3, { union: [5, 6, 7] }],
  ];
  assert.deepEqual([...derivedParameters([...rows, ...singles])], expected);
  assert.deepEqual([...derivedParameters([...rows, ...singles.slice(0, 2)])], [[2, { union: [5, 7] }]]);
});

test("derives nothing where the base guesses the type of a bare id", () => {
  const patient = reference(1, element("a", { refersTo: "Patient", targets: ["Patient"] }));
  assert.equal(derivedParameters([patient, reference(2, element("a", { targets: ["Patient"] }))]).size, 0);
  assert.equal(derivedParameters([patient, reference(2, element("a", { targets: ["Patient", "Group"] }))]).size, 1);
});

test("refuses what a search over several types would mistake", () => {
  const stored = { id: 1, url: "stored", base: ["A", "B"] };
  const ofA = { id: 2, url: "derived", base: ["A", "B"], derived: { A: { union: [1] } } };
  assert.throws(() => checkDerived([stored, ofA]), /means something else in B/);
  checkDerived([stored, { ...ofA, derived: { A: { union: [1] }, B: { union: [1] } } }]);
  checkDerived([{ ...stored, base: ["A"] }, ofA]);
});
