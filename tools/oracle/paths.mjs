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

  function systems(url) {
    const include = valueSets.get(url.split("|")[0])?.compose?.include ?? [{}];
    return include.flatMap((part) => (part.valueSet ? part.valueSet.flatMap(systems) : [part.system]));
  }

  return {
    /** The one code system of a required binding. */
    impliedSystem(path) {
      const binding = elementAt(path)?.binding;
      if (binding?.strength !== "required" || binding.valueSet === undefined) return undefined;
      const all = [...new Set(systems(binding.valueSet))];
      return all.length === 1 ? all[0] : undefined;
    },
    /** The types a Reference may point to. */
    targets(path) {
      const references = (elementAt(path)?.type ?? []).filter((type) => type.code === "Reference");
      return references.flatMap((type) => (type.targetProfile ?? []).map((profile) => profile.split("/").pop()));
    },
  };
}
