// The product's summaries of HL7's examples are those that HL7's definitions give, read without the generated tables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openDefinitions } from "../definitions.mjs";
import { checkResource } from "../../dist/check/check-resource.js";
import { withMeta } from "../../dist/fhir/meta-bytes.js";
import { shaped } from "../../dist/search/projection/shape.js";

const definitions = openDefinitions();
const elements = new Map();
for (const { snapshot, kind, derivation } of definitions.ofType("StructureDefinition")) {
  if (kind === "logical" || derivation === "constraint") continue;
  for (const element of snapshot.element) elements.set(element.path, element);
}
const WHOLE = new Set(["Extension", "Meta", "Narrative", "Resource"]);

/** The element of a JSON member, and what its children are looked up under. */
function find(owner, member) {
  const name = member.replace(/^_/, "");
  const plain = elements.get(`${owner}.${name}`);
  if (plain !== undefined) {
    const inner = plain.contentReference?.slice(1) ?? (elements.has(`${plain.path}.id`) ? plain.path : undefined);
    return { element: plain, type: inner ?? plain.type?.[0].code ?? "string" };
  }
  for (let end = name.length - 1; end > 0; end--) {
    const choice = elements.get(`${owner}.${name.slice(0, end)}[x]`);
    const type = choice?.type.find(({ code }) => code.toLowerCase() === name.slice(end).toLowerCase())?.code;
    if (type !== undefined) return { element: choice, type };
  }
  return undefined;
}

function summary(object, owner, isResource) {
  const kept = {};
  for (const [member, value] of Object.entries(object)) {
    const found = find(owner, member);
    if (member === "resourceType") kept[member] = value;
    if (found === undefined) continue;
    const { element, type } = found;
    if (element.isSummary !== true && !(element.min > 0) && element.isModifier !== true) continue;
    const isWhole = member.startsWith("_") || WHOLE.has(type);
    const inner = (item) => (!isWhole && typeof item === "object" && item !== null ? summary(item, type, false) : item);
    kept[member] = Array.isArray(value) ? value.map(inner) : inner(value);
  }
  return !isResource && Object.keys(kept).length === 0 ? object : kept;
}

test("summaries of all examples", () => {
  let compared = 0;
  for (const file of definitions.files()) {
    const { meta: _, ...resource } = definitions.read(file);
    const type = resource.resourceType;
    if (type === undefined || !elements.has(type) || resource.id === undefined) continue;
    const short = shaped(withMeta(Buffer.from(JSON.stringify(resource)), 1, 0), type, "true");
    const { meta, ...found } = JSON.parse(short.toString());
    assert.deepEqual(found, summary(resource, type, true), file);
    const before = [];
    const after = [];
    checkResource(resource, before, 1);
    checkResource({ ...found, meta }, after, 1);
    if (before.length === 0) assert.deepEqual(after, [], file);
    compared++;
  }
  assert.ok(compared > 2000, String(compared));
});
