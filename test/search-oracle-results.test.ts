import { afterAll, beforeAll, expect, test } from "vitest";
import { criterionOn, searchable } from "./support/search-oracle/criteria.ts";
import { COMPARTMENTS, definitionOf, TYPES, type Definition } from "./support/search-oracle/definitions.ts";
import { includedWith, writtenInclude, type Include } from "./support/search-oracle/includes.ts";
import { written } from "./support/search-oracle/query.ts";
import type { Random } from "./support/search-oracle/random.ts";
import { generateResources } from "./support/search-oracle/resources.ts";
import { note, randomFor, SCALE } from "./support/search-oracle/scale.ts";
import {
  compare,
  entries,
  inParallel,
  nameOf,
  openOracleServer,
  type Difference,
  type OracleServer,
} from "./support/search-oracle/server.ts";
import { inOrder, sortKey } from "./support/search-oracle/sort-keys.ts";
import { TERMINOLOGY } from "./support/search-oracle/terminology.ts";
import { leadsTo, type Criterion, type Stored } from "./support/search-oracle/world.ts";

let oracle: OracleServer;

beforeAll(async () => {
  oracle = await openOracleServer([...generateResources(randomFor(10), SCALE > 1 ? 12 : 6), ...TERMINOLOGY]);
}, 300_000);

afterAll(() => oracle?.close());

function ofType(type: string): Stored[] {
  return oracle.world.resources.filter(({ resourceType }) => resourceType === type);
}

/** Reference parameters that can be followed: canonical URLs cannot, and are refused. */
function referencesOf(type: string): readonly Definition[] {
  return searchable(type).filter(
    (definition) =>
      definition.type === "reference" &&
      ofType(type).some((resource) =>
        oracle.world.values(resource, definition).some(({ kind }) => kind === "reference"),
      ),
  );
}

test("compartments have the resources that their definitions say", { timeout: 3_600_000 }, async () => {
  const random = randomFor(11);
  const differences: Difference[] = [];
  const all = Object.entries(COMPARTMENTS).flatMap(([type, members]) =>
    Object.entries(members).flatMap(([member, codes]) =>
      Array.from({ length: SCALE }, () => ({ owner: random.pick(ofType(type)), member, codes })),
    ),
  );
  await inParallel(all, async ({ owner, member, codes }) => {
    const inside = ofType(member).filter(
      (resource) =>
        (codes.includes("_id") && resource === owner) || codes.some((code) => refersBy(resource, code, owner)),
    );
    const criterion = random.chance(0.5)
      ? undefined
      : criterionOn(random, oracle.world, random.pick(searchable(member)), inside);
    const expected = inside.filter((each) => criterion === undefined || oracle.world.matches(each, criterion));
    const path = `/${nameOf(owner)}/${member}${criterion === undefined ? "" : `?${written(criterion)}`}`;
    const difference = await compare(
      () => oracle.matches(path),
      decodeURIComponent(path),
      expected.map(nameOf),
      oracle.world,
    );
    if (difference !== undefined) differences.push(difference);
  });
  expect(differences).toEqual([]);
});

/** Whether it refers to the other by a parameter, wherever that is. */
function refersBy(resource: Stored, code: string, { resourceType: type, id }: Stored): boolean {
  const definition = definitionOf(resource.resourceType, code);
  return (
    definition !== undefined &&
    oracle.world
      .values(resource, definition)
      .some((value) => value.kind === "reference" && value.type === type && value.id === id)
  );
}

function includeFor(random: Random, matched: string): Include | undefined {
  const forward = random.chance(0.5);
  const iterate = random.chance(0.3) ? ":iterate" : "";
  if (forward) {
    const definitions = referencesOf(matched);
    if (definitions.length === 0) return undefined;
    const definition = random.pick(definitions);
    const name = `_include${iterate}`;
    if (random.chance(0.15)) return { name, source: matched, code: "*" };
    if (random.chance(0.6)) return { name, source: matched, code: definition.code };
    return { name, source: matched, code: definition.code, target: random.pick(leadsTo(definition)) };
  }
  const resource = random.pick(ofType(matched));
  const referring = oracle.world.referring(resource);
  if (referring.length === 0) return undefined;
  const { source, definition } = random.pick(referring);
  const one = { name: `_revinclude${iterate}`, source: source.resourceType, code: definition.code };
  return random.chance(0.7) ? one : { ...one, target: matched };
}

test("includes bring what the matches refer to, and what refers to them", { timeout: 3_600_000 }, async () => {
  const random = randomFor(12);
  const differences: Difference[] = [];
  const searches: { type: string; criterion: Criterion; includes: Include[] }[] = [];
  while (searches.length < 150 * SCALE) {
    const type = random.pick(TYPES);
    const includes = Array.from({ length: 1 + random.below(2) }, () => includeFor(random, type)).filter(
      (include) => include !== undefined,
    );
    const [first] = includes;
    if (first === undefined) continue;
    const beyond = first.name.startsWith("_rev") ? first.source : (first.target ?? random.pick(TYPES));
    const further = random.chance(0.3) ? includeFor(random, beyond) : undefined;
    if (further !== undefined) includes.push({ ...further, name: `${further.name.split(":")[0]}:iterate` });
    searches.push({
      type,
      criterion: criterionOn(random, oracle.world, random.pick(searchable(type)), ofType(type)),
      includes,
    });
  }
  let included = 0;
  await inParallel(searches, async ({ type, criterion, includes }) => {
    const matches = ofType(type).filter((resource) => oracle.world.matches(resource, criterion));
    const expected = includedWith(oracle.world, matches, includes);
    included += expected.length;
    const path = `/${type}?${written(criterion)}&${includes.map(writtenInclude).join("&")}`;
    const found = async (): Promise<string[]> => (await entries(oracle.server, path)).include;
    const difference = await compare(found, decodeURIComponent(path), expected.map(nameOf), oracle.world);
    if (difference !== undefined) differences.push(difference);
  });
  note(`${searches.length} searches include ${included} resources`);
  expect(differences).toEqual([]);
});

test("answers are in the order of each parameter, both ways", { timeout: 3_600_000 }, async () => {
  const random = randomFor(13);
  const wrong: string[] = [];
  const all = TYPES.flatMap((type) =>
    random
      .some(
        searchable(type).filter((definition) => definition.type !== "composite"),
        2 * SCALE,
      )
      .map((definition) => ({ type, definition, descending: random.chance(0.5) })),
  );
  await inParallel(all, async ({ type, definition, descending }) => {
    const path = `/${type}?_sort=${descending ? "-" : ""}${definition.code}`;
    try {
      const { match } = await entries(oracle.server, path);
      const found = match.map((name) => oracle.world.resources.find((resource) => nameOf(resource) === name));
      const keys = found.map((resource) => resource && sortKey(oracle.world, resource, definition, descending));
      if (match.length !== ofType(type).length || !inOrder(keys, descending))
        wrong.push(`${path}: ${keys.join(" | ")}`);
    } catch (error) {
      wrong.push(`${path}: ${String(error)}`);
    }
  });
  expect(wrong).toEqual([]);
});

test("one parameter of several types", { timeout: 3_600_000 }, async () => {
  const random = randomFor(15);
  const differences: Difference[] = [];
  const codes = ["identifier", "status", "code", "date", "patient", "subject", "name", "url", "version", "encounter"];
  const searches = Array.from({ length: 100 * SCALE }, () => searchOfTypes(random, random.pick(codes)));
  await inParallel(searches, async ({ path, expected }) => {
    const difference = await compare(
      () => oracle.matches(path),
      decodeURIComponent(path),
      expected.map(nameOf),
      oracle.world,
    );
    if (difference !== undefined) differences.push(difference);
  });
  expect(differences).toEqual([]);
});

/** Definitions differ from type to type, in what they select and where they may point to. */
function searchOfTypes(random: Random, code: string): { path: string; expected: Stored[] } {
  const first = random.pick(TYPES.filter((type) => definitionOf(type, code) !== undefined));
  const definition = definitionOf(first, code);
  if (definition === undefined) throw new Error(`${first} has no ${code}`);
  const alike = TYPES.filter((type) => definitionOf(type, code)?.type === definition.type);
  const types = [...new Set([first, ...random.some(alike, 3)])];
  const criterion = criterionOn(random, oracle.world, definition, ofType(first));
  const among = oracle.world.resources.filter(({ resourceType }) => types.includes(resourceType));
  return {
    path: `/?_type=${types.join(",")}&${written(criterion)}`,
    expected: among.filter((resource) => oracle.world.matches(resource, criterion)),
  };
}

test("parameters of all types, within one type and over several", { timeout: 3_600_000 }, async () => {
  const random = randomFor(14);
  const differences: Difference[] = [];
  const searches = Array.from({ length: 200 * SCALE }, () => commonSearch(random));
  await inParallel(searches, async ({ path, expected }) => {
    const difference = await compare(
      () => oracle.matches(path),
      decodeURIComponent(path),
      expected.map(nameOf),
      oracle.world,
    );
    if (difference !== undefined) differences.push(difference);
  });
  expect(differences).toEqual([]);
});

function updated(resource: Stored): string {
  return (resource["meta"] as { lastUpdated: string }).lastUpdated;
}

/** Whole milliseconds, which is what the server notes. */
function updatedOperand(random: Random): { text: string; holds: (resource: Stored) => boolean } {
  const at = updated(random.pick(oracle.world.resources));
  return random.pick([
    { text: `ge${at}`, holds: (resource) => updated(resource) >= at },
    { text: `lt${at}`, holds: (resource) => updated(resource) < at },
    { text: at, holds: (resource) => updated(resource) === at },
    { text: `ne${at}`, holds: (resource) => updated(resource) !== at },
    { text: `sa${at}`, holds: (resource) => updated(resource) > at },
    { text: at.slice(0, 10), holds: (resource) => updated(resource).startsWith(at.slice(0, 10)) },
  ]);
}

function commonSearch(random: Random): { path: string; expected: Stored[] } {
  const types = random.chance(0.5) ? [random.pick(TYPES)] : random.some(TYPES, 2 + random.below(4));
  const isOne = types.length === 1;
  const criteria: Criterion[] = [];
  const parts: string[] = isOne ? [] : [`_type=${types.join(",")}`];
  const among = oracle.world.resources.filter(({ resourceType }) => types.includes(resourceType));
  let expected = among;
  for (let left = 1 + random.below(2); left > 0; left--) {
    const kind = random.below(6);
    if (kind === 0) {
      const { text, holds } = updatedOperand(random);
      parts.push(`_lastUpdated=${encodeURIComponent(text)}`);
      expected = expected.filter(holds);
    } else if (kind === 1) {
      criteria.push({ kind: "ids", ids: [random.pick(among).id, "r2", "none"], negated: random.chance(0.3) });
    } else if (kind === 2) {
      criteria.push({ kind: "list", ids: [random.pick(ofType("List")).id, random.pick(ofType("List")).id] });
    } else {
      const code = random.pick(["_tag", "_security", "_profile", "_source"]);
      const definition = definitionOf("Patient", code);
      if (definition !== undefined) criteria.push(criterionOn(random, oracle.world, definition, among));
    }
  }
  parts.push(...criteria.map(written));
  expected = expected.filter((resource) => criteria.every((criterion) => oracle.world.matches(resource, criterion)));
  return { path: `/${isOne ? types[0] : ""}?${parts.join("&")}`, expected };
}
