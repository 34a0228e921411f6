// The code system that a required binding implies for elements of FHIR type code.

/** Returns a function from a value set's canonical URL to its one code system, or undefined when it has several. */
export function openSystems(valueSets) {
  const byUrl = new Map(valueSets.map((valueSet) => [valueSet.url, valueSet]));

  function systemsOf(url, visited) {
    const compose = byUrl.get(url)?.compose;
    if (compose === undefined || visited.has(url)) return [undefined];
    visited.add(url);
    return compose.include.flatMap((include) => [
      ...(include.system === undefined ? [] : [include.system]),
      ...(include.valueSet ?? []).flatMap((inner) => systemsOf(inner.split("|")[0], visited)),
    ]);
  }

  return function systemOf(url) {
    const systems = new Set(systemsOf(url, new Set()));
    return systems.size === 1 ? [...systems][0] : undefined;
  };
}
