import { toBigInt } from "../../../base/hash.ts";
import { type Condition, type Lookups } from "../../condition/condition.ts";
import { conditionSql } from "../../condition/condition-sql.ts";
import { hasLinks } from "../../condition/condition-sql.ts";
import { resolveContained } from "../resolve.ts";
import { sql, statement, type Sql } from "../../../postgres/sql.ts";
import type { ContainedEntry, ContainedSet } from "./contained-set.ts";

/**
 * The keys of the contained resources that meet a condition. It is tested by the same SQL as stored resources are, with rows
 * that the statement brings along in place of the search tables: the name of a common table expression wins over a table's.
 */
export async function containedMatching(
  lookups: Lookups,
  set: ContainedSet,
  condition: Condition,
): Promise<ReadonlySet<bigint>> {
  const resolved = await resolveContained({ ...lookups, containedUnits: set.units }, condition);
  if (hasLinks(resolved)) throw new TypeError("references of contained resources have not been followed");
  const found = await lookups.db.query<{ key: string }>(
    statement(sql`with ${tables(set.entries)}
      select r.key::text from search_resource r where ${conditionSql(resolved, "walk")}`),
  );
  return new Set(found.rows.map(({ key }) => BigInt(key)));
}

/** Dates of contained resources are not stored: none has one of its own. */
function tables(entries: readonly ContainedEntry[]): Sql {
  const dates = rows(entries, ({ dates: each }) => each);
  const quantities = rows(entries, ({ quantities: each }) => each);
  const strings = rows(entries, ({ strings: each }) => each);
  const terms = rows(entries, ({ terms: each }) => each);
  const arrays = entries.map(({ values }) => `{${values.equality.join()}}`);
  const numbers = terms.map(toBigInt);
  return sql`search_resource (segment, stamp, key, last_updated, equality) as materialized (
      select 0, 0, x.key, null::bigint, x.equality::bigint[]
      from unnest(${entries.map(({ key }) => key)}::bigint[], ${arrays}::text[]) x (key, equality)),
    search_date (segment, stamp, key, low, high, qualifier, parameter) as materialized (
      select 0, 0, x.* from unnest(${keys(dates)}::bigint[], ${dates.map(({ low }) => low)}::bigint[],
        ${dates.map(({ high }) => high)}::bigint[], ${qualifiers(dates)}::bigint[], ${parameters(dates)}::integer[]) x),
    search_quantity (segment, stamp, key, system, code, qualifier, parameter, low, high) as materialized (
      select 0, 0, x.* from unnest(${keys(quantities)}::bigint[], ${quantities.map(({ system }) => system)}::bigint[],
        ${quantities.map(({ code }) => code)}::bigint[], ${qualifiers(quantities)}::bigint[],
        ${parameters(quantities)}::integer[], ${quantities.map(({ low }) => low)}::numeric[],
        ${quantities.map(({ high }) => high)}::numeric[]) x),
    search_string (segment, stamp, key, qualifier, parameter, value, folded) as materialized (
      select 0, 0, x.key, x.qualifier, x.parameter, x.value collate "C", x.folded collate "C"
      from unnest(${keys(strings)}::bigint[], ${qualifiers(strings)}::bigint[], ${parameters(strings)}::integer[],
        ${strings.map(({ value }) => value)}::text[], ${strings.map(({ folded }) => folded)}::text[])
        x (key, qualifier, parameter, value, folded)),
    search_dictionary (parameter, value, folded) as materialized (
      select x.parameter, x.value, x.folded collate "C"
      from unnest(${parameters(terms)}::integer[], ${numbers}::bigint[], ${terms.map(({ folded }) => folded)}::text[])
        x (parameter, value, folded))`;
}

function rows<T extends object>(
  entries: readonly ContainedEntry[],
  of: (values: ContainedEntry["values"]) => readonly T[],
): (T & { key: bigint })[] {
  return entries.flatMap(({ key, values }) => of(values).map((row) => ({ ...row, key })));
}

function keys(of: readonly { key: bigint }[]): bigint[] {
  return of.map(({ key }) => key);
}

function qualifiers(of: readonly { qualifier: bigint }[]): bigint[] {
  return of.map(({ qualifier }) => qualifier);
}

function parameters(of: readonly { parameter: number }[]): number[] {
  return of.map(({ parameter }) => parameter);
}
