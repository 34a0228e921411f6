import type { JsonObject, JsonValue } from "../../../base/json.ts";
import { typeIdOfKey, keyRangeOfType } from "../../../fhir/resource-key.ts";
import { resourceTypeId } from "../../../fhir/resource-types.ts";
import { UNIT_TERMS } from "../../../fhir/search-value.ts";
import { collectValues, type ResourceValues } from "../../../index/collected-values.ts";
import { siblingsIn } from "../../../index/contained-resources.ts";
import type { Indexer } from "../../../index/indexer.ts";
import { literalsOf } from "../../../index/number-literals.ts";
import type { Lookups } from "../../condition/condition.ts";
import { objectIn } from "../../../fhir/json-members.ts";

/** A resource that contains others. */
export interface Container {
  readonly key: bigint;
  readonly typeId: number;
  readonly references: readonly LocalLink[];
  /** By the references to them. */
  readonly contained: ReadonlyMap<string, ContainedEntry>;
}

/** A contained resource. */
export interface ContainedEntry {
  /** Its type's, and otherwise made up: no resource has it, and none of the same set. */
  readonly key: bigint;
  readonly typeId: number;
  readonly container: Container;
  readonly id: string;
  readonly resource: JsonObject;
  /** `#` is the container. */
  readonly references: readonly LocalLink[];
  readonly values: ResourceValues;
}

/** A reference of a parameter to what is contained in the same resource. */
export interface LocalLink {
  readonly parameter: number;
  readonly reference: string;
}

/** The contained resources of some resources, with their search values. */
export interface ContainedSet {
  readonly containers: readonly Container[];
  readonly entries: readonly ContainedEntry[];
  readonly units: NonNullable<Lookups["containedUnits"]>;
}

/** Gathers contained resources. */
export interface ContainedReader {
  /** Takes what a stored resource contains. */
  add(key: bigint, body: Buffer): void;
  /** Search values taken since the last {@link ContainedReader.take}. */
  readonly size: number;
  /** What was added since the last call. */
  take(): ContainedSet;
}

/** Makes a reader; the indexer takes the same values as from what is stored by itself. */
export function createContainedReader(indexer: Indexer): ContainedReader {
  let containers: Container[] = [];
  let entries: ContainedEntry[] = [];
  let size = 0;
  return {
    add(key, body) {
      const text = body.toString("utf8");
      const resource = objectIn(JSON.parse(text) as JsonValue);
      if (resource === undefined) return;
      const literalOf = literalsOf(text);
      const siblings = siblingsIn(resource);
      const contained = new Map<string, ContainedEntry>();
      const references = linksOf(indexer.indexAlone(typeIdOfKey(key), resource, collectValues().sink, literalOf));
      const container: Container = { key, typeId: typeIdOfKey(key), references, contained };
      for (const [reference, { type: name, resource: inner }] of siblings) {
        const typeId = resourceTypeId(name);
        if (typeId === undefined || reference === "#") continue;
        const { sink, values } = collectValues();
        const found = linksOf(indexer.indexAlone(typeId, inner, sink, literalOf, siblings));
        const made = keyRangeOfType(typeId).low + BigInt(entries.length);
        const entry = {
          key: made,
          typeId,
          container,
          id: reference.slice(1),
          resource: inner,
          references: found,
          values,
        };
        contained.set(reference, entry);
        entries.push(entry);
        size += sizeOf(values);
      }
      if (contained.size > 0) containers.push(container);
    },
    get size() {
      return size;
    },
    take() {
      const set = { containers, entries, units: unitsOf(entries) };
      containers = [];
      entries = [];
      size = 0;
      return set;
    },
  };
}

function linksOf(references: ReturnType<Indexer["indexAlone"]>): LocalLink[] {
  return references.map(({ parameter, resource: { reference } }) => ({ parameter, reference }));
}

function sizeOf({ equality, dates, quantities, strings, terms }: ResourceValues): number {
  return equality.length + dates.length + quantities.length + strings.length + terms.length;
}

/** The units of all quantities, as rows have them, and the names of those that are UCUM's. */
function unitsOf(entries: readonly ContainedEntry[]): ContainedSet["units"] {
  const terms = entries.flatMap(({ values }) => values.terms);
  return {
    codes: new Set(entries.flatMap(({ values }) => values.quantities.map(({ code }) => code))),
    names: [...new Set(terms.filter(({ parameter }) => parameter === UNIT_TERMS).map(({ folded }) => folded))],
  };
}
