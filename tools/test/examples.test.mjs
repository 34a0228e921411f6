// Every resource of HL7's package, the definitions themselves included, must pass the compiled check.
// Uses ../dist: run `node build.mjs` in the project's root first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkResource } from "../../dist/check/check-resource.js";
import { openDefinitions } from "../definitions.mjs";

/**
 * Files that the check refuses, and why that is right. Of the 5,306 resources of 4.0.1 there are two, both of HL7's own
 * terminology: table v2-0550 has a code that is nothing but a no-break space.
 */
const BLANK = String.raw`"\u00a0" is not a valid code: expected text without leading, trailing or doubled spaces.`;
const REFUSED = new Map([
  ["Bundle-v2-valuesets.json", `Bundle.entry[814].resource.concept[444].code: ${BLANK}`],
  ["CodeSystem-v2-0550.json", `CodeSystem.concept[444].code: ${BLANK}`],
]);

test("HL7's examples and definitions pass the structural check", () => {
  const definitions = openDefinitions();
  const refused = new Map();
  let count = 0;
  for (const file of definitions.files()) {
    const resource = definitions.read(file);
    const issues = [];
    checkResource(resource, issues, 1);
    count++;
    if (issues.length > 0) refused.set(file, issues[0].text);
  }
  assert.deepEqual(refused, REFUSED);
  assert.equal(count, 5306);
});

test("an example with a fault in it does not", () => {
  const resource = openDefinitions().read("Patient-example.json");
  resource.contact[0].gender = "robot";
  const issues = [];
  checkResource(resource, issues, 10);
  assert.deepEqual(
    issues.map(({ expression }) => expression),
    ["Patient.contact[0].gender"],
  );
});
