import type { Queryable } from "../../postgres/pool.ts";
import type { Condition } from "../condition/condition.ts";
import { sql, statement } from "../../postgres/sql.ts";

/**
 * Looks up the terms of a condition, so that it asks for their equality values and the planner can tell how frequent
 * these are. What has very many terms stays as it is, to be looked up by the search itself.
 */
export async function resolveTerm(db: Queryable, condition: Condition & { kind: "term" }): Promise<Condition> {
  const found = await db.query<{ value: string }>(
    statement(sql`select s.value::text from search_dictionary s
      where s.parameter = any(${condition.parameters}::int[]) and ${condition.test} limit ${MAX_TERMS + 1}`),
  );
  if (found.rows.length > MAX_TERMS) return condition;
  return { kind: "holds", values: found.rows.map(({ value }) => BigInt(value)).toSorted(byValue) };
}

const MAX_TERMS = 10_000;

function byValue(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
