import { storedParameters } from "../../fhir/derived-parameters.ts";
import { RESOURCE_TYPES } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import { containedTerm, EqualityForm } from "../../fhir/search-value.ts";
import { createIndexer, type Indexer } from "../../index/indexer.ts";
import type { Queryable } from "../../store/read.ts";
import { readDefinitions } from "../../store/search-parameters.ts";
import { findCandidates, limitText, READ_LIMITS, readCandidates, type ReadLimits } from "../candidates.ts";
import { allOf, NEVER, remembered, type Condition, type Lookups } from "../conditions/condition.ts";
import { equalityOf } from "../conditions/equality.ts";
import { targetsOf } from "../conditions/reference-link.ts";
import { resolveStored } from "../conditions/resolve.ts";
import type { CriteriaGroup } from "../query/criteria.ts";
import { tooCostly } from "../too-costly.ts";
import { linkTest, type Planning } from "./contained-conditions.ts";
import { containedMatching } from "./contained-rows.ts";
import { createContainedReader, type ContainedSet } from "./contained-set.ts";
import { containerCondition, plainCriteria } from "./prefilter.ts";

/** A chain of a search, of which the part into contained resources is asked. */
export interface ContainedChain {
  parameter: SearchParameter;
  /** The types that are searched; undefined: all. */
  types: readonly string[] | undefined;
  /** What the contained resource must meet. */
  groups: readonly CriteriaGroup[];
  /** What else is asked of the resource that contains it. */
  others: Condition;
  plan: Planning;
  limits?: ReadLimits | undefined;
}

/**
 * The resources that refer, by a chain's parameter, to a contained resource that meets its condition (R4 search, 3.1.1.5.5).
 * `pairs` are the stored terms of contained resources: where they say that there are none, nothing is read. Otherwise those that
 * the index cannot rule out are read, a bounded number, and the condition is evaluated inside. Throws `too-costly` when there
 * are more.
 */
export async function containedMatches(
  lookups: Lookups,
  chain: ContainedChain,
  pairs: ReadonlySet<string>,
): Promise<Condition> {
  const { parameter, groups, plan, limits = READ_LIMITS } = chain;
  const types = chain.types ?? RESOURCE_TYPES;
  const markers = markersOf(parameter, types, groups).filter(({ parameter: id, type }) =>
    pairs.has(containedTerm(id, type)),
  );
  if (markers.length === 0) return NEVER;
  const values = markers.map(({ parameter: id, type }) => equalityOf(id, EqualityForm.contained, type));
  const told = containerCondition(plan(plainCriteria(groups)), [...new Set(markers.map(({ parameter: id }) => id))]);
  const asked = allOf([chain.others, { kind: "holds", values }, ...(told === undefined ? [] : [told])]);
  const found = await findCandidates(lookups, await resolveStored(lookups, asked), limits);
  if (found === undefined) {
    const why = `chains look into contained resources by reading those that contain them, and ${limitText(limits)}, may match`;
    throw tooCostly(`${why}: add a selective parameter, such as a patient, a code or a date`, parameter.code);
  }
  if (found.length === 0) return NEVER;
  const indexer = await remembered(lookups, "indexer", () => openIndexer(lookups.db));
  const reader = createContainedReader(indexer);
  const keys: bigint[] = [];
  const isLink = linkTest(parameter, types);
  const evaluate = async (set: ContainedSet): Promise<void> => {
    const matching = await containedMatching(lookups, set, plan(groups, set));
    for (const { key, references, contained } of set.containers) {
      const isMatch = references.some(({ parameter: by, reference }) => {
        const entry = contained.get(reference);
        return entry !== undefined && matching.has(entry.key) && isLink(by, entry.typeId);
      });
      if (isMatch) keys.push(key);
    }
  };
  for await (const bodies of readCandidates(lookups, found)) {
    for (const { key, body } of bodies) reader.add(key, body);
    if (reader.size > MAX_VALUES) await evaluate(reader.take());
  }
  await evaluate(reader.take());
  return keys.length === 0 ? NEVER : { kind: "keys", keys: keys.toSorted((a, b) => (a < b ? -1 : 1)) };
}

/** Search values of contained resources that are evaluated together. */
const MAX_VALUES = 200_000;

/** The stored parameters and types of contained resources that the chain can lead over. */
function markersOf(
  parameter: SearchParameter,
  types: readonly string[],
  groups: readonly CriteriaGroup[],
): { parameter: number; type: string }[] {
  const asked = groups.flatMap((group) => group.types ?? RESOURCE_TYPES);
  const possible = targetsOf(parameter).filter((type) => asked.includes(type));
  return storedParameters(parameter, types).flatMap(({ parameter: id, targetType }) =>
    possible.filter((type) => targetType === undefined || type === targetType).map((type) => ({ parameter: id, type })),
  );
}

/** An indexer that knows all search parameters of the search's state of the database. */
async function openIndexer(db: Queryable): Promise<Indexer> {
  const indexer = createIndexer();
  const { generation, parameters } = await readDefinitions(db);
  indexer.extend(
    generation,
    parameters.map(({ trees }) => trees),
  );
  return indexer;
}
