import type { Queryable } from "../../store/read.ts";
import { allOf, conditionSql, hasLinks, rowsSql, type Condition } from "./condition.ts";
import { sql, statement, type Sql } from "../sql.ts";

/** What the planner thinks of a query. */
export async function explain(db: Queryable, query: Sql): Promise<{ rows: number; cost: number }> {
  const found = await db.query<{ "QUERY PLAN": { Plan: { "Plan Rows": number; "Total Cost": number } }[] }>(
    statement(sql`explain (format json) ${query}`),
  );
  const plan = found.rows[0]?.["QUERY PLAN"][0]?.Plan;
  return { rows: plan?.["Plan Rows"] ?? 0, cost: plan?.["Total Cost"] ?? 0 };
}

/**
 * How many matches there are at most, by the planner's guesses of the parts of the condition. For the whole its guess is far
 * off: it takes types and values for independent, but most values belong to one type, and it cannot tell how many resources
 * the rows of a partitioned table belong to.
 */
export async function expectedMatches(db: Queryable, condition: Condition): Promise<number> {
  const parts = condition.kind === "and" ? condition.conditions : [condition];
  const others = parts.filter(({ kind }) => kind !== "row" && kind !== "keys");
  const guesses: number[] = [];
  for (const part of parts) {
    if (part.kind === "keys") guesses.push(part.keys.length);
    if (part.kind === "row") {
      guesses.push((await explain(db, rowsSql({ ...part, test: part.guess ?? part.test }))).rows);
    }
  }
  if (guesses.some((rows) => rows < FEW)) return Math.min(...guesses);
  const values = others.filter(({ kind }) => kind !== "within");
  if (values.length > 0 || guesses.length === 0) {
    const isSelective = values.some(({ kind }) => kind === "holds");
    guesses.push(await guessOf(db, isSelective ? values : others));
  }
  return Math.min(...guesses);
}

/**
 * The planner has a frequency for the most common values only. What it assumes of all others adds up where one of many values is
 * asked for, such as references to all patients of a name: it is asked how much that is, with values that there are not.
 */
async function guessOf(db: Queryable, conditions: readonly Condition[]): Promise<number> {
  const guess = async (asked: readonly Condition[]): Promise<number> =>
    (await explain(db, sql`select from search_resource r where ${conditionSql(allOf(asked))}`)).rows;
  const rows = await guess(conditions);
  if (rows < WORTH_ASKING || !conditions.some(isOneOfMany)) return rows;
  const absent = conditions.map((condition) =>
    isOneOfMany(condition) ? { ...condition, values: condition.values.map((_, index) => BigInt(index)) } : condition,
  );
  return Math.max(1, rows - (await guess(absent)));
}

function isOneOfMany(condition: Condition): condition is Extract<Condition, { kind: "holds" }> {
  return condition.kind === "holds" && condition.values.length > 1;
}

const WORTH_ASKING = 500;
/** Where one part of a condition finds no more than this, the others are no matter. */
const FEW = 200;

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
