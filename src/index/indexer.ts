import type { JsonObject } from "../base/json.ts";
import { resourceTypeId, resourceTypeName } from "../fhir/resource-types.ts";
import { qualifiedQuantities } from "../fhir/qualified-quantities.ts";
import type { SearchValueSink } from "../fhir/search-value.ts";
import { emitOwnCanonical, isCanonicalType } from "./canonicals.ts";
import { compileExtractor, type Extractor } from "./compile.ts";
import { readExtractionTrees, type ExtractionTrees } from "../fhir/extraction-tree.ts";
import { createCacheBudget } from "./value-cache.ts";
import type { ContainedResource } from "./contained-resources.ts";
import { emitContained, type ExtractValues } from "./contained-values.ts";
import { NOWHERE, ValueCollector, type LiteralOf, type LocalReference } from "./value-collector.ts";

export type { LiteralOf, LocalReference };

/** Takes the search values from resources. Not for two resources at once; each thread has its own. */
export interface Indexer {
  /**
   * Hands all search values of a checked resource to `sink`, no equality number twice. `typeId` is `resourceTypeId` of its
   * type. `literalOf` tells how a number with more than 15 digits was written (`literalsOf`); without it such a
   * number is indexed as the nearest double. Never throws on the content of a resource.
   */
  index(typeId: number, resource: JsonObject, sink: SearchValueSink, literalOf?: LiteralOf): void;
  /**
   * As {@link Indexer.index}, but without the values of what the resource contains: its references to that are returned.
   * `siblings` of a resource that is contained itself: what it can refer to (`siblingsIn`).
   */
  indexAlone(
    typeId: number,
    resource: JsonObject,
    sink: SearchValueSink,
    literalOf?: LiteralOf,
    siblings?: ReadonlyMap<string, ContainedResource>,
  ): readonly LocalReference[];
  /** The generation of the definitions beyond R4's that it knows; 0: none, as a database begins. */
  readonly generation: number;
  /** From now on also takes the values that these definitions' trees lead to, and those of none that is not among them. */
  extend(definitions: {
    readonly generation: number;
    readonly parameters: readonly { readonly id: number; readonly trees: ExtractionTrees }[];
  }): void;
}

/** Makes an indexer; the extractor of a resource type is compiled when the first resource of the type comes. */
export function createIndexer(): Indexer {
  const trees = readExtractionTrees();
  const collector = new ValueCollector();
  const shared = { budget: createCacheBudget() };
  const extractors: (Extractor | undefined)[] = [];
  /** By type id; empty where nothing is defined beyond R4. */
  let further: Extractor[][] = [];
  let generation = 0;
  /** By the numbers of the definitions, none of which ever stands for another one. */
  let defined: ReadonlyMap<number, TypeExtractors> = new Map();
  const extractorOf = (type: string): Extractor =>
    compileExtractor(trees[type] ?? [], shared, qualifiedQuantities(type));

  const extractR4: ExtractValues = (typeId, resource) =>
    (extractors[typeId] ??= extractorOf(resourceTypeName(typeId)))(collector, resource);
  const extract: ExtractValues = (typeId, resource) => {
    extractR4(typeId, resource);
    const more = further[typeId];
    if (more !== undefined) for (const one of more) one(collector, resource);
    if (isCanonicalType(resourceTypeName(typeId))) emitOwnCanonical(collector, resource);
  };

  return {
    index: (typeId, resource, sink, literalOf) => {
      collector.begin(sink, resource, literalOf);
      extract(typeId, resource);
      if (collector.localReferences.length > 0) emitContained(collector, resource, extractR4, sink);
      collector.sink = NOWHERE;
    },
    indexAlone: (typeId, resource, sink, literalOf, siblings) => {
      collector.begin(sink, resource, literalOf, siblings);
      extract(typeId, resource);
      collector.sink = NOWHERE;
      return collector.localReferences;
    },
    get generation() {
      return generation;
    },
    extend: ({ generation: itsGeneration, parameters }) => {
      defined = new Map(parameters.map(({ id, trees: own }) => [id, defined.get(id) ?? extractorsOf(own)]));
      further = [];
      for (const ofTypes of defined.values()) {
        for (const [typeId, extractor] of ofTypes) (further[typeId] ??= []).push(extractor);
      }
      generation = itsGeneration;
    },
  };
}

/** Takes the values of definitions beyond R4 alone, one definition at a time. */
export interface DefinitionIndexer {
  /** As {@link Indexer.index}, for the definition at this place in the list. */
  index(place: number, typeId: number, resource: JsonObject, sink: SearchValueSink, literalOf?: LiteralOf): void;
  /** Type ids that the definition is about. */
  typesOf(place: number): readonly number[];
}

/** Makes an indexer for definitions alone. */
export function createDefinitionIndexer(definitions: readonly ExtractionTrees[]): DefinitionIndexer {
  const collector = new ValueCollector();
  const extractors = definitions.map(extractorsOf);
  const shared = { budget: createCacheBudget() };
  let trees: ExtractionTrees | undefined;
  const ofContained: (Extractor | undefined)[] = [];
  const extractR4: ExtractValues = (typeId, resource) => {
    const type = resourceTypeName(typeId);
    const known = (trees ??= readExtractionTrees())[type] ?? [];
    (ofContained[typeId] ??= compileExtractor(known, shared, qualifiedQuantities(type)))(collector, resource);
  };
  return {
    index: (place, typeId, resource, sink, literalOf) => {
      collector.begin(sink, resource, literalOf);
      extractors[place]?.get(typeId)?.(collector, resource);
      if (collector.localReferences.length > 0) emitContained(collector, resource, extractR4, sink);
      collector.sink = NOWHERE;
    },
    typesOf: (place) => [...(extractors[place]?.keys() ?? [])],
  };
}

/** The extractors of one definition, by type id. */
type TypeExtractors = ReadonlyMap<number, Extractor>;

/** Each is compiled when the first resource of its type comes: hundreds of definitions can be stored, for a few types each. */
function extractorsOf(trees: ExtractionTrees): TypeExtractors {
  // Of its own, so that the caches of a definition that is gone go with it; small, as there may be thousands.
  const options = { budget: createCacheBudget(CACHED) };
  return new Map(
    Object.entries(trees).flatMap(([type, nodes]) => {
      const typeId = resourceTypeId(type);
      if (typeId === undefined) return [];
      let compiled: Extractor | undefined;
      const extractor: Extractor = (to, resource) => (compiled ??= compileExtractor(nodes, options))(to, resource);
      return [[typeId, extractor] as const];
    }),
  );
}

/** Entries of a definition's caches: 400 KB. */
const CACHED = 1000;
