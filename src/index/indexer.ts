import type { JsonObject } from "../base/json.ts";
import { resourceTypeName } from "../fhir/resource-types.ts";
import type { SearchValueSink } from "../fhir/search-value.ts";
import { compileExtractor, type Extractor } from "./compile.ts";
import { readExtractionTrees } from "./extraction-tree.ts";
import { createCacheBudget } from "./value-cache.ts";
import { NOWHERE, ValueCollector, type LiteralOf } from "./value-collector.ts";

export type { LiteralOf };

/** Takes the search values from resources. Not for two resources at once; each thread has its own. */
export interface Indexer {
  /**
   * Hands all search values of a checked resource to `sink`, no equality number twice. `typeId` is `resourceTypeId` of its
   * type. `literalOf` tells how a number with more than 15 digits was written (`numberLiteral`); without it such a
   * number is indexed as the nearest double. Never throws on the content of a resource.
   */
  index(typeId: number, resource: JsonObject, sink: SearchValueSink, literalOf?: LiteralOf): void;
}

/** Makes an indexer; the extractor of a resource type is compiled when the first resource of the type comes. */
export function createIndexer(): Indexer {
  const trees = readExtractionTrees();
  const collector = new ValueCollector();
  const shared = { budget: createCacheBudget() };
  const extractors: (Extractor | undefined)[] = [];

  return {
    index: (typeId, resource, sink, literalOf) => {
      const extract = (extractors[typeId] ??= compileExtractor(trees[resourceTypeName(typeId)] ?? [], shared));
      collector.begin(sink, literalOf);
      extract(collector, resource);
      collector.sink = NOWHERE;
    },
  };
}
