// HL7's CompartmentDefinitions in; generated/compartments.json out: by compartment, the types that can be in it and the
// parameters that put a resource there: reference parameters, and `_id` where it is the compartment's own resource.

/** @typedef {import("../definitions.mjs").Definitions} Definitions */

/** What the definitions write where a resource is in its own compartment. */
const ITSELF = "{def}";

/** @param {Definitions} definitions @returns {Map<string, string>} file name → text */
export function generate(definitions) {
  const references = referenceParameters(definitions);
  const compartments = new Map();
  for (const definition of definitions.ofType("CompartmentDefinition")) {
    if (definition.id === "example") continue;
    if (compartments.has(definition.code)) throw new Error(`two compartments of ${definition.code}`);
    const members = new Map();
    for (const { code: type, param: names = [] } of definition.resource) {
      for (const name of names) {
        const isKnown =
          name === ITSELF ? type === definition.code : references.get(`${type} ${name}`)?.includes(definition.code);
        if (!isKnown) throw new Error(`${definition.code}: ${type} has no reference parameter ${name} to it`);
      }
      if (names.length > 0) members.set(type, names.map((name) => (name === ITSELF ? "_id" : name)).toSorted());
    }
    compartments.set(definition.code, members);
  }
  const text = [...compartments]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, members]) => `${JSON.stringify(code)}:{\n${lines(members)}\n}`);
  return new Map([["compartments.json", `{\n${text.join(",\n")}\n}\n`]]);
}

/** "Type name" → the types that the parameter can refer to. */
function referenceParameters(definitions) {
  const references = new Map();
  for (const { code, type, base, target = [] } of definitions.ofType("SearchParameter")) {
    if (type === "reference") for (const each of base) references.set(`${each} ${code}`, target);
  }
  return references;
}

/** One member per line, in the order of the names: small diffs. */
function lines(map) {
  return [...map]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join(",\n");
}
