import type { Client } from "pg";
import { resourceTypeName } from "../fhir/resource-types.ts";
import { keyRanges } from "../search/condition/reference-link.ts";
import { selectionSql, type SelectionRules } from "../search/type-filter.ts";
import { all, any, sql, statement, type Sql } from "../postgres/sql.ts";
import type { ExportDefinition } from "./definition.ts";
import type { ExportUnit } from "./units.ts";

/** Versions whose bodies are in one block, or have none. */
export interface UnitRow {
  /** The block and its length when opened; null for versions without a body. */
  readonly bytes: Buffer | null;
  readonly raw_length: number | null;
  /** {@link parseItems} */
  readonly items: string;
}

/** A version that is to be exported, and where its body is in its block. */
export interface UnitItem {
  type: string;
  id: string;
  versionId: number;
  /** Milliseconds since 1970. */
  lastUpdated: number;
  deleted: boolean;
  offset: number;
  length: number;
}

/** Rows that one message from the database holds: 4 MB of bodies, when opened. */
const BLOCK_ROWS = 64;
const BARE_ROWS = 1000;

/**
 * The rows of a unit, in the order of blocks, a message's worth at a time; while one is worked on, the next is on its way.
 * `client` has joined the snapshot.
 */
export async function* unitRows(
  client: Client,
  unit: ExportUnit,
  definition: ExportDefinition,
  rules: SelectionRules,
): AsyncGenerator<UnitRow[], void, undefined> {
  if (unit.kind === "deletions") {
    const deleted = versionsSql({ ...definition, history: false }, keysOf(unit.types), sql`true`, sql`v.deleted`);
    yield* fetchAll(client, bareSql(deleted), BARE_ROWS);
    return;
  }
  const isWanted = definition.deleted ? sql`true` : sql`not v.deleted`;
  const versions =
    unit.kind === "all"
      ? versionsSql(definition, keysOf(unit.types), blocksOf(unit.blocks), isWanted)
      : versionsSql(definition, await selected(client, unit.selection, rules), sql`true`, isWanted);
  const grouped = sql`select b.bytes, b.raw_length, g.items from (
      select v.block, string_agg(${ITEM}, ',' order by v.block_offset) as items
      from (${versions}) v where v.body_length > 0 group by v.block) g
    join body_block b on b.id = g.block order by g.block`;
  yield* fetchAll(client, grouped, BLOCK_ROWS);
  if (definition.deleted) yield* fetchAll(client, bareSql(sql`${versions} and v.body_length = 0`), BARE_ROWS);
}

/** The versions in a row, in the order of their bodies. */
export function parseItems(items: string): UnitItem[] {
  return items.split(",").map((item) => {
    const [type, id = "", versionId, lastUpdated, deleted, offset, length] = item.split(" ");
    return {
      type: resourceTypeName(Number(type)),
      id,
      versionId: Number(versionId),
      lastUpdated: Number(lastUpdated),
      deleted: deleted === "1",
      offset: Number(offset),
      length: Number(length),
    };
  });
}

/** Ids have neither spaces nor commas. */
const ITEM: Sql = sql`concat_ws(' ', (v.key >> 56) & 255, v.id, v.version_id, v.last_updated, v.deleted::int,
  v.block_offset, v.body_length)`;

function bareSql(versions: Sql): Sql {
  return sql`select null::bytea as bytes, null::int as raw_length, ${ITEM} as items from (${versions}) v`;
}

/** Versions as rows that can be read as `v`; all tests are on rows `v`. */
function versionsSql(definition: ExportDefinition, isKey: Sql, isBlock: Sql, isWanted: Sql): Sql {
  const tests = [isKey, isBlock, isWanted];
  if (definition.since !== undefined) tests.push(sql`v.last_updated > ${definition.since}`);
  if (definition.until !== undefined) tests.push(sql`v.last_updated <= ${definition.until}`);
  const test = all(tests);
  // Resources of which only older versions were imported have no current one.
  const current = sql`select v.key, v.id, v.version_id, v.last_updated, v.deleted, v.block, v.block_offset, v.body_length
    from resource_current v where v.version_id is not null and ${test}`;
  if (!definition.history) return sql`select * from (${current}) v where true`;
  const older = sql`select v.key, h.id, v.version_id, v.last_updated, v.deleted, v.block, v.block_offset, v.body_length
    from resource_history v join resource_current h on h.key = v.key where ${test}`;
  return sql`select * from (${current} union all ${older}) v where true`;
}

function keysOf(types: readonly string[]): Sql {
  return any(keyRanges(types).map(({ low, high }) => sql`v.key between ${low} and ${high}`));
}

function blocksOf({ from, to }: { from: string | null; to: string | null }): Sql {
  const tests = [];
  if (from !== null) tests.push(sql`v.block >= ${BigInt(from)}`);
  if (to !== null) tests.push(sql`v.block < ${BigInt(to)}`);
  return all(tests);
}

async function selected(
  client: Client,
  selection: (ExportUnit & { kind: "selected" })["selection"],
  rules: SelectionRules,
): Promise<Sql> {
  return sql`v.key in (select r.key from search_resource r where ${await selectionSql(client, selection, rules)})`;
}

async function* fetchAll(client: Client, query: Sql, rows: number): AsyncGenerator<UnitRow[], void, undefined> {
  const { text, values } = statement(query);
  await client.query(`declare unit no scroll cursor for ${text}`, values as unknown[]);
  const fetch = (): Promise<UnitRow[]> =>
    client.query<UnitRow>(`fetch ${String(rows)} from unit`).then((found) => found.rows);
  let next = fetch();
  try {
    for (;;) {
      const found = await next;
      if (found.length === 0) break;
      next = fetch();
      yield found;
    }
  } finally {
    // What was asked for is answered before anything else, and its failure says nothing new.
    await next.catch(() => {});
  }
  await client.query("close unit");
}
