// HL7's StructureDefinitions in; generated/summary-elements.json out: by resource type, which of its JSON members belong
// to a summary, and which no shortened resource may leave out.

/** @typedef {import("../definitions.mjs").Definitions} Definitions */

/** @param {Definitions} definitions @returns {Map<string, string>} file name → text */
export function generate(definitions) {
  const rows = new Map();
  for (const { type, kind, abstract, derivation, snapshot } of definitions.ofType("StructureDefinition")) {
    if (kind !== "resource" || abstract || derivation === "constraint") continue;
    const elements = snapshot.element.filter(({ path }) => path.split(".").length === 2);
    rows.set(type, {
      summary: elements.filter(({ isSummary }) => isSummary === true).flatMap(membersOf),
      mandatory: elements.filter(({ min, isModifier }) => min > 0 || isModifier === true).flatMap(membersOf),
    });
  }
  const lines = [...rows]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return new Map([["summary-elements.json", `{\n${lines.join(",\n")}\n}\n`]]);
}

/** The JSON members of an element: one for each type of a choice. */
function membersOf({ path, type = [] }) {
  const name = path.slice(path.indexOf(".") + 1);
  if (!name.endsWith("[x]")) return [name];
  return type.map(({ code }) => name.slice(0, -3) + code[0].toUpperCase() + code.slice(1));
}
