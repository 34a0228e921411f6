import type { BlockCache } from "../../store/resources/body.ts";
import type { Queryable } from "../../postgres/pool.ts";
import type { ReferenceLink } from "./reference-link.ts";
import type { DateBounds } from "./ordered.ts";
import type { Sql } from "../../postgres/sql.ts";

/**
 * Conditions on a row `r` of search_resource, in a form that can still be simplified: alternatives on the equality
 * array become one operator, alternatives on the rows of one parameter one subquery.
 */
export type Condition =
  /** The equality array holds at least one of these. */
  | { kind: "holds"; values: readonly bigint[] }
  /**
   * There is a row `s` of one of the parameters in an ordered table that passes `test`. For search_date the test itself
   * says which rows are the parameters'. `range` has all keys that matter: rows of other types need not be joined. `guess`
   * is a part of the test by which the planner tells how many rows there are; the rest depends on it, which it does not know.
   * `branches` say the same as the test, one for each range of the index that has its rows in the order of keys. Rows with the
   * same `element` are of one element of the resource, and agree in what their tests ask: a row that passes one of the tests
   * and a row that passes another mean that one row passes both. `dates` say the same as the test of a date.
   */
  | {
      kind: "row";
      table: OrderedTable;
      parameters: readonly number[];
      test: Sql;
      element?: string;
      dates?: DateBounds;
      guess?: Sql;
      branches?: readonly Sql[];
      range?: KeyRange;
    }
  /** As `row`, with a row for each of the tests: not all need to be the same row. */
  | {
      kind: "rows";
      table: OrderedTable;
      parameters: readonly number[];
      tests: readonly Sql[];
      range?: KeyRange;
    }
  /** The equality array holds the value of a term `s` of one of the parameters that passes `test`. */
  | { kind: "term"; parameters: readonly number[]; test: Sql }
  | { kind: "and" | "or"; conditions: readonly Condition[] }
  | { kind: "not"; condition: Condition }
  /** It refers, by one of the links, to a resource that meets `target` (which says the types, too). */
  | { kind: "refers"; links: readonly ReferenceLink[]; target: Condition }
  /** A resource that meets `source` refers to it by one of the links. */
  | { kind: "referred"; links: readonly ReferenceLink[]; source: Condition }
  /** It is one of these. */
  | { kind: "keys"; keys: readonly bigint[] }
  /** Its key is in a closed range: that of a type, or a part of it. */
  | { kind: "within"; low: bigint; high: bigint }
  /** What it says stands in the store, and is looked up before the search is made: `resolveCondition`. */
  | { kind: "lookup"; find: (lookups: Lookups) => Promise<Condition> }
  /** Anything else about `r`. */
  | { kind: "sql"; test: Sql };

/** A closed range of keys. */
export interface KeyRange {
  low: bigint;
  high: bigint;
}

/** The condition that there is a row of ordered values. */
export type RowCondition = Extract<Condition, { kind: "row" }>;

/** The condition that each of several tests has a row that passes it. */
export type RowsCondition = Extract<Condition, { kind: "rows" }>;

/** What conditions are looked up with, in the search's own state of the database. */
export interface Lookups {
  db: Queryable;
  blocks: BlockCache;
  /** That a row `r` is of a current version. */
  current: Condition;
  /** What has been looked up for this search: see {@link remembered}. */
  found: Map<string | object, Promise<unknown>>;
  /** Runs what makes hashes, where another hash than the store's is asked for (`body-check.ts`). */
  hashed?: (<Result>(work: () => Result) => Result) | undefined;
  /** Where contained resources are asked, which are not in the store: the units of their quantities. */
  containedUnits?: { readonly codes: ReadonlySet<bigint>; readonly names: readonly string[] } | undefined;
}

/** Makes what is made of hashes with the hash that is asked for; `work` must not wait for anything. */
export function hashed<Result>({ hashed: run }: Lookups, work: () => Result): Result {
  return run === undefined ? work() : run(work);
}

/** What `work` finds, the first time only: one criterion can be asked of many groups of types. */
export async function remembered<T>({ found }: Lookups, name: string | object, work: () => Promise<T>): Promise<T> {
  const known = found.get(name);
  if (known !== undefined) return (await known) as T;
  const working = work();
  found.set(name, working);
  return working;
}

/** The tables of ordered values. */
export type OrderedTable = "search_date" | "search_quantity" | "search_string";

/** True always, and never. */
export const ALWAYS: Condition = { kind: "and", conditions: [] };
export const NEVER: Condition = { kind: "or", conditions: [] };
