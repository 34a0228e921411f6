// Expands the value sets of required bindings to their codes.

/** Code systems that no package lists; value sets over the whole of one get no code check. */
const NOT_ENUMERABLE = new Set([
  "urn:ietf:bcp:13",
  "urn:ietf:bcp:47",
  "urn:iso:std:iso:4217",
  "http://unitsofmeasure.org",
]);

/** Value sets that are bound in R4, but are no part of it. */
const ELSEWHERE = new Set(["http://loinc.org/vs/LL379-9"]);

/**
 * The codes of value sets that are bound to elements of type code.
 * @param {import("../definitions.mjs").Definitions} definitions
 * @param {string[]} urls canonical URLs of value sets, with version
 */
export function codesOf(definitions, urls) {
  const valueSets = byUrl(definitions.ofType("ValueSet"));
  const systems = byUrl(definitions.ofType("CodeSystem"));
  /** @type {Map<string, string[]>} */
  const sets = new Map();
  /** @type {Map<string, string>} */
  const names = new Map();
  const notEnumerable = [];
  for (const url of urls) {
    const [plain, version] = url.split("|");
    const valueSet = valueSets.get(plain);
    if (valueSet === undefined) throw new Error(`no value set ${plain}`);
    if (version !== undefined && version !== valueSet.version) throw new Error(`${url} is version ${valueSet.version}`);
    const codes = expand(valueSet, systems);
    if (codes === undefined) {
      notEnumerable.push(url);
      continue;
    }
    if (codes.length === 0) throw new Error(`${url} is empty`);
    if (sets.has(valueSet.id)) throw new Error(`two value sets are named ${valueSet.id}`);
    sets.set(valueSet.id, codes);
    names.set(url, valueSet.id);
  }
  return { sets, notEnumerable, nameOf: (/** @type {string} */ url) => names.get(url) };
}

/**
 * The concepts of value sets that are bound to CodeableConcepts: a concept is a code of a system.
 * @param {import("../definitions.mjs").Definitions} definitions
 * @param {string[]} urls canonical URLs of value sets, with version
 */
export function conceptsOf(definitions, urls) {
  const valueSets = byUrl(definitions.ofType("ValueSet"));
  const systems = byUrl(definitions.ofType("CodeSystem"));
  /** @type {Map<string, Record<string, string[]>>} */
  const sets = new Map();
  /** @type {Map<string, string>} */
  const names = new Map();
  const notEnumerable = [];
  for (const url of urls) {
    const [plain, version] = url.split("|");
    const valueSet = valueSets.get(plain);
    if (valueSet === undefined) {
      if (!ELSEWHERE.has(plain)) throw new Error(`no value set ${plain}`);
      notEnumerable.push(url);
      continue;
    }
    if (version !== valueSet.version) throw new Error(`${url} is version ${valueSet.version}`);
    const concepts = {};
    for (const include of valueSet.compose?.include ?? []) {
      const codes = expand({ ...valueSet, compose: { ...valueSet.compose, include: [include] } }, systems);
      if (codes !== undefined) concepts[include.system] = [...(concepts[include.system] ?? []), ...codes];
    }
    if (Object.keys(concepts).length < valueSet.compose.include.length) {
      notEnumerable.push(url);
      continue;
    }
    if (sets.has(valueSet.id)) throw new Error(`two value sets are named ${valueSet.id}`);
    sets.set(valueSet.id, concepts);
    names.set(url, valueSet.id);
  }
  return { sets, notEnumerable, nameOf: (/** @type {string} */ url) => names.get(url) };
}

/** Codes in the order of their definition, or undefined when they cannot be listed. */
function expand(valueSet, systems) {
  const { compose } = valueSet;
  if (compose?.include === undefined) throw new Error(`${valueSet.url}: no compose`);
  if (compose.exclude !== undefined) throw new Error(`${valueSet.url}: exclude`);
  const codes = new Set();
  for (const include of compose.include) {
    if (include.filter !== undefined || include.valueSet !== undefined) throw new Error(`${valueSet.url}: filter`);
    if (include.concept !== undefined) {
      for (const concept of include.concept) codes.add(concept.code);
      continue;
    }
    if (NOT_ENUMERABLE.has(include.system)) return undefined;
    const system = systems.get(include.system);
    if (system?.content !== "complete") throw new Error(`${valueSet.url}: ${include.system} is not in the package`);
    addConcepts(system.concept, codes);
  }
  return [...codes];
}

function addConcepts(concepts, codes) {
  for (const concept of concepts) {
    codes.add(concept.code);
    if (concept.concept !== undefined) addConcepts(concept.concept, codes);
  }
}

function byUrl(resources) {
  const map = new Map();
  for (const resource of resources) {
    if (map.has(resource.url)) throw new Error(`two definitions of ${resource.url}`);
    map.set(resource.url, resource);
  }
  return map;
}
