import { BlockCache, readBodies } from "../../store/body.ts";
import { VERSION_COLUMNS, versionOf, type VersionColumns } from "../../store/read.ts";
import { NEVER, type Condition, type Lookups } from "../conditions/condition.ts";
import type { CriteriaGroup, Criterion } from "../query/criteria.ts";
import { gatheringSql } from "../conditions/planner.ts";
import { resolveCondition } from "../conditions/resolve.ts";
import { textOfBody, type TextPlace } from "./resource-text.ts";
import { sql, statement, type Sql } from "../sql.ts";
import { tooCostly } from "../too-costly.ts";
import { meets, wordCount } from "../query/words.ts";

/** How many resources a search may read to look for words in them, and how many bytes of them. */
export interface TextLimits {
  readonly resources: number;
  readonly bytes: number;
}

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
  limits: TextLimits = LIMITS,
): Condition {
  const [first] = texts;
  if (texts.reduce((sum, { test }) => sum + wordCount(test), 0) > MAX_WORDS) {
    throw tooCostly(`it asks for more than ${MAX_WORDS} words`, first?.name);
  }
  return { kind: "lookup", find: (lookups) => readMatches(lookups, texts, others, limits) };
}

const LIMITS: TextLimits = { resources: 10_000, bytes: 256 * 1024 * 1024 };
/** Each is looked for in every text. */
const MAX_WORDS = 200;
/** Resources, and bytes of them, that are in memory together. */
const CHUNK = 250;
const CHUNK_BYTES = 1024 * 1024;

type FoundRow = VersionColumns & { key: string };

async function readMatches(
  { db, blocks }: Lookups,
  texts: readonly TextCriterion[],
  others: Condition,
  limits: TextLimits,
): Promise<Condition> {
  const condition = await gatheringSql(db, await resolveCondition(db, others, blocks));
  // Neighbours share blocks, and so are opened together.
  const found = await db.query<FoundRow>(
    statement(sql`with c as materialized (
        select r.key from search_resource r where ${condition} limit ${limits.resources + 1})
      select v.key::text, v.id, ${COLUMNS} from c join head v on v.key = c.key order by v.block, v.block_offset`),
  );
  const bytes = found.rows.reduce((sum, { body_length: length }) => sum + length, 0);
  if (found.rows.length > limits.resources || bytes > limits.bytes) {
    const many = `more than ${limits.resources} of them, or ${limits.bytes / 1024 / 1024} MiB`;
    const why = `words are looked for in the resources that its other parameters find, and these are ${many}`;
    throw tooCostly(`${why}: add a selective one, such as a patient, a code or a date`, texts[0]?.name);
  }
  const keys: bigint[] = [];
  for (const rows of chunksOf(found.rows)) {
    const places = rows.map((row) => versionOf("", row).place);
    const bodies = await readBodies(db, new BlockCache(0), places);
    for (const [index, row] of rows.entries()) {
      if (passes(bodies[index] ?? Buffer.alloc(0), texts)) keys.push(BigInt(row.key));
    }
  }
  return keys.length === 0 ? NEVER : { kind: "keys", keys: keys.toSorted((a, b) => (a < b ? -1 : 1)) };
}

function* chunksOf(rows: readonly FoundRow[]): Generator<readonly FoundRow[]> {
  let chunk: FoundRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (chunk.length === CHUNK || (chunk.length > 0 && bytes + row.body_length > CHUNK_BYTES)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(row);
    bytes += row.body_length;
  }
  if (chunk.length > 0) yield chunk;
}

function passes(body: Buffer, texts: readonly TextCriterion[]): boolean {
  const known = new Map<TextPlace, string>();
  return texts.every(({ place, test }) => {
    const text = known.get(place) ?? textOfBody(body, place);
    known.set(place, text);
    return meets(text, test);
  });
}

const COLUMNS: Sql = { texts: [VERSION_COLUMNS], values: [] };
