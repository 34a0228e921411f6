import type { StokerError } from "../../base/errors.ts";
import { BlockCache } from "../../store/resources/body.ts";
import type { Queryable } from "../../postgres/pool.ts";
import { ALWAYS, NEVER, type Condition, type Lookups } from "../condition/condition.ts";
import { linkRows } from "../condition/condition-sql.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { testingRange } from "../condition/combine.ts";
import { allOf } from "../condition/combine.ts";
import { oneOf } from "../condition/combine.ts";
import { isTooDeep } from "../cost/plan-size.ts";
import { expectedMatches } from "../cost/planner.ts";
import type { ReferenceLink } from "../condition/reference-link.ts";
import { sql, statement } from "../../postgres/sql.ts";
import { checkCost } from "../cost/statement-cost.ts";
import { resolveTerm } from "./terms.ts";
import { tooCostly } from "../cost/too-costly.ts";

/**
 * The condition as it is asked of the database: rows of current versions only, at every place; texts of tokens, and
 * what chains lead to, looked up first where they are few, so that the planner can tell how frequent they are and the
 * index is asked for them directly. What there is too much of stays as it is; the answer is the same either way.
 */
export async function resolveCondition(
  db: Queryable,
  condition: Condition,
  blocks: BlockCache = new BlockCache(0),
  limits: ResolveLimits = LIMITS,
): Promise<Condition> {
  const current = (db.hasStaleRows ?? (await readHasStaleRows(db))) ? NOT_STALE : ALWAYS;
  const lookups = { db, blocks, current, found: new Map(), limits };
  const resolved = allOf([await resolve(lookups, condition), current]);
  await checkCost(lookups, resolved);
  return resolved;
}

/** {@link resolveCondition} within a look-up: it shares what has been looked up for the search. */
export async function resolveStored(lookups: Lookups, condition: Condition): Promise<Condition> {
  const resolving: Resolving = { limits: LIMITS, ...lookups, containedUnits: undefined };
  return allOf([await resolve(resolving, condition), lookups.current]);
}

/** What a condition says of resources that need not be current, or stored at all: only what it leads to is. */
export async function resolveWithin(lookups: Lookups, condition: Condition): Promise<Condition> {
  return resolve({ limits: LIMITS, ...lookups, containedUnits: undefined }, condition);
}

/**
 * A condition on contained resources, which stand in no table: what it says of their texts is not looked up, and rows are of
 * current versions. It leads to other resources by nothing but look-ups.
 */
export async function resolveContained(
  lookups: Lookups & { containedUnits: NonNullable<Lookups["containedUnits"]> },
  condition: Condition,
): Promise<Condition> {
  return resolve({ limits: LIMITS, ...lookups }, condition);
}

async function readHasStaleRows(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ any: boolean }>({ text: "select exists (select from stale_row) as any" });
  return rows[0]?.any === true;
}

/**
 * Rows of older versions are there while a large import runs, listed in `stale_row`; when that is empty, as it mostly
 * is, searches are spared looking there row by row.
 */
const NOT_STALE: Condition = {
  kind: "sql",
  test: sql`not exists (select from stale_row x where x.segment = r.segment and x.key = r.key and x.stamp = r.stamp)`,
};

/** How many resources are looked up, and when they must be. */
export interface ResolveLimits {
  /** Targets of a chain, and sources of a reverse one, that are looked up at most. */
  readonly targets: number;
  readonly sources: number;
  /** Larger plans are not made: what is to be followed is looked up then, up to `forced` resources. */
  readonly planSize: number;
  readonly forced: number;
}

/** A plan of 20,000 nodes is gone through in some ms. */
const LIMITS: ResolveLimits = { targets: 10_000, sources: 2000, planSize: 20_000, forced: 200_000 };

interface Resolving extends Lookups {
  limits: ResolveLimits;
}

async function resolve(lookups: Resolving, condition: Condition): Promise<Condition> {
  const { db, current } = lookups;
  switch (condition.kind) {
    case "term":
      return lookups.containedUnits === undefined ? resolveTerm(db, condition) : condition;
    case "lookup":
      return resolve(lookups, await condition.find(lookups));
    case "refers": {
      const target = allOf([await resolve(lookups, condition.target), current]);
      await checkCost(lookups, target);
      return lookUpTargets(lookups, condition.links, target);
    }
    case "referred": {
      const source = allOf([await resolve(lookups, condition.source), current]);
      await checkCost(lookups, source);
      return lookUpSources(lookups, condition.links, source);
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
async function resolveAll(lookups: Resolving, conditions: readonly Condition[]): Promise<readonly Condition[]> {
  const resolved: Condition[] = [];
  for (const condition of conditions) resolved.push(await resolve(lookups, condition));
  return resolved;
}

/**
 * How many are looked up at most; undefined: none, by the planner's guess there are more than is worth while. Too many are
 * found out by reading the limit.
 */
async function lookUpLimit(
  lookups: Resolving,
  condition: Condition,
  limit: number,
): Promise<{ limit: number; isForced: boolean } | undefined> {
  const { db, limits } = lookups;
  if (await isTooDeep(lookups, condition, limits.planSize)) return { limit: limits.forced, isForced: true };
  return (await expectedMatches(db, condition)) <= limit ? { limit, isForced: false } : undefined;
}

async function lookUpTargets(
  lookups: Resolving,
  links: readonly ReferenceLink[],
  target: Condition,
): Promise<Condition> {
  const few = await lookUpLimit(lookups, target, lookups.limits.targets);
  if (few === undefined) return { kind: "refers", links, target };
  const found = await lookups.db.query<{ key: string }>(
    statement(
      sql`select r.key::text from search_resource r where ${conditionSql(few.isForced ? target : testingRange(target))} limit ${few.limit + 1}`,
    ),
  );
  if (found.rows.length > few.limit) {
    if (few.isForced) throw tooMany(few.limit);
    return { kind: "refers", links, target };
  }
  const keys = found.rows.map(({ key }) => BigInt(key)).toSorted(byValue);
  const values = links.flatMap(({ constant, low, high }) =>
    keys.filter((key) => low <= key && key <= high).map((key) => key ^ constant),
  );
  return values.length === 0 ? NEVER : { kind: "holds", values: [...new Set(values)] };
}

async function lookUpSources(
  lookups: Resolving,
  links: readonly ReferenceLink[],
  source: Condition,
): Promise<Condition> {
  const few = await lookUpLimit(lookups, source, lookups.limits.sources);
  if (few === undefined) return { kind: "referred", links, source };
  const found = await lookups.db.query<{ keys: string[] | null }>(
    statement(sql`with r as materialized (
        select r.equality from search_resource r where ${conditionSql(few.isForced ? source : testingRange(source))} limit ${few.limit + 1})
      select case when (select count(*) from r) <= ${few.limit} then array(
        select distinct (u.value # l.constant)::text from (select unnest(r.equality) as value from r) u, ${linkRows(links)}
        where (u.value # l.constant) between l.low and l.high) end as keys`),
  );
  const keys = found.rows[0]?.keys ?? undefined;
  if (keys === undefined) {
    if (few.isForced) throw tooMany(few.limit);
    return { kind: "referred", links, source };
  }
  return { kind: "keys", keys: keys.map(BigInt).toSorted(byValue) };
}

function tooMany(limit: number): StokerError {
  return tooCostly(`a chain or _has matches more than ${limit} intermediate resources`);
}

function byValue(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
