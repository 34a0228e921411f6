import { all, any, sql, type Sql } from "../../postgres/sql.ts";
import type { Condition, RowCondition, RowsCondition } from "./condition.ts";
import type { ReferenceLink } from "./reference-link.ts";

/**
 * What the SQL of a condition is good for; the rows it finds are the same.
 *
 * `lookup`: indexes find the rows; where a chain leads is looked up for each row that is left.
 * `set`: as `lookup`, but all that chains lead to is gathered first, once: quick when very many rows ask for it.
 * `walk`: it is tested on rows that are at hand; no index is needed, and testing one takes the same time however many
 * values are listed.
 */
export type ConditionForm = "lookup" | "set" | "walk";

/** Whether there is something left in the condition that leads to other resources. */
export function hasLinks(condition: Condition): boolean {
  switch (condition.kind) {
    case "refers":
    case "referred":
      return true;
    case "and":
    case "or":
      return condition.conditions.some(hasLinks);
    case "not":
      return hasLinks(condition.condition);
    default:
      return false;
  }
}

/**
 * The condition as SQL. Single equality values that must all be there become one `@>`, which the GIN index answers by
 * intersecting their lists, the shortest first.
 */
export function conditionSql(condition: Condition, form: ConditionForm = "lookup"): Sql {
  switch (condition.kind) {
    case "holds":
      return holdsSql(condition.values, form);
    case "row":
      return rowSql(condition);
    case "rows":
      return everySql(condition);
    case "term":
      return termSql(condition.parameters, condition.test);
    case "and": {
      const single = condition.conditions.filter(isSingleValue);
      let joins = 0;
      const others = condition.conditions
        .filter((member) => !isSingleValue(member))
        .map((member) =>
          member.kind === "row" && ++joins > MOST_JOINS ? rowSql(member, NOT_JOINED) : conditionSql(member, form),
        );
      if (single.length === 0) return all(others);
      const values = single.map((member) => member.values[0] ?? 0n);
      return all([sql`r.equality @> ${values}::bigint[]`, ...others]);
    }
    case "or":
      return any(condition.conditions.map((member) => conditionSql(member, form)));
    case "not":
      return sql`not ${conditionSql(condition.condition, form)}`;
    case "refers":
      return refersSql(condition.links, condition.target, form);
    case "referred":
      return referredSql(condition.links, condition.source, form);
    case "keys":
      return sql`r.key = any(${condition.keys}::bigint[])`;
    case "within":
      return sql`r.key between ${condition.low} and ${condition.high}`;
    case "lookup":
      throw new TypeError("the condition has not been resolved");
    default:
      return condition.test;
  }
}

/**
 * The planner turns so many `exists` into joins, and tries all orders of these: with 40 it takes half a second and 280 MB, with 75
 * four seconds and 2.6 GB. Beyond these few, `offset 0` has rows looked up for each resource that is left.
 */
const MOST_JOINS = 4;
const NOT_JOINED: Sql = sql` offset 0`;

function isSingleValue(condition: Condition): condition is { kind: "holds"; values: readonly bigint[] } {
  return condition.kind === "holds" && condition.values.length === 1;
}

/** Values from which on comparing two lists takes longer than looking each up in a hash table. */
const MANY_VALUES = 16;
/** Values from which on a list must be looked for in the index, whatever the planner thinks. */
const VERY_MANY_VALUES = 100;

/**
 * Whether two lists have something in common takes the product of their lengths to find out row by row, which the planner
 * does not know. A subquery hides the values from it: it then takes the index, and has no idea how many rows there are.
 */
function holdsSql(values: readonly bigint[], form: ConditionForm): Sql {
  if (values.length === 1) return sql`r.equality @> ${values}::bigint[]`;
  if (form === "walk" && values.length > MANY_VALUES) {
    return sql`exists (select from unnest(r.equality) u (value) where u.value = any(${values}::bigint[]))`;
  }
  if (values.length > VERY_MANY_VALUES) return sql`r.equality && (select ${values}::bigint[])`;
  return sql`r.equality && ${values}::bigint[]`;
}

/** Whether the planner can tell how many rows meet the condition. */
export function isEstimable(condition: Condition): boolean {
  switch (condition.kind) {
    case "holds":
      return condition.values.length <= VERY_MANY_VALUES;
    case "and":
    case "or":
      return condition.conditions.every(isEstimable);
    case "not":
      return isEstimable(condition.condition);
    default:
      return true;
  }
}

/** The links as rows `l`. */
export function linkRows(links: readonly ReferenceLink[]): Sql {
  const constants = links.map(({ constant }) => constant);
  const lows = links.map(({ low }) => low);
  const highs = links.map(({ high }) => high);
  return sql`unnest(${constants}::bigint[], ${lows}::bigint[], ${highs}::bigint[]) l (constant, low, high)`;
}

/** In the subquery, `r` is the target; the outer `r` ends at `unnest`. */
function refersSql(links: readonly ReferenceLink[], target: Condition, form: ConditionForm): Sql {
  const references = sql`select from unnest(r.equality) u (value), ${linkRows(links)}`;
  const isReference = sql`(u.value # l.constant) between l.low and l.high`;
  if (form === "set") {
    return sql`exists (${references} where ${isReference} and (u.value # l.constant) in (
      select r.key from search_resource r where ${conditionSql(target, form)}))`;
  }
  return sql`exists (${references}, lateral (
    select from search_resource r where r.key = (u.value # l.constant) and ${conditionSql(target, "walk")}) t
    where ${isReference})`;
}

/**
 * In the subquery, `r` is the source; the outer one is handed in as `o`. What refers to it is found by the index, and
 * tested then: `offset 0` keeps the planner from going through all sources that pass the test until one refers to it. Asked
 * once, it thinks that one resource in 200 does, asked twice, that one in 40,000 does, which is nearer to the truth.
 */
function referredSql(links: readonly ReferenceLink[], source: Condition, form: ConditionForm): Sql {
  if (form === "set") {
    return sql`r.key in (
      select u.value # l.constant
      from (select unnest(r.equality) as value from search_resource r where ${conditionSql(source, form)}) u, ${linkRows(links)}
      where (u.value # l.constant) between l.low and l.high)`;
  }
  return sql`exists (select from (select r.key) o (key), ${linkRows(links)}, lateral (
    select r.segment, r.stamp, r.key, r.last_updated, r.equality from search_resource r
    where r.equality @> array[o.key # l.constant] and array[o.key # l.constant] <@ r.equality offset 0) r
    where o.key between l.low and l.high and ${conditionSql(source, "walk")})`;
}

/** A subquery that is run once, before the index is asked. */
function termSql(parameters: readonly number[], test: Sql): Sql {
  return sql`r.equality && (select coalesce(array_agg(s.value), '{}') from search_dictionary s
    where s.parameter = any(${parameters}::int[]) and ${test})`;
}

/**
 * The same segment and stamp, or it is a value of another version. The segment lets the planner join partition by
 * partition.
 */
function rowSql(row: RowCondition, end: Sql = sql``): Sql {
  return sql`exists (${rowsSql(row)} and s.segment = r.segment and s.key = r.key and s.stamp = r.stamp${end})`;
}

/** The rows of a resource are read once. */
function everySql({ tests, ...rows }: RowsCondition): Sql {
  const found = all(tests.map((test) => sql`bool_or(${test})`));
  const row = rowsSql({ ...rows, kind: "row", test: any(tests) });
  return sql`exists (${row} and s.segment = r.segment and s.key = r.key and s.stamp = r.stamp having ${found})`;
}

/** The rows `s` that pass the test. */
export function rowsSql({ range, ...row }: RowCondition): Sql {
  if (range === undefined) return rowsOfAnyType(row);
  // The planner does not conclude it from the resource's key, and `is true` keeps it from reading the index of keys for it.
  return sql`${rowsOfAnyType(row)} and (s.key between ${range.low} and ${range.high}) is true`;
}

function rowsOfAnyType({ table, parameters, test }: RowCondition): Sql {
  if (table === "search_date") return sql`select from search_date s where ${test}`;
  const [parameter = 0, ...others] = parameters;
  const isOneOf =
    others.length === 0 ? sql`s.parameter = ${parameter}` : sql`s.parameter = any(${parameters}::integer[])`;
  const rows = sql`${isOneOf} and ${test}`;
  if (table === "search_quantity") return sql`select from search_quantity s where ${rows}`;
  return sql`select from search_string s where ${rows}`;
}
