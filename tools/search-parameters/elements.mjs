// The elements of R4's types: what a step of a path leads to.

/**
 * Opens the element table.
 * `element(owner, name)` is `{ types: [{ type, targets }], many, choice, path, binding }` or undefined; `isA(type, wanted)` knows derived types.
 */
export function openElements(structureDefinitions) {
  const byPath = new Map();
  const parents = new Map();
  for (const definition of structureDefinitions) {
    if (definition.derivation === "constraint" || definition.kind === "logical") continue;
    parents.set(definition.type, definition.baseDefinition?.slice(definition.baseDefinition.lastIndexOf("/") + 1));
    for (const element of definition.snapshot.element) {
      if (element.path.includes(".")) byPath.set(element.path, element);
    }
  }

  /** The element `name` of a type or of an inline element path. */
  function element(owner, name) {
    const plain = byPath.get(`${owner}.${name}`);
    const found = plain ?? byPath.get(`${owner}.${name}[x]`);
    if (found === undefined) return undefined;
    const types = (found.contentReference === undefined ? found.type : [{ code: found.contentReference }]).map(
      (type) => ({
        type: typeName(type.code),
        targets: (type.targetProfile ?? []).map((profile) => profile.slice(profile.lastIndexOf("/") + 1)),
      }),
    );
    return {
      types,
      many: found.max === "*",
      choice: plain === undefined,
      path: found.path,
      owner: found.contentReference?.slice(1) ?? found.path,
      binding: found.binding?.strength === "required" ? found.binding.valueSet?.split("|")[0] : undefined,
    };
  }

  /** Whether a type is another or derived from it: a canonical is a uri. */
  function isA(type, wanted) {
    for (let at = type; at !== undefined; at = parents.get(at)) if (at === wanted) return true;
    return false;
  }
  return { element, isA };
}

/** Types whose children are defined where the element is, not by a type of their own. */
export function isInline(type) {
  return type === "BackboneElement" || type === "Element" || type.startsWith("#");
}

function typeName(code) {
  return code.startsWith("http://hl7.org/fhirpath/System.") ? "string" : code;
}
