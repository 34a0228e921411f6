import { resourceTypeName } from "../../fhir/resource-types.ts";
import { typeIdOfKey } from "../../fhir/resource-key.ts";
import { VERSION_COLUMNS_SQL, versionOf, type VersionColumns } from "../../store/resources/read.ts";
import { type Queryable } from "../../postgres/pool.ts";
import { type Condition } from "../condition/condition.ts";
import { isEstimable } from "../condition/condition-sql.ts";
import { conditionSql } from "../condition/condition-sql.ts";
import type { SortedCursor } from "./cursor.ts";
import { stepsFor } from "./page.ts";
import { fittingCount, type Page } from "./page-rows.ts";
import { explain } from "../cost/planner.ts";
import type { SortTexts } from "./sort-texts.ts";
import type { SortKey } from "../parse/sort.ts";
import { all, any, commas, sql, statement, type Sql } from "../../postgres/sql.ts";

/** A page in an order that the store does not keep. */
export interface SortedRequest {
  /** On rows `r` of search_resource: the searched types (its key only), and everything that is asked of them. */
  scope: Sql;
  resolved: Condition;
  /** The SQL that finds all rows that meet it. */
  condition: Sql;
  count: number;
  keys: readonly SortKey[];
  /** The values of keys that the store does not keep. */
  texts: ReadonlyMap<SortKey, SortTexts>;
  after: SortedCursor | undefined;
}

/**
 * Reads a page in the order of `keys`; resources that they leave equal come in key order, so that a page begins right
 * after the last resource of the page before.
 *
 * Few matches are gathered and sorted. For many, where the order is that of a date, its index is walked until there are
 * enough, a bounded number of steps; gathering follows when that does not find enough.
 */
export async function readSortedPage(db: Queryable, request: SortedRequest): Promise<Page> {
  const { count, keys } = request;
  const [first] = keys;
  const isWalkable = keys.length === 1 && first?.by === "value" && first.table === "search_date";
  if (isWalkable && request.after?.values[0] !== null) {
    const { rows } = await explain(db, sql`select from search_resource r where ${request.condition}`);
    if (!isEstimable(request.resolved) || rows > WORTH_WALKING) {
      for (let steps = SAMPLE_STEPS; ;) {
        const found = await run(db, request, walkSql(request, first, steps));
        if (found.length > count) return pageOf(found, request);
        const more = stepsFor(steps, found.length, count);
        if (steps > SAMPLE_STEPS || more === undefined) break;
        steps = more;
      }
    }
  }
  return pageOf(await run(db, request, gatherSql(request)), request);
}

/** Matches, by the planner's guess, from which on walking is tried. */
const WORTH_WALKING = 5000;
const SAMPLE_STEPS = 2000;

type SortedRow = VersionColumns & { key: string; sorted_by: (string | null)[] };

async function run(db: Queryable, { keys }: SortedRequest, page: Sql): Promise<SortedRow[]> {
  const texts = keys.map((_, index) => sql`p.${VALUES[index] ?? KEY}::text`);
  const found = await db.query<SortedRow>(
    statement(
      sql`select p.key::text, array[${commas(texts)}] as sorted_by, v.id, ${VERSION_COLUMNS_SQL}
        from (${page}) p join resource_current v on v.key = p.key order by ${orderOf(keys, "p")}`,
    ),
  );
  return found.rows;
}

/** All matches with their values, the first of them. */
function gatherSql({ condition, count, keys, texts, after }: SortedRequest): Sql {
  const values = keys.map((key, index) => sql`${valueSql(key, TEXTS[index] ?? KEY)} as ${VALUES[index] ?? KEY}`);
  const joins = keys.map((key, index) => {
    const of = texts.get(key);
    const name = TEXTS[index] ?? KEY;
    return of === undefined
      ? NOTHING
      : sql` left join unnest(${of.keys}::bigint[], ${of.texts}::text[]) ${name} (key, value) on ${name}.key = r.key`;
  });
  const joined = joins.reduce((left, right) => sql`${left}${right}`, NOTHING);
  const rest = after === undefined ? NOTHING : sql` where ${afterSql(keys, after)}`;
  return sql`with r as materialized (
      select r.segment, r.stamp, r.key, r.last_updated from search_resource r where ${condition}),
    w as materialized (select r.key, ${commas(values)} from r${joined})
    select w.* from w${rest} order by ${orderOf(keys, "w")} limit ${count + 1}`;
}

/**
 * The first matches among the first `steps` dates of the parameter. A resource's other dates are passed by: it has its
 * place by the first of them in the order.
 */
function walkSql(request: SortedRequest, key: SortKey, steps: number): Sql {
  const { scope, resolved, count, after } = request;
  const test = conditionSql(resolved, "walk");
  const direction = key.descending ? sql` desc` : NOTHING;
  const value = after?.values[0];
  const beyond = key.descending ? sql`<` : sql`>`;
  const rest =
    after === undefined || value === undefined
      ? NOTHING
      : sql` and r.low ${beyond}= ${value}::bigint and (r.low <> ${value}::bigint or r.key > ${after.key})`;
  const ids = key.by === "value" ? key.parameters : [];
  // One index range each, in order; `any` of several would not come in order. Long ranges stand under the negative.
  const branches = ids
    .flatMap((id) => [id, -id])
    .map(
      (id) => sql`(select r.segment, r.key, r.stamp, r.low from search_date r
        where r.parameter = ${id} and ${scope}${rest} order by r.low${direction}, r.key limit ${steps})`,
    );
  const parameters = ids.flatMap((id) => [id, -id]);
  return sql`select distinct r.key, d.low as ${VALUES[0] ?? KEY}
    from (select d.* from (${unionAll(branches)}) d order by d.low${direction}, d.key limit ${steps}) d
      join search_resource r on r.segment = d.segment and r.key = d.key and r.stamp = d.stamp
    where ${test} and not exists (
      select from search_date s where s.segment = d.segment and s.key = d.key and s.stamp = d.stamp
        and s.parameter = any(${parameters}::int[]) and ${key.descending ? sql`s.low > d.low` : sql`s.low < d.low`})
    order by d.low${direction}, r.key limit ${count + 1}`;
}

/** What a key compares, of a row `r`, or of a row `text` that is joined to it. Strings by as much of them as their index has. */
function valueSql(key: SortKey, text: Sql): Sql {
  if (key.by === "text") return sql`${text}.value collate "C"`;
  if (key.by === "_lastUpdated") return sql`r.last_updated`;
  if (key.by === "_id") return sql`(select h.id from resource_current h where h.key = r.key)`;
  const best = key.descending ? sql`max` : sql`min`;
  const version = sql`s.segment = r.segment and s.key = r.key and s.stamp = r.stamp`;
  switch (key.table) {
    case "search_date": {
      const ids = key.parameters.flatMap((id) => [id, -id]);
      return sql`(select ${best}(s.low) from search_date s where ${version} and s.parameter = any(${ids}::int[]))`;
    }
    case "search_quantity":
      return sql`(select ${best}(s.low) from search_quantity s
        where ${version} and s.parameter = any(${key.parameters}::int[]))`;
    default:
      return sql`(select ${best}(left(s.folded, 64)) from search_string s
        where ${version} and s.parameter = any(${key.parameters}::int[]) and s.qualifier = 0)`;
  }
}

/** PostgreSQL's type of a key's values. */
function typeSql(key: SortKey): Sql {
  if (key.by === "_lastUpdated") return sql`bigint`;
  if (key.by === "_id" || key.by === "text" || key.table === "search_string") return sql`text collate "C"`;
  return key.table === "search_date" ? sql`bigint` : sql`numeric`;
}

function orderOf(keys: readonly SortKey[], row: "p" | "w"): Sql {
  const alias = row === "p" ? sql`p` : sql`w`;
  const members = keys.map((key, index) => {
    const direction = key.descending ? sql`desc nulls last` : sql`asc nulls last`;
    return sql`${alias}.${VALUES[index] ?? KEY} ${direction}`;
  });
  return commas([...members, sql`${alias}.key`]);
}

/** The rows `w` that come after the cursor: behind it by some key and equal by all keys before that. */
function afterSql(keys: readonly SortKey[], after: SortedCursor): Sql {
  const equal: Sql[] = [];
  const alternatives: Sql[] = [];
  for (const [index, key] of keys.entries()) {
    const column = sql`w.${VALUES[index] ?? KEY}`;
    const value = after.values[index] ?? null;
    if (value === null) {
      equal.push(sql`${column} is null`);
      continue;
    }
    const bound = sql`${value}::${typeSql(key)}`;
    const behind = key.descending ? sql`${column} < ${bound}` : sql`${column} > ${bound}`;
    alternatives.push(all([...equal, sql`(${behind} or ${column} is null)`]));
    equal.push(sql`${column} = ${bound}`);
  }
  return any([...alternatives, all([...equal, sql`w.key > ${after.key}`])]);
}

function pageOf(found: readonly SortedRow[], { count }: SortedRequest): Page {
  const rows = found.slice(
    0,
    fittingCount(
      found.map((row) => row.body_length),
      count,
    ),
  );
  const versions = rows.map((row) => versionOf(resourceTypeName(typeIdOfKey(BigInt(row.key))), row));
  const last = rows.at(-1);
  const isLast = last === undefined || rows.length === found.length;
  return {
    versions,
    next: isLast ? undefined : { key: BigInt(last.key), values: last.sorted_by },
    previous: undefined,
  };
}

function unionAll(branches: readonly Sql[]): Sql {
  return branches.reduce((left, right) => sql`${left} union all ${right}`);
}

const NOTHING: Sql = sql``;
const KEY: Sql = sql`key`;
/** Names of the columns of a page's values. */
const VALUES: readonly Sql[] = [sql`v0`, sql`v1`, sql`v2`, sql`v3`, sql`v4`, sql`v5`, sql`v6`, sql`v7`];
/** Names of the rows that texts are joined as. */
const TEXTS: readonly Sql[] = [sql`t0`, sql`t1`, sql`t2`, sql`t3`, sql`t4`, sql`t5`, sql`t6`, sql`t7`];
