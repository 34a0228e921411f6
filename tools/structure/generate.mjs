// HL7's StructureDefinitions, ValueSets and CodeSystems in; generated/resource-types.json and structure.json out.
// Refuses (throws) what it does not understand, so that nothing is left out in silence.
import { codesOf, conceptsOf } from "./codes.mjs";
import { elementsOf } from "./elements.mjs";

/** @typedef {import("../definitions.mjs").Definitions} Definitions */

/** Logical models among the definitions: no instance of them exists. */
const LOGICAL = new Set(["Definition", "Event", "FiveWs", "Request", "MetadataResource"]);

/** @param {Definitions} definitions @returns {Map<string, string>} file name → text */
export function generate(definitions) {
  const primitives = [];
  const resources = [];
  /** @type {Map<string, import("./elements.mjs").Type>} */
  const types = new Map();
  for (const definition of definitions.ofType("StructureDefinition")) {
    if (definition.derivation === "constraint") continue; // profiles and extensions add no elements
    if (definition.kind === "logical") {
      if (!LOGICAL.has(definition.id)) throw new Error(`unknown logical model ${definition.id}`);
      continue;
    }
    if (definition.fhirVersion !== "4.0.1") throw new Error(`${definition.id}: FHIR version ${definition.fhirVersion}`);
    if (definition.kind === "primitive-type") {
      primitives.push(definition.id);
    } else if (definition.kind === "complex-type" || definition.kind === "resource") {
      if (definition.kind === "resource" && !definition.abstract) resources.push(definition.id);
      for (const [name, type] of elementsOf(definition)) types.set(name, type);
    } else {
      throw new Error(`${definition.id}: kind ${definition.kind}`);
    }
  }
  checkReferences(types, new Set(primitives));

  const codes = codesOf(definitions, boundTo(types, "code"));
  const concepts = conceptsOf(definitions, boundTo(types, "CodeableConcept"));
  for (const url of [...codes.notEnumerable, ...concepts.notEnumerable]) {
    console.log(`no code check (cannot be enumerated): ${url}`);
  }
  const nameOf = (element) => (element.types[0] === "code" ? codes : concepts).nameOf(element.valueSet);

  const structure = [
    "{",
    `"fhirVersion":"4.0.1",`,
    `"primitives":${JSON.stringify(primitives.toSorted(byText))},`,
    `"codes":{`,
    lines(codes.sets),
    "},",
    `"concepts":{`,
    lines(concepts.sets),
    "},",
    `"types":{`,
    lines(new Map([...types].map(([name, type]) => [name, { base: type.base, elements: written(type, nameOf) }]))),
    "}",
    "}",
    "",
  ];
  return new Map([
    [
      "resource-types.json",
      `[\n${resources
        .toSorted(byText)
        .map((type) => JSON.stringify(type))
        .join(",\n")}\n]\n`,
    ],
    ["structure.json", structure.join("\n")],
  ]);
}

/** The value sets that elements of `type` are bound to. */
function boundTo(types, bound) {
  const urls = [...types.values()].flatMap(({ elements }) =>
    elements.filter(({ types: [type], valueSet }) => type === bound && valueSet !== undefined),
  );
  return [...new Set(urls.map(({ valueSet }) => valueSet))].toSorted(byText);
}

/** `{ gender: "code#administrative-gender", contact: "Patient.contact*" }`: types by `|`, `*` for many, `#` codes. */
function written(type, nameOf) {
  return Object.fromEntries(
    type.elements.map((element) => {
      const { name, types, many, valueSet } = element;
      const set = valueSet === undefined ? undefined : nameOf(element);
      return [name, `${types.join("|")}${many ? "*" : ""}${set === undefined ? "" : `#${set}`}`];
    }),
  );
}

/** One member per line, in the order of the names: small diffs. */
function lines(map) {
  return [...map]
    .toSorted(([a], [b]) => byText(a, b))
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join(",\n");
}

/** By code units: the same order on every machine. */
function byText(a, b) {
  return a < b ? -1 : Number(a > b);
}

function checkReferences(types, primitives) {
  for (const [name, type] of types) {
    if (type.base !== undefined && !types.has(type.base)) throw new Error(`${name}: unknown base ${type.base}`);
    for (const element of type.elements) {
      for (const target of element.types) {
        if (!types.has(target) && !primitives.has(target)) throw new Error(`${name}.${element.name}: type ${target}`);
      }
    }
  }
}
