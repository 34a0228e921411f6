import type { Int64Halves } from "../base/hash.ts";
import { resourceKey } from "../fhir/resource-key.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import { absoluteReferenceConstant, BASE_TERMS, baseValue, EqualityForm } from "../fhir/search-value.ts";
import { readReference, type ReferenceText } from "./reference-text.ts";
import { storableText } from "./storable-text.ts";
import type { CachedToken } from "./value-cache.ts";
import type { ValueCollector } from "./value-collector.ts";
import { emitEquality, emitPresent, isObject, isText, type GroupParameter, type ValueGroup } from "./value-group.ts";

/** Reference (contract 10.7): the target, its type, and the logical identifier. */
export function emitReference(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObject(value)) return;
  const { reference, type, identifier } = value;
  const read: ReferenceText = { text: "", type: "", typeId: 0, base: "", idAtBase: "", id: "" };
  if (isText(reference)) readReference(reference, read);
  // `resolve()` finds what is contained; of other texts that name no type only Reference.type tells.
  const inside = read.text.startsWith("#") ? to.containedResource(read.text) : undefined;
  const told = inside?.type ?? type;
  if (read.typeId === 0 && isText(told)) {
    const typeId = resourceTypeId(told);
    if (typeId !== undefined) {
      read.type = told;
      read.typeId = typeId;
    }
  }
  if (read.base !== "" && !group.component) emitBase(to, group, read.base);
  const key = to.system;
  let keyType = 0;
  for (const parameter of group.parameters) {
    if (parameter.refersTo !== undefined && parameter.refersTo !== read.type) continue;
    if (!group.component) to.equality(parameter.presentHigh, parameter.presentLow);
    const inferred = read.typeId === 0 && read.id !== "" ? parameter.onlyTarget : 0;
    const typeId = inferred === 0 ? read.typeId : inferred;
    if (read.id !== "" && typeId !== 0) {
      if (keyType !== typeId) {
        resourceKey(typeId, read.id, key);
        keyType = typeId;
      }
      emitTarget(to, parameter, key);
    } else if (read.base !== "") {
      if (keyType === 0) resourceKey(read.typeId, read.idAtBase, key);
      keyType = read.typeId;
      absoluteReferenceConstant(parameter.id, read.base, to.halves);
      to.equality(key.high ^ to.halves.high, key.low ^ to.halves.low);
    } else if (read.text !== "") {
      emitEquality(to, parameter.id, EqualityForm.referenceText, read.text);
    }
    if (!group.component) emitType(to, parameter, typeId);
    if (inside !== undefined && !group.component)
      to.localReferences.push({ parameter: parameter.id, resource: inside });
    if (isObject(identifier) && !group.component) emitReferenceIdentifier(to, parameter.id, identifier);
  }
}

/** A canonical, or a uri where a reference is searched: as written, and without `|version`. */
export function emitCanonicalReference(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isText(value)) return;
  emitPresent(to, group);
  const version = value.indexOf("|");
  for (const { id } of group.parameters) {
    emitEquality(to, id, EqualityForm.referenceText, value);
    if (version > 0) emitEquality(to, id, EqualityForm.referenceText, value.slice(0, version));
  }
}

/** An element that is a resource itself (`Bundle.entry[0].resource`): as if it were referred to. */
export function emitResourceReference(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObject(value)) return;
  const { resourceType, id } = value;
  const parameters = group.parameters.filter(({ targets }) => targets?.includes(String(resourceType)) ?? true);
  if (parameters.length === 0 || !isText(resourceType)) return;
  const reference = isText(id) ? { reference: `${resourceType}/${id}` } : { type: resourceType };
  emitReference(to, { ...group, parameters }, reference);
}

/** The base of a reference, for searches to know which ones there are. */
function emitBase(to: ValueCollector, group: ValueGroup, base: string): void {
  let number = group.cache.find("", base);
  if (number === undefined) {
    const halves = { high: 0, low: 0 };
    baseValue(base, halves);
    number = { values: Int32Array.of(halves.high, halves.low), resource: 0 } satisfies CachedToken;
    group.cache.keep("", base, number);
  }
  if (number.resource === to.resource) return;
  number.resource = to.resource;
  const { values } = number;
  to.sink.term(BASE_TERMS, values[0] ?? 0, values[1] ?? 0, storableText(base));
}

function emitTarget(to: ValueCollector, parameter: GroupParameter, key: Int64Halves): void {
  to.equality(key.high ^ parameter.constantHigh, key.low ^ parameter.constantLow);
}

/** The type a reference points to, where another parameter is about that type; not part of a composite's values. */
function emitType(to: ValueCollector, parameter: GroupParameter, typeId: number): void {
  const number = parameter.types.get(typeId);
  if (number !== undefined) to.equality(number.high, number.low);
}

/** `Reference.identifier`, for `:identifier`. */
function emitReferenceIdentifier(to: ValueCollector, parameter: number, identifier: Record<string, unknown>): void {
  const { system, value } = identifier;
  if (isText(value)) emitEquality(to, parameter, EqualityForm.identifierCode, value);
  if (isText(system)) {
    emitEquality(to, parameter, EqualityForm.identifierSystem, system);
    if (isText(value)) emitEquality(to, parameter, EqualityForm.identifierSystemCode, `${system}|${value}`);
  } else if (isText(value)) {
    emitEquality(to, parameter, EqualityForm.identifierNoSystemCode, value);
  }
}
