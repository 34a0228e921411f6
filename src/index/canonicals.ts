import type { Int64Halves } from "../base/hash.ts";
import type { JsonObject } from "../base/json.ts";
import {
  canonicalConstant,
  canonicalKey,
  CANONICAL_TERMS,
  ownCanonicalConstant,
  type CanonicalLink,
  type OwnCanonical,
} from "../fhir/canonical-value.ts";
import { resourceKey } from "../fhir/resource-key.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { readStructure } from "../fhir/structure.ts";
import { absoluteReferenceConstant, CASELESS_SYSTEM_TERMS, EqualityForm, equalityValue } from "../fhir/search-value.ts";
import { readReference, type ReferenceText } from "./reference-text.ts";
import { baseTerm } from "./references.ts";
import { storableText } from "./storable-text.ts";
import type { CachedTerm, CachedToken } from "./value-cache.ts";
import type { ValueCollector } from "./value-collector.ts";
import { emitEquality, emitPresent, isText, type GroupParameter, type ValueGroup } from "./value-group.ts";

/**
 * A canonical, or a uri where a reference is searched. `Type/id` is a reference like any other; a URL `[base]/Type/id` is one as well,
 * and all but the first, and those of the form `#id`, are known by their text, with and without `|version`.
 */
export function emitCanonicalReference(to: ValueCollector, group: ValueGroup, value: unknown): void {
  if (!isText(value)) return;
  emitPresent(to, group);
  if (value.startsWith("#")) return emitLocal(to, group, value);
  const { values, terms = [] } = group.cache.find("", value) ?? canonicalOf(group, value);
  for (let index = 0; index < values.length; index += 2) to.equality(values[index] ?? 0, values[index + 1] ?? 0);
  if (group.component) return;
  for (const { parameter, high, low, folded } of terms) to.sink.term(parameter, high, low, folded);
}

/** Types of resources that are referred to by canonical URL: those that have one, and a business version. The `url` of a Device, or of a DeviceDefinition, is a network address. */
const CANONICAL_TYPES: ReadonlySet<string> = canonicalTypes();

function canonicalTypes(): ReadonlySet<string> {
  const structure = readStructure();
  return new Set(
    RESOURCE_TYPES.filter((type) => {
      const elements = structure.get(type)?.elements;
      const version = elements?.get("version");
      return elements?.get("url")?.type === "uri" && version?.type === "string" && !version.many;
    }),
  );
}

/** Whether resources of a type are referred to by canonical URL. */
export function isCanonicalType(type: string): boolean {
  return CANONICAL_TYPES.has(type);
}

/** What a resource is referred to by, its `url`, and `url|version`; and of a CodeSystem, that case does not matter to its codes. */
export function emitOwnCanonical(to: ValueCollector, resource: JsonObject): void {
  const { url, version, resourceType, caseSensitive } = resource;
  if (!isText(url)) return;
  if (resourceType === "CodeSystem" && caseSensitive === false) emitCaseless(to, storableText(url));
  emitOwn(to, "url", url);
  if (isText(version)) emitOwn(to, "url|version", `${url}|${version}`);
}

function emitCaseless(to: ValueCollector, url: string): void {
  const { halves } = to;
  equalityValue(0, EqualityForm.caselessSystem, url, halves);
  to.equality(halves.high, halves.low);
  to.sink.term(CASELESS_SYSTEM_TERMS, halves.high, halves.low, url);
}

function emitOwn(to: ValueCollector, own: OwnCanonical, text: string): void {
  const { system: key, halves } = to;
  canonicalKey(text, key);
  ownCanonicalConstant(own, halves);
  to.equality(key.high ^ halves.high, key.low ^ halves.low);
}

/** What is contained in the same resource. */
function emitLocal(to: ValueCollector, group: ValueGroup, reference: string): void {
  const inside = to.containedResource(reference);
  for (const parameter of group.parameters) {
    emitEquality(to, parameter.id, EqualityForm.referenceText, reference);
    if (inside === undefined || group.component) continue;
    to.localReferences.push({ parameter: parameter.id, resource: inside });
  }
}

function canonicalOf(group: ValueGroup, value: string): CachedToken {
  const bar = value.indexOf("|");
  const url = bar > 0 ? value.slice(0, bar) : value;
  const isVersioned = bar > 0 && bar < value.length - 1;
  const read: ReferenceText = { text: "", type: "", typeId: 0, base: "", idAtBase: "", id: "", version: "" };
  readReference(url, read);
  const isRelative = read.id !== "" && read.typeId !== 0;
  const numbers: number[] = [];
  for (const parameter of group.parameters) {
    numbers.push(...placeNumbers(parameter, url, read, isRelative));
    if (isVersioned) numbers.push(...linkNumbers(parameter.id, "versioned", value));
    if (!isRelative) numbers.push(...linkNumbers(parameter.id, isVersioned ? "url of versioned" : "unversioned", url));
  }
  const terms: CachedTerm[] = [];
  const found: CachedToken = { values: Int32Array.from(numbers), resource: 0, terms };
  if (read.base !== "") terms.push(baseTerm(read.base));
  if (isVersioned && value.length <= LONGEST) terms.push(versionTerm(value));
  // The key of a resource is not remembered: it can become another one.
  if (read.typeId === 0) group.cache.keep("", value, found);
  return found;
}

/** Where a resource is, if the canonical is a place; of a bare id, which is none, its text. */
function placeNumbers(
  { id, constantHigh, constantLow }: GroupParameter,
  url: string,
  read: ReferenceText,
  isRelative: boolean,
): number[] {
  const key: Int64Halves = { high: 0, low: 0 };
  const out: Int64Halves = { high: 0, low: 0 };
  if (isRelative) {
    resourceKey(read.typeId, read.id, key);
    return [key.high ^ constantHigh, key.low ^ constantLow];
  }
  if (read.base !== "") {
    resourceKey(read.typeId, read.idAtBase, key);
    absoluteReferenceConstant(id, read.base, out);
    return [key.high ^ out.high, key.low ^ out.low];
  }
  if (read.id === "") return [];
  equalityValue(id, EqualityForm.referenceText, url, out);
  return [out.high, out.low];
}

function linkNumbers(parameter: number, link: CanonicalLink, canonical: string): number[] {
  const key: Int64Halves = { high: 0, low: 0 };
  const constant: Int64Halves = { high: 0, low: 0 };
  canonicalKey(canonical, key);
  canonicalConstant(parameter, link, constant);
  return [key.high ^ constant.high, key.low ^ constant.low];
}

/** A canonical with its version, for `:below`. */
function versionTerm(canonical: string): CachedTerm {
  const out: Int64Halves = { high: 0, low: 0 };
  canonicalKey(canonical, out);
  return { parameter: CANONICAL_TERMS, high: out.high, low: out.low, folded: storableText(canonical) };
}

/** What is longer is not found by a part of its version. */
const LONGEST = 1000;
