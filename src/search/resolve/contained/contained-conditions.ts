import { resourceTypeId } from "../../../fhir/resource-types.ts";
import { ALWAYS, NEVER, remembered, type Condition, type Lookups } from "../../condition/condition.ts";
import { allOf } from "../../condition/combine.ts";
import { canonicalRefers } from "../canonical-links.ts";
import { refersByCanonical } from "../../../fhir/parameter-elements.ts";
import { ownUrls } from "../own-urls.ts";
import { gatheringSql } from "../../cost/planner.ts";
import { referenceLinks } from "../../condition/reference-link.ts";
import { resolveStored } from "../resolve.ts";
import type { CriteriaGroup, Criterion } from "../../criteria/criteria.ts";
import { sql, statement } from "../../../postgres/sql.ts";
import { passes } from "../text/text-search.ts";
import { linkTest } from "./contained-links.ts";
import type { ContainedEntry, ContainedSet } from "./contained-set.ts";
import { containedMatching } from "./contained-rows.ts";

/**
 * Makes the condition of criteria: for what is stored, for the contained resources of a set, or for those of which equality
 * values tell, with the stored terms of contained resources.
 */
export type Planning = (
  groups: readonly CriteriaGroup[],
  of?: { set?: ContainedSet; told?: ReadonlySet<string> },
) => Condition;

/** What conditions of contained resources are made with. */
export interface ContainedRules {
  set: ContainedSet;
  plan: Planning;
  /** This server's base. */
  baseUrl: string;
}

/** The criteria of which contained resources have a view of their own. */
export type ContainedCriterion = Extract<Criterion, { kind: "always" | "id" | "chain" | "has" | "text" }>;

/** Whether {@link containedCondition} knows it; all others ask search values alone. */
export function isContainedCriterion(criterion: Criterion): criterion is ContainedCriterion {
  return ["always", "id", "chain", "has", "text"].includes(criterion.kind);
}

/**
 * A criterion as a condition on the contained resources of a set, which have made-up keys: where ids, references and texts
 * are asked for, those that meet it are found out and listed.
 */
export function containedCondition(
  criterion: ContainedCriterion,
  types: readonly string[],
  rules: ContainedRules,
): Condition {
  const { set } = rules;
  switch (criterion.kind) {
    case "always":
      // What is contained has no date of its own.
      return criterion.matches === (criterion.column !== "_lastUpdated") ? ALWAYS : NEVER;
    case "id": {
      const typeIds = new Set(types.map(resourceTypeId));
      const found = set.entries.filter(({ id, typeId }) => typeIds.has(typeId) && criterion.ids.includes(id));
      return criterion.negated ? { kind: "not", condition: keysOf(found) } : keysOf(found);
    }
    case "text":
      return keysOf(set.entries.filter(({ resource }) => passes(Buffer.from(JSON.stringify(resource)), [criterion])));
    case "chain":
      return { kind: "lookup", find: (lookups) => referring(lookups, criterion, types, rules) };
    default:
      return { kind: "lookup", find: (lookups) => referredTo(lookups, criterion, rules) };
  }
}

/** Those that refer to what meets the groups: to something stored, to one another, or to their container. */
async function referring(
  lookups: Lookups,
  { parameter, groups }: Criterion & { kind: "chain" },
  types: readonly string[],
  { set, plan, baseUrl }: ContainedRules,
): Promise<Condition> {
  const written = referenceLinks(parameter, types);
  const links = [...written, ...ownUrls(written, baseUrl)];
  const isLink = linkTest(parameter, types);
  const local = set.entries.flatMap((entry) =>
    entry.references.flatMap(({ parameter: by, reference }) => {
      const target = reference === "#" ? entry.container : entry.container.contained.get(reference);
      return target !== undefined && isLink(by, target.typeId)
        ? [{ entry, target: target.key, isContainer: reference === "#" }]
        : [];
    }),
  );
  const inside = local.length === 0 ? NONE : await containedMatching(lookups, set, plan(groups, { set }));
  const asked = new Set(local.filter(({ isContainer }) => isContainer).map(({ target }) => target));
  for (const { values } of set.entries) {
    for (const value of values.equality) {
      for (const { constant, low, high } of links) {
        const key = value ^ constant;
        if (low <= key && key <= high) asked.add(key);
      }
    }
  }
  const stored = await storedMatching(lookups, [...asked], groups, plan);
  const values = links.flatMap(({ constant, low, high }) =>
    [...stored].filter((key) => low <= key && key <= high).map((key) => key ^ constant),
  );
  const found = local.filter(({ target, isContainer }) => (isContainer ? stored : inside).has(target));
  const byCanonical = refersByCanonical(parameter) ? canonicalRefers(parameter, types, plan(groups)) : NEVER;
  return {
    kind: "or",
    conditions: [{ kind: "holds", values: [...new Set(values)] }, keysOf(found.map(({ entry }) => entry)), byCanonical],
  };
}

/** Those that their container refers to, where that meets the groups: nothing else refers to what is contained. */
async function referredTo(
  lookups: Lookups,
  { type, parameter, groups }: Criterion & { kind: "has" },
  { set, plan }: ContainedRules,
): Promise<Condition> {
  const typeId = resourceTypeId(type);
  const isLink = linkTest(parameter, [type]);
  const referred = set.containers
    .filter((container) => container.typeId === typeId)
    .flatMap(({ key, references, contained }) =>
      references.flatMap(({ parameter: by, reference }) => {
        const entry = contained.get(reference);
        return entry !== undefined && isLink(by, entry.typeId) ? [{ key, entry }] : [];
      }),
    );
  const asked = [...new Set(referred.map(({ key }) => key))];
  const stored = await storedMatching(lookups, asked, groups, plan);
  return keysOf(referred.filter(({ key }) => stored.has(key)).map(({ entry }) => entry));
}

/**
 * The condition of a chain's end for what is stored, resolved once for a search: contained resources of several steps lead to
 * it, each in more than one way.
 */
export async function storedCondition(
  lookups: Lookups,
  groups: readonly CriteriaGroup[],
  plan: Planning,
): Promise<Condition> {
  return remembered(lookups, groups, () => resolveStored(lookups, plan(groups)));
}

/** Which of these stored resources meet the groups. */
async function storedMatching(
  lookups: Lookups,
  keys: readonly bigint[],
  groups: readonly CriteriaGroup[],
  plan: Planning,
): Promise<ReadonlySet<bigint>> {
  if (keys.length === 0) return NONE;
  const resolved = await storedCondition(lookups, groups, plan);
  const asked = allOf([{ kind: "keys", keys }, resolved]);
  const found = await lookups.db.query<{ key: string }>(
    statement(sql`select r.key::text from search_resource r where ${await gatheringSql(lookups.db, asked)}`),
  );
  return new Set(found.rows.map(({ key }) => BigInt(key)));
}

function keysOf(entries: readonly ContainedEntry[]): Condition {
  return { kind: "keys", keys: [...new Set(entries.map(({ key }) => key))] };
}

const NONE: ReadonlySet<bigint> = new Set();
