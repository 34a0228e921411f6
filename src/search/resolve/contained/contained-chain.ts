import { RESOURCE_TYPES } from "../../../fhir/resource-types.ts";
import type { SearchParameter } from "../../../fhir/search-parameters.ts";
import { containedTerm } from "../../../fhir/search-value.ts";
import { createIndexer, type Indexer } from "../../../index/indexer.ts";
import type { Queryable } from "../../../postgres/pool.ts";
import { readDefinitions } from "../../../store/search/search-parameters.ts";
import { findCandidates, limitText, READ_LIMITS, readCandidates, type ReadLimits } from "../candidates.ts";
import { ALWAYS, NEVER, remembered, type Condition, type Lookups } from "../../condition/condition.ts";
import { allOf } from "../../condition/combine.ts";
import { oneOf } from "../../condition/combine.ts";
import { resolveStored, resolveWithin } from "../resolve.ts";
import type { CriteriaGroup } from "../../criteria/criteria.ts";
import { tooCostly } from "../../cost/too-costly.ts";
import type { Planning } from "./contained-conditions.ts";
import { containedLinks, linkTest, markerOf, type ContainedLink } from "./contained-links.ts";
import { containedMatching } from "./contained-rows.ts";
import { createContainedReader, type ContainedSet } from "./contained-set.ts";
import { plainCriteria, toldByContainer } from "./prefilter.ts";

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

/** A group of a chain's end: what finds its resources at once, and which others must be read. */
interface AskedGroup {
  group: CriteriaGroup;
  found: Condition;
  read: Condition;
}

/**
 * The resources that refer, by a chain's parameter, to a contained resource that meets its condition (R4 search, 3.1.1.5.5).
 * `pairs` are the stored terms of contained resources: where they say that there are none, nothing is asked. One equality value is
 * found by the index. For anything else the resources that the index cannot rule out are read, a bounded number, and the
 * condition is evaluated inside. Throws `too-costly` when there are more.
 */
export async function containedMatches(
  lookups: Lookups,
  chain: ContainedChain,
  pairs: ReadonlySet<string>,
): Promise<Condition> {
  if (pairs.size === 0) return NEVER;
  const asked: AskedGroup[] = [];
  for (const group of chain.groups) {
    const links = containedLinks(chain.parameter, chain.types ?? RESOURCE_TYPES, group);
    const stored = links.filter(({ parameter, type }) => pairs.has(containedTerm(parameter, type)));
    if (stored.length > 0) asked.push(await askGroup(lookups, chain.plan, group, stored, pairs));
  }
  const read = asked.filter((each) => each.read !== NEVER);
  const found = asked.map((each) => each.found);
  return oneOf(read.length === 0 ? found : [...found, await readMatches(lookups, chain, read)]);
}

async function askGroup(
  lookups: Lookups,
  plan: Planning,
  group: CriteriaGroup,
  links: readonly ContainedLink[],
  pairs: ReadonlySet<string>,
): Promise<AskedGroup> {
  const plain = plainCriteria(group);
  const resolved = await resolveWithin(lookups, plan([plain], { told: pairs }));
  const { condition: told, isExact } = toldByContainer(resolved, links);
  const markers: Condition = { kind: "holds", values: links.map(markerOf) };
  const partial = [...new Set(links.map(({ parameter }) => parameter))].filter((parameter) =>
    pairs.has(containedTerm(parameter, "")),
  );
  const untold: Condition = { kind: "holds", values: partial.map((parameter) => markerOf({ parameter, type: "" })) };
  const isPlain = plain.criteria.length === group.criteria.length;
  if (isExact && isPlain && !leadsToSiblings(group, pairs)) {
    return { group, found: told === ALWAYS ? markers : told, read: partial.length === 0 ? NEVER : untold };
  }
  const possible = partial.length === 0 || told === ALWAYS ? told : oneOf([told, untold]);
  return { group, found: NEVER, read: allOf([markers, possible]) };
}

/** Whether one of the group's chains may go on to what is contained in the same resource, which is not told by values. */
function leadsToSiblings({ types, criteria }: CriteriaGroup, pairs: ReadonlySet<string>): boolean {
  return criteria.some(
    (criterion) =>
      criterion.kind === "chain" &&
      criterion.groups.some(
        (group) => nestedLinks(criterion.parameter, types ?? RESOURCE_TYPES, group, pairs).length > 0,
      ),
  );
}

/** The ways from contained resources to others in the same resource, those that there are. */
export function nestedLinks(
  parameter: SearchParameter,
  types: readonly string[],
  group: CriteriaGroup,
  pairs: ReadonlySet<string>,
): ContainedLink[] {
  return containedLinks(parameter, types, group).filter(({ parameter: id, type }) =>
    pairs.has(containedTerm(id, type, "nested")),
  );
}

/** Those of the resources that match, by what they contain. */
async function readMatches(
  lookups: Lookups,
  { parameter, types, others, plan, limits = READ_LIMITS }: ContainedChain,
  asked: readonly AskedGroup[],
): Promise<Condition> {
  const condition = allOf([others, oneOf(asked.map(({ read }) => read))]);
  const found = await findCandidates(lookups, await resolveStored(lookups, condition), limits);
  if (found === undefined) {
    const why = `chains look into contained resources by reading those that contain them, and ${limitText(limits)}, may match`;
    throw tooCostly(`${why}: add a selective parameter, such as a patient, a code or a date`, parameter.code);
  }
  if (found.length === 0) return NEVER;
  const reader = createContainedReader(await remembered(lookups, "indexer", () => openIndexer(lookups.db)));
  const groups = asked.map(({ group }) => group);
  const isLink = linkTest(parameter, types ?? RESOURCE_TYPES);
  const keys: bigint[] = [];
  const evaluate = async (set: ContainedSet): Promise<void> => {
    const matching = await containedMatching(lookups, set, plan(groups, { set }));
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

/** An indexer that knows all search parameters of the search's state of the database. */
async function openIndexer(db: Queryable): Promise<Indexer> {
  const indexer = createIndexer();
  indexer.extend(await readDefinitions(db));
  return indexer;
}
