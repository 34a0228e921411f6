// The oracle: for every resource of HL7's package, for a synthetic resource with values in every element, and for every
// search parameter of their types, the values that src/index finds are those that an independent FHIRPath engine (fhirpath.js with its R4 model) and a second conversion find.
// Uses ../dist: run `node build.mjs` in the project's root first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HASH_KEY_BYTES, installHashKey, toBigInt } from "../../dist/base/hash.js";
import { RESOURCE_TYPES, resourceTypeId } from "../../dist/fhir/resource-types.js";
import { searchParametersOf } from "../../dist/fhir/search-parameters.js";
import { createIndexer } from "../../dist/index/indexer.js";
import { openDefinitions } from "../definitions.mjs";
import { openExpectation } from "./expected-resource.mjs";
import { openPaths } from "./paths.mjs";
import { openSynthetic } from "./synthetic.mjs";

/** Enough for every type of every choice, and every form of a reference, to come up. */
const VARIANTS = 48;

/** Answered from columns (the first two), or from no element at all. */
const WITHOUT_VALUES = new Set(["_id", "_lastUpdated", "_text", "_content", "_query", "_filter"]);

function text(high, low) {
  return String(toBigInt({ high, low }));
}

/** Everything a sink was told, as text. */
function recordingSink() {
  const equality = new Set();
  const rows = new Set();
  const repeated = [];
  let qualifier = "0";
  return {
    equality: (high, low) => {
      const key = text(high, low);
      if (equality.has(key)) repeated.push(key);
      equality.add(key);
    },
    date: (parameter, range) =>
      rows.add(
        `date ${parameter} ${qualifier} ${text(range.lowHigh, range.lowLow)} ${text(range.highHigh, range.highLow)}`,
      ),
    quantity: (parameter, low, high, system, code) =>
      rows.add(`quantity ${parameter} ${qualifier} ${low} ${high} ${toBigInt(system)} ${toBigInt(code)}`),
    string: (parameter, value, folded) => rows.add(`string ${parameter} ${qualifier} ${value} | ${folded}`),
    term: (parameter, high, low, folded) => rows.add(`term ${parameter} ${text(high, low)} ${folded}`),
    qualify: (high, low) => {
      qualifier = text(high, low);
    },
    found: () => ({ equality, rows, repeated, qualifier }),
  };
}

installHashKey(new Uint8Array(HASH_KEY_BYTES));
const definitions = openDefinitions();
const expectedOf = openExpectation(openPaths(definitions));
const indexer = createIndexer();

/** Compares one resource; `note` is told of every difference. Returns the number of values. */
function compare(resource, typeId, used, note) {
  const sink = recordingSink();
  indexer.index(typeId, resource, sink);
  const actual = sink.found();
  const expected = expectedOf(resource);
  for (const name of expected.used) used.add(name);
  for (const what of expected.broken) note(what);
  for (const [key, why] of expected.equality) if (!actual.equality.has(key)) note(`lacks ${why}`);
  for (const key of actual.equality) if (!expected.equality.has(key)) note(`has an equality number too many: ${key}`);
  for (const row of expected.rows) if (!actual.rows.has(row)) note(`lacks ${row}`);
  for (const row of actual.rows) if (!expected.rows.has(row)) note(`has too many: ${row}`);
  for (const key of actual.repeated) note(`repeats the equality number ${key}`);
  if (actual.qualifier !== "0") note("leaves a qualifier behind");
  return expected.equality.size + expected.rows.size;
}

test("the search values of HL7's examples are those that fhirpath.js finds", () => {
  const used = new Set();
  const wrong = [];
  let resources = 0;
  let values = 0;
  for (const file of definitions.files()) {
    const resource = definitions.read(file);
    const typeId = resourceTypeId(resource.resourceType);
    if (typeId === undefined) continue;
    resources++;
    values += compare(resource, typeId, used, (what) => wrong.push(`${file}: ${what}`));
  }
  console.log(`${resources} resources, ${values} values, ${used.size} parameters of a type with values`);
  assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} differences`);
  assert.ok(resources > 5000);
});

test("every search parameter of every type finds what fhirpath.js finds", () => {
  const synthetic = openSynthetic(definitions);
  const used = new Set();
  const wrong = [];
  let values = 0;
  assert.deepEqual(synthetic.types, RESOURCE_TYPES);
  for (const type of synthetic.types) {
    for (let variant = 0; variant < VARIANTS; variant++) {
      const resource = synthetic.make(type, variant);
      const note = (what) => wrong.push(`${type} ${variant}: ${what}`);
      values += compare(resource, resourceTypeId(type), used, note);
    }
  }
  console.log(`${values} values, ${used.size} parameters of a type with values`);
  assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} differences`);
  const untried = synthetic.types.flatMap((type) =>
    searchParametersOf(type)
      .filter(({ code, type }) => type !== "special" && !WITHOUT_VALUES.has(code))
      .map(({ code }) => `${type}.${code}`)
      .filter((name) => !used.has(name) && !used.has(`${name} (root)`)),
  );
  assert.deepEqual(untried, []);
});
