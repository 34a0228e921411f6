// The elements of R4's types: what a step of a path leads to.

/**
 * Opens the element table: the `Elements` of `src/index/expression/elements.ts`, from HL7's definitions. `systemsOf` gives
 * the code systems of a value set (`systems.mjs`). `facts()` is what the product needs of it beside `structure.json`.
 */
export function openElements(structureDefinitions, systemsOf = () => ({})) {
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
    const inline = found.contentReference?.slice(1) ?? found.path;
    const systems = systemsOfCode(found);
    const types = (found.contentReference === undefined ? found.type : [{ code: found.contentReference }]).map(
      (row) => {
        const type = typeName(row.code);
        return {
          type,
          owner: isInline(type) ? inline : type,
          targets: targetsOf(row),
          ...(type === "code" ? systems : {}),
        };
      },
    );
    return { types, many: found.max === "*", choice: plain === undefined };
  }

  /** By path: which types a reference may point to, and which code systems a `code` is of. */
  function facts() {
    const rows = [];
    for (const [path, found] of [...byPath].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const targets = (found.type ?? [])
        .map((row) => [typeName(row.code), targetsOf(row)])
        .filter(([, types]) => types.length > 0);
      const systems = (found.type ?? []).some(({ code }) => code === "code") ? systemsOfCode(found) : {};
      if (targets.length === 0 && Object.keys(systems).length === 0) continue;
      const row = {
        ...(targets.length === 0 ? {} : { targets: Object.fromEntries(targets) }),
        ...systems,
      };
      rows.push(`${JSON.stringify(path.replace(/\[x\]$/, ""))}:${JSON.stringify(row)}`);
    }
    return `{\n${rows.join(",\n")}\n}\n`;
  }

  /** The code systems that a required binding is to. */
  function systemsOfCode({ binding }) {
    if (binding?.strength !== "required" || binding.valueSet === undefined) return {};
    return systemsOf(binding.valueSet.split("|")[0]);
  }

  /** Whether a type is another or derived from it: a canonical is a uri. */
  function isA(type, wanted) {
    for (let at = type; at !== undefined; at = parents.get(at)) if (at === wanted) return true;
    return false;
  }
  return { element, isA, facts };
}

/** Types whose children are defined where the element is, not by a type of their own. */
function isInline(type) {
  return type === "BackboneElement" || type === "Element" || type.startsWith("#");
}

function typeName(code) {
  return code.startsWith("http://hl7.org/fhirpath/System.") ? "string" : code;
}

function targetsOf(type) {
  return (type.targetProfile ?? []).map((profile) => profile.slice(profile.lastIndexOf("/") + 1));
}
