import { findCandidates, limitText, READ_LIMITS, readCandidates, type ReadLimits } from "../candidates.ts";
import { NEVER, type Condition, type Lookups } from "../../condition/condition.ts";
import type { CriteriaGroup, Criterion } from "../../criteria/criteria.ts";
import { resolveCondition } from "../resolve.ts";
import { textOfBody } from "./resource-text.ts";
import { type TextPlace } from "../../criteria/criteria.ts";
import { tooCostly } from "../../cost/too-costly.ts";
import { meets, wordCount } from "../../criteria/words.ts";

/** `_text` or `_content` of a search. */
export type TextCriterion = Criterion & { kind: "text" };

/**
 * Takes `_text` and `_content` out of the groups of a search. They are parameters of the search, not of a type, and stand in
 * each of its groups.
 */
export function withoutTexts(groups: readonly CriteriaGroup[]): {
  texts: readonly TextCriterion[];
  others: readonly CriteriaGroup[];
} {
  const texts = (groups[0]?.criteria ?? []).filter((criterion) => criterion.kind === "text");
  if (texts.length === 0) return { texts, others: groups };
  const others = groups.map((group) => ({
    ...group,
    criteria: group.criteria.filter((criterion) => criterion.kind !== "text"),
  }));
  return { texts, others };
}

/**
 * The condition that a resource meets `others`, and that its text meets all of `texts`. There is no index of words: the
 * resources that meet `others` are read, a bounded number of them at a time, and those that pass are the condition. Throws
 * `too-costly` for more words than a search may have; its look-up does when there are more resources than may be read.
 */
export function textCondition(
  texts: readonly TextCriterion[],
  others: Condition,
  limits: ReadLimits = READ_LIMITS,
): Condition {
  const [first] = texts;
  if (texts.reduce((sum, { test }) => sum + wordCount(test), 0) > MAX_WORDS) {
    throw tooCostly(`it asks for more than ${MAX_WORDS} words`, first?.name);
  }
  return { kind: "lookup", find: (lookups) => readMatches(lookups, texts, others, limits) };
}

/** Each is looked for in every text. */
const MAX_WORDS = 200;
async function readMatches(
  lookups: Lookups,
  texts: readonly TextCriterion[],
  others: Condition,
  limits: ReadLimits,
): Promise<Condition> {
  const { db, blocks } = lookups;
  const found = await findCandidates(lookups, await resolveCondition(db, others, blocks), limits);
  if (found === undefined) {
    const why = `words are searched for in the resources that its other parameters find, and these are ${limitText(limits)}`;
    throw tooCostly(`${why}: add a selective one, such as a patient, a code or a date`, texts[0]?.name);
  }
  const keys: bigint[] = [];
  for await (const read of readCandidates(lookups, found)) {
    for (const { key, body } of read) if (passes(body, texts)) keys.push(key);
  }
  return keys.length === 0 ? NEVER : { kind: "keys", keys: keys.toSorted((a, b) => (a < b ? -1 : 1)) };
}

/** Whether a body has the words of all of the criteria. */
export function passes(body: Buffer, texts: readonly TextCriterion[]): boolean {
  const known = new Map<TextPlace, string>();
  return texts.every(({ place, test }) => {
    const text = known.get(place) ?? textOfBody(body, place);
    known.set(place, text);
    return meets(text, test);
  });
}
