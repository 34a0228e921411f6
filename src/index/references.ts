import type { Int64Halves } from "../base/hash.ts";
import { resourceKey } from "../fhir/resource-key.ts";
import { resourceTypeId } from "../fhir/resource-types.ts";
import {
  absoluteReferenceConstant,
  BASE_TERMS,
  baseValue,
  EqualityForm,
  VERSIONED_TERMS,
  versionedTermValue,
} from "../fhir/search-value.ts";
import { NO_REFERENCE, recentReference, type ReferenceText } from "./reference-text.ts";
import { storableText } from "./storable-text.ts";
import type { CachedTerm, CachedToken } from "./value-cache.ts";
import type { ValueCollector } from "./value-collector.ts";
import { emitEquality, isObjectOrArray, isText, type GroupParameter, type ValueGroup } from "./value-group.ts";

/** Reference (contract 10.7): the target, its type, and the logical identifier. */
export function emitReference(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
  const { reference, type, identifier } = value;
  const read = isText(reference) ? recentReference(reference) : NO_REFERENCE;
  let { type: readType, typeId: readTypeId } = read;
  // `resolve()` finds what is contained; of other texts that name no type only Reference.type tells.
  const inside = read.text.startsWith("#") ? to.containedResource(read.text) : undefined;
  const told = inside?.type ?? type;
  if (readTypeId === 0 && isText(told)) {
    const typeId = resourceTypeId(told);
    if (typeId !== undefined) {
      readType = told;
      readTypeId = typeId;
    }
  }
  if (read.base !== "" && !group.component) emitBase(to, group, read.base);
  const key = to.system;
  let keyType = 0;
  for (const parameter of group.parameters) {
    if (parameter.refersTo !== undefined && parameter.refersTo !== readType) continue;
    if (!group.component) to.equality(parameter.presentHigh, parameter.presentLow);
    const inferred = readTypeId === 0 && read.id !== "" ? parameter.onlyTarget : 0;
    const typeId = inferred === 0 ? readTypeId : inferred;
    if (read.id !== "" && typeId !== 0) {
      if (keyType !== typeId) {
        resourceKey(typeId, read.id, key);
        keyType = typeId;
      }
      emitTarget(to, parameter, key);
    } else if (read.base !== "") {
      if (keyType === 0) resourceKey(readTypeId, read.idAtBase, key);
      keyType = readTypeId;
      absoluteReferenceConstant(parameter.id, read.base, to.halves);
      to.equality(key.high ^ to.halves.high, key.low ^ to.halves.low);
    } else if (read.text !== "") {
      emitEquality(to, parameter.id, EqualityForm.referenceText, read.text);
    }
    if (!group.component) emitType(to, parameter, typeId);
    if (read.version !== "" && typeId !== 0 && !group.component) emitVersion(to, parameter.id, read);
    if (inside !== undefined && !group.component)
      to.localReferences.push({ parameter: parameter.id, resource: inside });
    if (isObjectOrArray(identifier) && !group.component) emitReferenceIdentifier(to, parameter.id, identifier);
  }
}

/** An element that is a resource itself (`Bundle.entry[0].resource`): as if it were referred to. */
export function emitResourceReference(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isObjectOrArray(value)) return;
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
    number = { values: NO_NUMBERS, resource: 0, terms: [baseTerm(base)] } satisfies CachedToken;
    group.cache.keep("", base, number);
  }
  if (number.resource === to.resource) return;
  number.resource = to.resource;
  for (const { parameter, high, low, folded } of number.terms ?? []) to.sink.term(parameter, high, low, folded);
}

const NO_NUMBERS = new Int32Array();

/** A base of references among the terms. */
export function baseTerm(base: string): CachedTerm {
  const halves = { high: 0, low: 0 };
  baseValue(base, halves);
  return { parameter: BASE_TERMS, high: halves.high, low: halves.low, folded: storableText(base) };
}

/** A reference to one version: it is found by that version, too, and chains over it are known to lead to another one. */
function emitVersion(to: ValueCollector, parameter: number, { text, version }: ReferenceText): void {
  emitEquality(to, parameter, EqualityForm.referenceText, `${text}/_history/${version}`);
  emitEquality(to, parameter, EqualityForm.versionedReference, "");
  versionedTermValue(parameter, to.halves);
  to.sink.term(VERSIONED_TERMS, to.halves.high, to.halves.low, String(parameter));
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
