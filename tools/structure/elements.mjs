// One StructureDefinition → its type and the types of its inner elements (Patient, Patient.contact, …).

/**
 * @typedef {{ name: string, types: string[], many: boolean, valueSet: string | undefined }} Element
 * @typedef {{ base: string | undefined, elements: Element[] }} Type
 */

const FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
const SYSTEM = "http://hl7.org/fhirpath/System.";
const CORE = "http://hl7.org/fhir/StructureDefinition/";
/** The types an inner element (with children of its own) may have. */
const INNER = new Set(["BackboneElement", "Element"]);

/** @param {import("../definitions.mjs").Resource} definition @returns {Map<string, Type>} by type name */
export function elementsOf(definition) {
  const [root, ...elements] = definition.snapshot.element;
  if (root.path !== definition.type) throw new Error(`${definition.id}: root element ${root.path}`);
  const parents = new Set(elements.map((element) => parentOf(element.path)));
  /** @type {Map<string, Type>} */
  const types = new Map([[definition.type, { base: baseOf(definition), elements: [] }]]);
  for (const element of elements) {
    if (element.sliceName !== undefined) throw new Error(`${element.id}: a slice in a base definition`);
    if (element.base.path !== element.path) continue; // inherited: stands with the base type
    if (parents.has(element.path)) {
      const [inner, ...more] = element.type;
      if (more.length > 0 || !INNER.has(inner.code)) throw new Error(`${element.path}: children of ${inner.code}`);
      types.set(element.path, { base: inner.code, elements: [] });
    }
    const type = types.get(parentOf(element.path));
    if (type === undefined) throw new Error(`${element.path}: no parent`);
    type.elements.push(read(element, definition.type, parents.has(element.path)));
  }
  return types;
}

/** @returns {Element} */
function read(element, root, inner) {
  const name = element.path.slice(element.path.lastIndexOf(".") + 1);
  const { max } = element;
  if (max !== "*" && !/^\d+$/.test(max)) throw new Error(`${element.path}: max ${max}`);
  // Cardinality of the base decides on the array: a profile-like max of 1 would still be written as an array.
  const many = (element.base.max ?? max) !== "1" && (element.base.max ?? max) !== "0";
  const types = inner ? [element.path] : typesOf(element, root);
  if (types.length !== 1 && !name.endsWith("[x]")) throw new Error(`${element.path}: several types, but no [x]`);
  const { binding } = element;
  const checked = binding?.strength === "required" && (types.includes("code") || types.includes("CodeableConcept"));
  if (checked && types.length > 1) throw new Error(`${element.path}: required binding on a choice of types`);
  return { name, types, many, valueSet: checked ? binding.valueSet : undefined };
}

function typesOf(element, root) {
  if (element.contentReference !== undefined) {
    if (element.type !== undefined) throw new Error(`${element.path}: type and contentReference`);
    const [file, target] = element.contentReference.split("#");
    if (file !== "" || !target.startsWith(`${root}.`)) throw new Error(`${element.path}: ${element.contentReference}`);
    return [target];
  }
  return element.type.map((type) => {
    if (!type.code.startsWith(SYSTEM)) return type.code;
    const real = type.extension?.find((extension) => extension.url === FHIR_TYPE)?.valueUrl;
    if (real === undefined) throw new Error(`${element.path}: ${type.code} without its FHIR type`);
    return real;
  });
}

function baseOf(definition) {
  if (definition.baseDefinition === undefined) return undefined;
  if (!definition.baseDefinition.startsWith(CORE)) throw new Error(`${definition.id}: ${definition.baseDefinition}`);
  return definition.baseDefinition.slice(CORE.length);
}

function parentOf(path) {
  return path.slice(0, path.lastIndexOf("."));
}
