import { fromBigInt, toBigInt, type Int64Halves } from "../../base/hash.ts";
import type { CustomSearchParameter } from "../../fhir/custom-search-parameters.ts";
import { SEARCH_PARAMETERS } from "../../fhir/search-parameters.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import {
  absoluteReferenceConstant,
  containedValue,
  EqualityForm,
  equalityValue,
  referenceConstant,
} from "../../fhir/search-value.ts";

/** What is stored of references besides their values. */
export interface KnownReferences {
  /** Definitions beyond R4's. */
  readonly parameters: readonly CustomSearchParameter[];
  /** Bases of references that are written as URLs. */
  readonly bases: readonly string[];
  /** Pairs of a parameter and a type: the parameter refers to contained resources of the type. */
  readonly contained: readonly { readonly parameter: number; readonly type: string }[];
}

/** Values that are asked for at once: some megabytes. */
const VALUES_PER_STATEMENT = 200_000;

/**
 * The equality values of which a resource has one when it refers to a resource with one of these keys, by whatever parameter,
 * as URL or not, itself or in what it contains; and by any custom composite, which mix the key with other values: by
 * these all resources that have values of it are found. In parts of a bounded size.
 */
export function* valuesOfReferences(keys: readonly bigint[], known: KnownReferences): Generator<bigint[]> {
  let part: bigint[] = [];
  for (const value of allValues(keys, known)) {
    part.push(value);
    if (part.length < VALUES_PER_STATEMENT) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

function* allValues(keys: readonly bigint[], { parameters, bases, contained }: KnownReferences): Generator<bigint> {
  const out: Int64Halves = { high: 0, low: 0 };
  for (const { id, components } of parameters) {
    if (!components.some(({ type }) => type === "reference")) continue;
    equalityValue(id, EqualityForm.present, "", out);
    yield toBigInt(out);
  }
  const r4 = SEARCH_PARAMETERS.filter(isReference).map(({ id }) => id);
  const own = parameters.filter(isReference).map(({ id }) => id);
  const ofContained = [...constantsOf(r4, bases)];
  for (const constant of constantsOf([...r4, ...own], bases)) for (const key of keys) yield key ^ constant;
  for (const { parameter, type } of contained) {
    const typeId = resourceTypeId(type);
    if (typeId === undefined) continue;
    for (const constant of ofContained) {
      for (const key of keys) {
        containedValue(parameter, typeId, fromBigInt(key ^ constant), out);
        yield toBigInt(out);
      }
    }
  }
}

function isReference({ type }: { readonly type: string }): boolean {
  return type === "reference";
}

function* constantsOf(parameters: readonly number[], bases: readonly string[]): Generator<bigint> {
  const out: Int64Halves = { high: 0, low: 0 };
  for (const parameter of parameters) {
    referenceConstant(parameter, out);
    yield toBigInt(out);
    for (const base of bases) {
      absoluteReferenceConstant(parameter, base, out);
      yield toBigInt(out);
    }
  }
}
