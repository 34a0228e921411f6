import type { Queryable } from "../../postgres/pool.ts";
import { type Condition } from "../condition/condition.ts";
import { rowsSql } from "../condition/condition-sql.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { hasLinks } from "../condition/condition-sql.ts";
import { allOf } from "../condition/combine.ts";
import { sql, statement, type Sql } from "../../postgres/sql.ts";

interface Plan {
  "Plan Rows": number;
  "Total Cost": number;
  Plans?: Plan[];
}

/** What the planner thinks of a query; `parts` are the rows that it expects of the steps below the last. */
export async function explain(db: Queryable, query: Sql): Promise<{ rows: number; cost: number; parts: number[] }> {
  const found = await db.query<{ "QUERY PLAN": { Plan: Plan }[] }>(statement(sql`explain (format json) ${query}`));
  const plan = found.rows[0]?.["QUERY PLAN"][0]?.Plan;
  return {
    rows: plan?.["Plan Rows"] ?? 0,
    cost: plan?.["Total Cost"] ?? 0,
    parts: (plan?.Plans ?? []).map((part) => part["Plan Rows"]),
  };
}

/**
 * How many matches there are at most, by the planner's guesses of the parts of the condition. For the whole its guess is far
 * off: it takes types and values for independent, but most values belong to one type, and it cannot tell how many resources
 * the rows of a partitioned table belong to.
 */
export async function expectedMatches(db: Queryable, condition: Condition): Promise<number> {
  const parts = condition.kind === "and" ? condition.conditions : [condition];
  const listed = parts.flatMap((part) => (part.kind === "keys" ? [part.keys.length] : []));
  const rows = parts.flatMap((part) => (part.kind === "row" ? [part] : []));
  const others = parts.filter(({ kind }) => kind !== "row" && kind !== "keys");
  const values = others.filter(({ kind }) => kind !== "within");
  const queries = rows.map((row) => rowsSql({ ...row, test: row.guess ?? row.test }));
  // Rows that are qualified are those of a value, which is asked for as well: with nothing beside it, it tells no more.
  const isTold = rows.some(({ guess }) => guess !== undefined) && values.length === 1 && values[0]?.kind === "holds";
  const isAsked = (values.length > 0 && !isTold) || queries.length + listed.length === 0;
  const asked = values.some(({ kind }) => kind === "holds") ? values : others;
  if (isAsked) {
    queries.push(resourcesSql(asked));
    if (asked.some(isOneOfMany)) queries.push(resourcesSql(asked.map(withAbsentValues)));
  }
  const guesses = await guessRows(db, queries);
  const assumed = isAsked && asked.some(isOneOfMany) ? (guesses.pop() ?? 0) : 0;
  const last = isAsked ? [Math.max(1, (guesses.pop() ?? 0) - assumed)] : [];
  return Math.min(...listed, ...guesses, ...last);
}

function resourcesSql(conditions: readonly Condition[]): Sql {
  return sql`select from search_resource r where ${conditionSql(allOf(conditions))}`;
}

/**
 * The planner has a frequency for the most common values only. What it assumes of all others adds up where one of many values is
 * asked for, such as references to all patients of a name: it is asked how much that is, with values that there are not.
 */
function withAbsentValues(condition: Condition): Condition {
  return isOneOfMany(condition)
    ? { ...condition, values: condition.values.map((_, index) => BigInt(index)) }
    : condition;
}

function isOneOfMany(condition: Condition): condition is Extract<Condition, { kind: "holds" }> {
  return condition.kind === "holds" && condition.values.length > 1;
}

/** How many rows the planner expects of each query, asked at once: `offset 0` keeps them apart. */
async function guessRows(db: Queryable, queries: readonly Sql[]): Promise<number[]> {
  const [first, ...rest] = queries;
  if (first === undefined) return [];
  if (rest.length === 0) return [(await explain(db, first)).rows];
  const together = rest.reduce((left, right) => sql`${left} union all (${right} offset 0)`, sql`(${first} offset 0)`);
  const { parts } = await explain(db, together);
  if (parts.length === queries.length) return parts;
  // What cannot find anything is left out of a plan.
  const guesses: number[] = [];
  for (const query of queries) guesses.push((await explain(db, query)).rows);
  return guesses;
}

/** The SQL that finds all rows that meet the condition; of the two ways to follow chains, the planner's cheaper one. */
export async function gatheringSql(db: Queryable, condition: Condition): Promise<Sql> {
  const lookup = conditionSql(condition);
  if (!hasLinks(condition)) return lookup;
  const set = conditionSql(condition, "set");
  const costs: number[] = [];
  for (const each of [lookup, set]) {
    costs.push((await explain(db, sql`select from search_resource r where ${each}`)).cost);
  }
  return (costs[1] ?? 0) < (costs[0] ?? 0) ? set : lookup;
}

/** How many resources there are. */
export async function countResources(db: Queryable, condition: Sql): Promise<number> {
  const found = await db.query<{ total: string }>(
    statement(sql`select count(*)::text as total from search_resource r where ${condition}`),
  );
  return Number(found.rows[0]?.total ?? 0);
}

/**
 * About how many resources there are: the planner's guess, which costs nothing. Small guesses are rough, and cheap to
 * replace by the truth.
 */
export async function estimateResources(db: Queryable, condition: Sql): Promise<number> {
  const { rows } = await explain(db, sql`select from search_resource r where ${condition}`);
  return rows < WORTH_ESTIMATING ? countResources(db, condition) : Math.round(rows);
}

const WORTH_ESTIMATING = 10_000;
