import type { Queryable } from "../../postgres/pool.ts";
import { type Condition, type KeyRange } from "../condition/condition.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import { allOf } from "../condition/combine.ts";
import { sql, statement, type Sql } from "../../postgres/sql.ts";
import { gatherSql, readRows, type InOrder, type PageRow } from "./page-rows.ts";

/** What is read along rows of values that an index has in the order of keys. */
interface OrderedRequest extends InOrder {
  resolved: Condition;
  range: KeyRange;
  branches: readonly Sql[];
}

/**
 * The ranges of the index that lead to all matches of a condition in the order of keys: those of a quantity of a code, when the
 * condition says nothing else that could be rarer. Undefined for other conditions.
 */
export function orderedBranches(condition: Condition): readonly Sql[] | undefined {
  if (condition.kind !== "and") return undefined;
  const rows = condition.conditions.flatMap((each) => (each.kind === "row" ? [each] : []));
  const values = condition.conditions.filter(({ kind }) => kind === "holds");
  const others = condition.conditions.filter(({ kind }) => !["row", "holds", "within", "sql"].includes(kind));
  return rows.length === 1 && values.length === 1 && others.length === 0 ? rows[0]?.branches : undefined;
}

/**
 * The first matches in the order of keys, one more than asked for if there are so many: the rows lead to candidates, a few at
 * first, then more and more, and the condition is asked of these.
 */
export async function readAlongRows(db: Queryable, request: OrderedRequest): Promise<PageRow[]> {
  const { resolved, branches, range, count, backwards } = request;
  const found: PageRow[] = [];
  let { low, high } = range;
  if (request.from !== undefined) {
    if (backwards) high = request.from.key - 1n;
    else low = request.from.key + 1n;
  }
  for (let steps = SPARE * (count + 1); ; steps = Math.min(steps * GROWTH, MOST_STEPS)) {
    const keys = await firstKeys(db, branches, { low, high }, steps, backwards);
    const last = keys.at(-1);
    if (last === undefined) return found;
    const candidates = allOf([{ kind: "keys", keys: [...new Set(keys)] }, resolved]);
    const page = gatherSql(conditionSql(candidates), { ...request, from: undefined });
    found.push(...(await readRows(db, request, page)));
    if (found.length > count) return found.slice(0, count + 1);
    if (keys.length < steps) return found;
    if (backwards) high = last - 1n;
    else low = last + 1n;
  }
}

/** Some candidates are rows of older versions, or several of one resource. */
const SPARE = 2;
const GROWTH = 8;
const MOST_STEPS = 10_000;

/** The keys of the first rows of all branches together, or of the last. */
async function firstKeys(
  db: Queryable,
  branches: readonly Sql[],
  { low, high }: KeyRange,
  steps: number,
  backwards: boolean,
): Promise<bigint[]> {
  const order = backwards ? sql`s.key desc` : sql`s.key`;
  const [first, ...rest] = branches.map(
    (branch) =>
      sql`(select s.key from search_quantity s where ${branch} and s.key between ${low} and ${high} order by ${order} limit ${steps})`,
  );
  if (first === undefined) return [];
  const all = rest.reduce((left, right) => sql`${left} union all ${right}`, first);
  const found = await db.query<{ key: string }>(
    statement(sql`select s.key::text from (${all}) s order by ${order} limit ${steps}`),
  );
  return found.rows.map(({ key }) => BigInt(key));
}
