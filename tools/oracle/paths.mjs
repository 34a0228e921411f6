// The ElementDefinition that a plain dotted path ends at: for bindings and reference targets.

export function openPaths(definitions) {
  const snapshots = new Map();
  for (const definition of definitions.ofType("StructureDefinition")) {
    if (definition.derivation === "constraint" || definition.kind === "logical") continue;
    snapshots.set(definition.type, new Map(definition.snapshot.element.map((element) => [element.path, element])));
  }
  const valueSets = new Map(definitions.ofType("ValueSet").map((valueSet) => [valueSet.url, valueSet]));

  /** Undefined when the path has functions in it, but for a cast at its end. */
  function elementAt(path) {
    const names = /^\(?((?:\w+\.)+?\w+?)(?:\.ofType\(\w+\))?\)?$/.exec(path)?.[1].split(".");
    if (names === undefined) return undefined;
    let at = names[0];
    let owner = names[0];
    let element;
    for (const name of names.slice(1)) {
      element = snapshots.get(owner)?.get(`${at}.${name}`) ?? snapshots.get(owner)?.get(`${at}.${name}[x]`);
      if (element === undefined) return undefined;
      const [type, ...others] = element.type ?? [];
      if (type === undefined) at = element.contentReference.slice(1);
      else if (others.length > 0 || type.code === "BackboneElement" || type.code === "Element") at = element.path;
      else at = owner = type.code;
    }
    return element;
  }

  const codeSystems = new Map(definitions.ofType("CodeSystem").map((codeSystem) => [codeSystem.url, codeSystem]));

  function includes(url) {
    const include = valueSets.get(url.split("|")[0])?.compose?.include ?? [{}];
    return include.flatMap((part) => (part.valueSet ? part.valueSet.flatMap(includes) : [part]));
  }

  /** Whether a system has the code, or the part of it that is listed. */
  function has({ system, concept = codeSystems.get(system)?.concept ?? [] }, code) {
    return concept.some((each) => each.code === code || has({ concept: each.concept ?? [] }, code));
  }

  return {
    /** The code systems of a required binding that have the code; where it is to one system, that. */
    impliedSystems(path, code) {
      const binding = elementAt(path)?.binding;
      if (binding?.strength !== "required" || binding.valueSet === undefined) return [];
      const all = includes(binding.valueSet);
      const names = [...new Set(all.map(({ system }) => system))];
      if (names.includes(undefined)) return [];
      return names.length === 1
        ? names
        : names.filter((name) => all.some((part) => part.system === name && has(part, code)));
    },
    /** The types a Reference may point to. */
    targets(path) {
      const references = (elementAt(path)?.type ?? []).filter((type) => type.code === "Reference");
      return references.flatMap((type) => (type.targetProfile ?? []).map((profile) => profile.split("/").pop()));
    },
  };
}
