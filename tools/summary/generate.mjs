// HL7's StructureDefinitions in; generated/summary-elements.json out: by resource type, which of its JSON members belong
// to a summary, and which no shortened resource may leave out. generated/summary-nested.json: by data type, and by path of inner
// elements that a summary can have, the JSON members that do not belong to it.

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
  const nested = nestedRows(definitions).map((row) => row.map((part) => JSON.stringify(part)).join(":"));
  return new Map([
    ["summary-elements.json", `{\n${lines.join(",\n")}\n}\n`],
    ["summary-nested.json", `{\n${nested.join(",\n")}\n}\n`],
  ]);
}

/** Never in a summary, so they stand in no row: what no element of R4 has marked otherwise. */
const NEVER = new Set(["id", "extension"]);

/** Types that come whole: an extension without its value says nothing. */
const WHOLE = new Set(["Extension", "Meta", "Narrative"]);

/** @param {Definitions} definitions @returns {[owner: string, members: string[]][]} */
function nestedRows(definitions) {
  const rows = new Map();
  for (const { type, kind, abstract, derivation, snapshot } of definitions.ofType("StructureDefinition")) {
    if (!["resource", "complex-type"].includes(kind) || abstract || derivation === "constraint" || WHOLE.has(type))
      continue;
    // An element comes after its parent; what has no parent in a summary never comes into one.
    const kept = new Set([type]);
    for (const element of snapshot.element.slice(1)) {
      const { path } = element;
      const owner = path.slice(0, path.lastIndexOf("."));
      const name = path.slice(owner.length + 1);
      if (!kept.has(owner)) continue;
      if (isKept(element)) kept.add(path);
      const isInner = kind !== "resource" || owner !== type;
      if (!isInner) continue;
      if (NEVER.has(name)) {
        if (isKept(element)) throw new Error(`${path} belongs to summaries: the product leaves it out`);
      } else if (!isKept(element)) {
        rows.set(owner, [...(rows.get(owner) ?? []), ...membersOf({ ...element, path: `${type}.${name}` })]);
      }
    }
  }
  checkContentReferences(definitions, rows);
  return [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function isKept({ isSummary, min, isModifier }) {
  return isSummary === true || min > 0 || isModifier === true;
}

/** What an element with the content of another has is looked up under the path of that one. */
function checkContentReferences(definitions, rows) {
  for (const { kind, abstract, derivation, snapshot } of definitions.ofType("StructureDefinition")) {
    if (kind !== "resource" || abstract || derivation === "constraint") continue;
    const byPath = new Map(snapshot.element.map((element) => [element.path, element]));
    for (const { path, contentReference } of snapshot.element) {
      const target = contentReference?.slice(1);
      if (target === undefined || !reaches(byPath, path) || reaches(byPath, target)) continue;
      const members = snapshot.element.filter(({ path: inner }) => inner.slice(0, inner.lastIndexOf(".")) === target);
      const left = members.filter((element) => !isKept(element) && !NEVER.has(element.path.slice(target.length + 1)));
      if (left.length > 0 && !rows.has(target)) throw new Error(`${path}: nothing is said of ${target}`);
    }
  }
}

/** Whether an element and all that it is in can be in a summary. */
function reaches(byPath, path) {
  const parts = path.split(".");
  return parts.slice(1).every((_, index) => isKept(byPath.get(parts.slice(0, index + 2).join("."))));
}

/** The JSON members of an element: one for each type of a choice. */
function membersOf({ path, type = [] }) {
  const name = path.slice(path.indexOf(".") + 1);
  if (!name.endsWith("[x]")) return [name];
  return type.map(({ code }) => name.slice(0, -3) + code[0].toUpperCase() + code.slice(1));
}
