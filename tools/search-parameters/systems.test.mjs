// Every code of every required binding on an element that a search parameter looks at has the code systems that list it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openDefinitions } from "../definitions.mjs";
import { openSystems } from "./systems.mjs";

const definitions = openDefinitions();
const codeSystems = new Map(definitions.ofType("CodeSystem").map((codeSystem) => [codeSystem.url, codeSystem]));
const table = (name) => JSON.parse(readFileSync(new URL(`../../generated/${name}.json`, import.meta.url), "utf8"));
const trees = table("extraction");
const { codes: codesOfSets, types } = table("structure");

/** All codes of a system, in hierarchies, too; undefined for those that no package lists. */
function listed(concepts) {
  return concepts?.flatMap(({ code, concept = [] }) => [code, ...listed(concept)]);
}

/** Nodes of elements of type code that have values, with the codes of their binding: `Task.intent`. */
function* boundNodes(nodes, owner) {
  for (const node of nodes) {
    const written = node.name === undefined ? undefined : elementOf(owner, node.name);
    const [, type, set] = /^([\w.]+)\*?(?:#(.*))?$/.exec(written ?? "") ?? [];
    const codes = set === undefined ? undefined : codesOfSets[set];
    if (node.type === "code" && codes !== undefined && node.values?.some(({ as }) => as === "token")) {
      yield { path: `${owner}.${node.name}`, node, codes };
    }
    yield* boundNodes(node.nodes ?? [], type ?? owner);
  }
}

/** How an element is written in the table; inherited ones are found, choices are not. */
function elementOf(owner, name) {
  for (let at = owner; at !== undefined; at = types[at]?.base) {
    const element = types[at]?.elements[name];
    if (element !== undefined) return element;
  }
  return undefined;
}

test("a code has the systems that list it, and no others", () => {
  let triples = 0;
  let ofSeveral = 0;
  for (const [type, nodes] of Object.entries(trees)) {
    for (const { path, node, codes } of boundNodes(nodes, type)) {
      const systems = node.systems ?? { [node.system]: codes };
      if (node.systems !== undefined) ofSeveral++;
      for (const code of codes) {
        const own = Object.keys(systems).filter((system) => systems[system].includes(code));
        assert.notEqual(own.length, 0, `${type}: ${path} ${code} has no system`);
        for (const system of own) {
          triples++;
          const known = listed(codeSystems.get(system)?.concept);
          if (known !== undefined) assert.ok(known.includes(code), `${path}: ${system} does not list ${code}`);
        }
      }
    }
  }
  console.log(`${triples} codes of a system on an element`);
  assert.ok(triples > 1500);
  assert.equal(ofSeveral, 1);
});

test("Task.intent draws on two code systems", () => {
  const { systems } = trees["Task"].find(({ name }) => name === "intent");
  assert.deepEqual(systems["http://hl7.org/fhir/task-intent"], ["unknown"]);
  assert.ok(systems["http://hl7.org/fhir/request-intent"].includes("order"));
});

test("refuses several systems of which one cannot be listed", () => {
  const compose = { include: [{ system: "a" }, { system: "b" }] };
  const listedA = { url: "a", content: "complete", concept: [{ code: "x", concept: [{ code: "y" }] }] };
  const sets = [{ url: "set", compose }];
  assert.throws(() => openSystems(sets, [listedA])("set"), /the codes of b are not known/);
  const both = [listedA, { ...listedA, url: "b" }];
  assert.deepEqual(openSystems(sets, both)("set"), { systems: { a: ["x", "y"], b: ["x", "y"] } });
  assert.deepEqual(openSystems(sets, both)("no such set"), {});
});
