import type { JsonObject } from "../base/json.ts";
import { toBigInt } from "../base/hash.ts";
import { readExtractionTrees, type ExtractionTrees, type TreeNode } from "../fhir/extraction-tree.ts";
import { compileExtractor, type Extractor } from "./compile.ts";
import { nodesOfToken } from "./qualified-quantities.ts";
import { createCacheBudget } from "./value-cache.ts";
import { NOWHERE, ValueCollector } from "./value-collector.ts";

/** Takes the equality values of some parameters from resources, and nothing else. */
export interface ParameterValues {
  /** The equality values that a resource of the type has by the parameters (ids, R4's or defined by `trees`). */
  of(type: string, resource: JsonObject, parameters: readonly number[], trees: readonly ExtractionTrees[]): Set<bigint>;
}

/** Extractors that are kept: of one type and set of parameters each. */
const MOST_EXTRACTORS = 200;

/** Makes one. What it compiles and remembers is for the hash that is in use: not to be used with another. */
export function createParameterValues(): ParameterValues {
  const collector = new ValueCollector();
  const extractors = new Map<string, Extractor>();
  let r4: ExtractionTrees | undefined;

  function extractorOf(type: string, parameters: readonly number[], trees: readonly ExtractionTrees[]): Extractor {
    // Ids of definitions are never used again, so they stand for their trees.
    const name = `${type} ${parameters.join()}`;
    const known = extractors.get(name);
    if (known !== undefined) return known;
    r4 ??= readExtractionTrees();
    const nodes: TreeNode[] = [r4, ...trees].flatMap((each) =>
      parameters.flatMap((parameter) => nodesOfToken(each[type] ?? [], parameter)),
    );
    if (extractors.size >= MOST_EXTRACTORS) extractors.clear();
    const extractor = compileExtractor(nodes, { budget: createCacheBudget() });
    extractors.set(name, extractor);
    return extractor;
  }

  return {
    of(type, resource, parameters, trees) {
      const values = new Set<bigint>();
      collector.begin(
        { ...NOWHERE, equality: (high, low) => void values.add(toBigInt({ high, low })) },
        resource,
        undefined,
      );
      extractorOf(type, parameters, trees)(collector, resource);
      collector.sink = NOWHERE;
      return values;
    },
  };
}
