// The code systems that a required binding implies for elements of FHIR type code.

/**
 * Returns a function from a value set's canonical URL to the code systems it draws on: `{ system }` where it is one, `{ systems }`
 * with the codes of each where there are several; `{}` where a system is not said. Throws where the codes of one of several
 * systems cannot be listed.
 */
export function openSystems(valueSets, codeSystems) {
  const byUrl = new Map(valueSets.map((valueSet) => [valueSet.url, valueSet]));
  const systemByUrl = new Map(codeSystems.map((codeSystem) => [codeSystem.url, codeSystem]));

  function includesOf(url, visited) {
    const compose = byUrl.get(url)?.compose;
    if (compose === undefined || visited.has(url)) return [{}];
    visited.add(url);
    return compose.include.flatMap((include) => [
      ...(include.system === undefined ? [] : [include]),
      ...(include.valueSet ?? []).flatMap((inner) => includesOf(inner.split("|")[0], visited)),
    ]);
  }

  function codesOf({ system, concept, filter }) {
    if (concept !== undefined) return concept.map(({ code }) => code);
    const known = systemByUrl.get(system);
    if (filter !== undefined || known?.content !== "complete") throw new Error(`the codes of ${system} are not known`);
    return listed(known.concept);
  }

  return function systemsOf(url) {
    const includes = includesOf(url, new Set());
    const names = [...new Set(includes.map(({ system }) => system))];
    if (names.includes(undefined)) return {};
    if (names.length === 1) return { system: names[0] };
    const codes = (name) => includes.filter(({ system }) => system === name).flatMap(codesOf);
    return { systems: Object.fromEntries(names.map((name) => [name, [...new Set(codes(name))]])) };
  };
}

function listed(concepts) {
  return concepts.flatMap(({ code, concept = [] }) => [code, ...listed(concept)]);
}
