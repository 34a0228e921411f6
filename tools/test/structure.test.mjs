// The generator of structure.json refuses what it does not understand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { codesOf, conceptsOf } from "../structure/codes.mjs";
import { elementsOf } from "../structure/elements.mjs";

const CORE = "http://hl7.org/fhir/StructureDefinition/";

function typeOf(...elements) {
  return elementsOf({
    id: "T",
    type: "T",
    baseDefinition: `${CORE}Element`,
    snapshot: {
      element: [
        { path: "T", min: 0, max: "*" },
        ...elements.map((element) => ({ max: "1", base: { path: element.path, max: element.max ?? "1" }, ...element })),
      ],
    },
  });
}

function codes(compose, concept = [{ code: "a", concept: [{ code: "b" }] }]) {
  const resources = {
    ValueSet: [{ id: "v", url: "urn:v", version: "4.0.1", compose }],
    CodeSystem: [{ url: "urn:s", content: "complete", concept }],
  };
  return codesOf({ ofType: (type) => resources[type], files: () => [], read: () => ({}) }, ["urn:v|4.0.1"]);
}

test("elements, choices, arrays, inner types and content references", () => {
  const types = typeOf(
    { path: "T.a", type: [{ code: "string" }] },
    { path: "T.b[x]", type: [{ code: "string" }, { code: "Quantity" }] },
    { path: "T.c", max: "*", type: [{ code: "BackboneElement" }] },
    { path: "T.c.d", max: "*", contentReference: "#T.c" },
    { path: "T.id", base: { path: "Element.id" }, type: [{ code: "string" }] },
  );
  assert.deepEqual([...types.keys()], ["T", "T.c"]);
  assert.deepEqual(
    types.get("T").elements.map(({ name, types, many }) => [name, types.join(), many]),
    [
      ["a", "string", false],
      ["b[x]", "string,Quantity", false],
      ["c", "T.c", true],
    ],
  );
  assert.deepEqual(types.get("T.c").elements[0].types, ["T.c"]);
});

test("unknown shapes of elements are refused", () => {
  assert.throws(() => typeOf({ path: "T.a", type: [{ code: "string" }, { code: "code" }] }), /several types/);
  assert.throws(() => typeOf({ path: "T.a", type: [{ code: "http://hl7.org/fhirpath/System.String" }] }), /FHIR type/);
  assert.throws(() => typeOf({ path: "T.a", contentReference: "http://x#T.a" }), /T\.a/);
  assert.throws(() => typeOf({ path: "T.a", max: "x", type: [{ code: "string" }] }), /max x/);
  assert.throws(() => typeOf({ path: "T.a", sliceName: "s", type: [{ code: "string" }] }), /slice/);
  assert.throws(
    () => typeOf({ path: "T.a", type: [{ code: "Quantity" }] }, { path: "T.a.b", type: [{ code: "string" }] }),
    /children/,
  );
});

test("value sets: whole systems, listed concepts, and systems nobody can list", () => {
  assert.deepEqual(codes({ include: [{ system: "urn:s" }] }).sets, new Map([["v", ["a", "b"]]]));
  assert.deepEqual(codes({ include: [{ system: "urn:x", concept: [{ code: "c" }] }] }).sets, new Map([["v", ["c"]]]));
  assert.deepEqual(codes({ include: [{ system: "urn:ietf:bcp:13" }] }).notEnumerable, ["urn:v|4.0.1"]);
});

test("value sets with rules are refused", () => {
  assert.throws(() => codes({ include: [{ system: "urn:s", filter: [] }] }), /filter/);
  assert.throws(() => codes({ include: [{ valueSet: ["urn:w"] }] }), /filter/);
  assert.throws(() => codes({ include: [{ system: "urn:s" }], exclude: [] }), /exclude/);
  assert.throws(() => codes({ include: [{ system: "urn:unknown" }] }), /not in the package/);
  assert.throws(() => codes(undefined), /no compose/);
});

function concepts(include, url = "urn:v|4.0.1") {
  const resources = {
    ValueSet: [{ id: "v", url: "urn:v", version: "4.0.1", compose: { include } }],
    CodeSystem: [{ url: "urn:s", content: "complete", concept: [{ code: "a", concept: [{ code: "b" }] }] }],
  };
  return conceptsOf({ ofType: (type) => resources[type], files: () => [], read: () => ({}) }, [url]);
}

test("concepts of CodeableConcepts: codes by system, and value sets that nobody can list", () => {
  const both = [{ system: "urn:s" }, { system: "urn:x", concept: [{ code: "c" }] }];
  assert.deepEqual(concepts(both).sets, new Map([["v", { "urn:s": ["a", "b"], "urn:x": ["c"] }]]));
  assert.deepEqual(concepts([{ system: "http://unitsofmeasure.org" }]).notEnumerable, ["urn:v|4.0.1"]);
  assert.deepEqual(concepts([], "http://loinc.org/vs/LL379-9|4.0.1").notEnumerable, [
    "http://loinc.org/vs/LL379-9|4.0.1",
  ]);
  assert.throws(() => concepts([], "urn:unknown|1"), /no value set/);
});
