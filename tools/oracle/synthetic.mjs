// Resources in which every element has values, so that no search parameter goes untried. Their content is nonsense: only
// the shapes and the kinds of values matter. The same call always makes the same resource.

/** Forms of a reference; `targets` are the types the element may point to. */
const REFERENCES = [
  (target, n) => ({ reference: `${target}/r${n}` }),
  (target, n) => ({ reference: `${target}/r${n}/_history/${n}` }),
  (target, n) => ({ reference: `https://other.example/fhir/${target}/r${n}/_history/2` }),
  (target, n) => ({ reference: `bare-${n}` }),
  (target, n) => ({ reference: `bare-${n}`, type: target }),
  (target, n) => ({ reference: `#contained${n}`, display: "inside" }),
  (target, n) => ({ reference: `urn:uuid:c757873d-ec9a-4326-a141-55604352${1000 + n}` }),
  (target, n) => ({ reference: `${target}?identifier=http://host/ids|v${n}` }),
  (target, n) => ({ identifier: { system: "http://ids.example/s", value: `v${n}` }, type: target }),
  (target, n) => ({ identifier: { value: `w${n}` }, reference: `NoSuchType/x${n}` }),
  () => ({ display: "somebody" }),
];

const QUANTITIES = [
  (n) => ({ value: n + 0.5, unit: "mg", system: "http://unitsofmeasure.org", code: "mg" }),
  (n) => ({ value: n, comparator: "<", unit: "milligram", system: "http://unitsofmeasure.org", code: "mg" }),
  (n) => ({ value: -n, comparator: ">=", unit: "drops" }),
  (n) => ({ value: n / 1000, code: "x" }),
  (n) => ({ value: n * 1e21, system: "http://units.example/only" }),
  () => ({ unit: "no value" }),
  () => ({ value: 0 }),
];

const CODINGS = [
  (n) => ({ system: "http://codes.example/a", code: `c${n % 7}`, display: `Code Ä${n % 7}` }),
  (n) => ({ code: `c${n % 7}` }),
  () => ({ system: "http://codes.example/b", display: "No code" }),
  () => ({ display: "NO CODE" }),
];

const DATES = ["2012", "2012-02", "1999-12-31", "2012-03-14T09:26:53Z", "2012-03-14T09:26:53.25+05:30", "0001-01-01"];
const PERIODS = [
  (a, b) => ({ start: a, end: b }),
  (a) => ({ start: a }),
  (a, b) => ({ end: b }),
  () => ({ _start: { extension: [{ url: "http://absent.example", valueCode: "unknown" }] } }),
];
const SAMPLES = ["1 -2.5 3", "E 4 U", "L 4 E", "E", ""];

/** Members whose value decides what an expression selects. */
const CODES = {
  "ContactPoint.system": ["email", "phone", "fax"],
  "RelatedArtifact.type": ["depends-on", "composed-of", "derived-from", "predecessor", "successor", "citation"],
};

/** Opens the generator: `make(type, variant)`. */
export function openSynthetic(definitions) {
  const snapshots = new Map();
  const types = [];
  for (const definition of definitions.ofType("StructureDefinition")) {
    if (definition.derivation === "constraint" || definition.kind === "logical") continue;
    snapshots.set(definition.type, definition.snapshot.element);
    if (definition.kind === "resource" && !definition.abstract) types.push(definition.type);
  }

  function make(type, variant) {
    let count = variant * 31;
    let state = variant + 1;
    /** A linear congruential generator (Numerical Recipes' constants): lists must not move in step with each other. */
    const pick = (list) => {
      count++;
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return list[Math.floor((state / 2 ** 32) * list.length)];
    };

    const children = (owner, path, depth) => {
      const made = {};
      for (const element of snapshots.get(owner)) {
        const name = element.path.slice(path.length + 1);
        if (!element.path.startsWith(`${path}.`) || name.includes(".") || SKIPPED.has(name)) continue;
        if (depth === 0 && OF_RESOURCES.has(name)) continue;
        const inline = element.contentReference?.slice(1);
        const possible = element.type ?? [{ code: "BackboneElement" }];
        const chosen = name.endsWith("[x]") ? possible[(variant + element.path.length) % possible.length] : possible[0];
        const one = () =>
          chosen.code === "BackboneElement" || chosen.code === "Element"
            ? depth < 5 && children(owner, inline ?? element.path, depth + 1)
            : value(chosen, element.path, depth + 1);
        const list = (element.max === "*" ? [one(), one()] : [one()]).filter(
          (each) => each !== undefined && each !== false,
        );
        if (list.length === 0) continue;
        const member = name.endsWith("[x]")
          ? name.slice(0, -3) + chosen.code[0].toUpperCase() + chosen.code.slice(1)
          : name;
        made[member] = element.max === "*" ? list : list[0];
      }
      return made;
    };

    const value = ({ code, targetProfile = [] }, path, depth) => {
      const targets = targetProfile.map((profile) => profile.split("/").pop());
      switch (code) {
        case "Reference":
          return pick(REFERENCES)(pick(targets.includes("Resource") ? ["Patient", "Basic"] : targets), count);
        case "Quantity":
        case "Age":
        case "Duration":
        case "Count":
        case "Distance":
          return pick(QUANTITIES)(count);
        case "Coding":
          return pick(CODINGS)(count);
        case "CodeableConcept":
          return { coding: [pick(CODINGS)(count), pick(CODINGS)(count)], text: pick(["Words", "Wörds", "Code Ä1"]) };
        case "Period":
          return pick(PERIODS)(pick(DATES), pick(DATES));
        case "Resource":
          return { resourceType: pick(["Composition", "MessageHeader", "Patient"]), id: `inner-${count}` };
        case "date":
        case "dateTime":
        case "instant":
          return pick(DATES);
        case "boolean":
          return count++ % 2 === 0;
        case "decimal":
        case "integer":
        case "positiveInt":
        case "unsignedInt":
          return count++;
        case "canonical":
          return pick([
            `http://canon.example/c${count}`,
            `http://canon.example/c${count}|1.0`,
            `Library/c${count}`,
            `Library/c${count}|2`,
            `http://canon.example/fhir/Library/c${count}`,
            "#c",
          ]);
        case "code":
          return pick(CODES[path] ?? ["active", `code-${count % 5}`]);
        case "uri":
        case "url":
        case "oid":
        case "uuid":
          return pick([`http://uri.example/u${count}`, `urn:oid:1.2.${count}`]);
        default:
          break;
      }
      if (!snapshots.has(code) || /^[a-z]/.test(code))
        return path.endsWith(".data") ? pick(SAMPLES) : `Text Ñ ${count++ % 9}`;
      return depth > 6 ? undefined : children(code, code, depth + 1);
    };

    return { resourceType: type, ...children(type, type, 0), id: `synthetic-${variant}` };
  }

  return { types: types.toSorted((a, b) => (a < b ? -1 : 1)), make };
}

const SKIPPED = new Set(["extension", "modifierExtension", "contained", "id"]);
/** The narrative and what else every resource has without being searched for it. */
const OF_RESOURCES = new Set(["text", "implicitRules", "language"]);
