import { BlockCache } from "../store/body.ts";
import type { Queryable } from "../store/read.ts";
import { ALWAYS, allOf, conditionSql, linkRows, NEVER, oneOf, type Condition, type Lookups } from "./condition.ts";
import { expectedMatches } from "./planner.ts";
import type { ReferenceLink } from "./reference-link.ts";
import { sql, statement } from "./sql.ts";
import { resolveTerm } from "./terms.ts";

/**
 * The condition as it is asked of the database: rows of current versions only, at every place; texts of tokens, and
 * what chains lead to, looked up first where they are few, so that the planner can tell how frequent they are and the
 * index is asked for them directly. What there is too much of stays as it is; the answer is the same either way.
 */
export async function resolveCondition(
  db: Queryable,
  condition: Condition,
  blocks: BlockCache = new BlockCache(0),
): Promise<Condition> {
  const { rows } = await db.query<{ any: boolean }>({ text: "select exists (select from stale_row) as any" });
  const current = rows[0]?.any === true ? NOT_STALE : ALWAYS;
  return allOf([await resolve({ db, blocks, current, found: new Map() }, condition), current]);
}

/**
 * Rows of older versions are there while a large import runs, listed in `stale_row`; when that is empty, as it mostly
 * is, searches are spared looking there row by row.
 */
const NOT_STALE: Condition = {
  kind: "sql",
  test: sql`not exists (select from stale_row x where x.segment = r.segment and x.key = r.key and x.stamp = r.stamp)`,
};

/** Targets of a chain, and sources of a reverse one, that are looked up at most. */
const MAX_TARGETS = 10_000;
const MAX_SOURCES = 2000;

async function resolve(lookups: Lookups, condition: Condition): Promise<Condition> {
  const { db, current } = lookups;
  switch (condition.kind) {
    case "term":
      return resolveTerm(db, condition);
    case "lookup":
      return resolve(lookups, await condition.find(lookups));
    case "refers": {
      const target = allOf([await resolve(lookups, condition.target), current]);
      return lookUpTargets(db, condition.links, target);
    }
    case "referred": {
      const source = allOf([await resolve(lookups, condition.source), current]);
      return lookUpSources(db, condition.links, source);
    }
    case "and":
      return allOf(await resolveAll(lookups, condition.conditions));
    case "or":
      return oneOf(await resolveAll(lookups, condition.conditions));
    case "not":
      return { kind: "not", condition: await resolve(lookups, condition.condition) };
    default:
      return condition;
  }
}

/** One after another: they share a connection. */
async function resolveAll(lookups: Lookups, conditions: readonly Condition[]): Promise<readonly Condition[]> {
  const resolved: Condition[] = [];
  for (const condition of conditions) resolved.push(await resolve(lookups, condition));
  return resolved;
}

/** Whether it is worth while to look them up, by the planner's guess: too many are found out by reading the limit. */
async function mayBeFew(db: Queryable, condition: Condition, limit: number): Promise<boolean> {
  return (await expectedMatches(db, condition)) <= limit;
}

async function lookUpTargets(db: Queryable, links: readonly ReferenceLink[], target: Condition): Promise<Condition> {
  const condition = conditionSql(target);
  if (!(await mayBeFew(db, target, MAX_TARGETS))) return { kind: "refers", links, target };
  const found = await db.query<{ key: string }>(
    statement(sql`select r.key::text from search_resource r where ${condition} limit ${MAX_TARGETS + 1}`),
  );
  if (found.rows.length > MAX_TARGETS) return { kind: "refers", links, target };
  const keys = found.rows.map(({ key }) => BigInt(key)).toSorted(byValue);
  const values = links.flatMap(({ constant, low, high }) =>
    keys.filter((key) => low <= key && key <= high).map((key) => key ^ constant),
  );
  return values.length === 0 ? NEVER : { kind: "holds", values: [...new Set(values)] };
}

async function lookUpSources(db: Queryable, links: readonly ReferenceLink[], source: Condition): Promise<Condition> {
  const condition = conditionSql(source);
  if (!(await mayBeFew(db, source, MAX_SOURCES))) return { kind: "referred", links, source };
  const found = await db.query<{ keys: string[] | null }>(
    statement(sql`with r as materialized (
        select r.equality from search_resource r where ${condition} limit ${MAX_SOURCES + 1})
      select case when (select count(*) from r) <= ${MAX_SOURCES} then array(
        select distinct (u.value # l.constant)::text from (select unnest(r.equality) as value from r) u, ${linkRows(links)}
        where (u.value # l.constant) between l.low and l.high) end as keys`),
  );
  const [row] = found.rows;
  if (row === undefined || row.keys === null) return { kind: "referred", links, source };
  return { kind: "keys", keys: row.keys.map(BigInt).toSorted(byValue) };
}

function byValue(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
