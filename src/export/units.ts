import type { Queryable } from "../postgres/pool.ts";
import type { ExportDefinition } from "./definition.ts";
import type { TypeFilter } from "../search/type-filter.ts";

/** A part of an export, for one thread. Plain data. */
export type ExportUnit =
  /** All resources of these types whose bodies are in these blocks. */
  | { readonly kind: "all"; readonly types: readonly string[]; readonly blocks: BlockRange }
  /** Those of one type that are wanted. */
  | { readonly kind: "selected"; readonly selection: TypeFilter }
  /** References to what was deleted, as Bundles (`deleted` of the manifest). */
  | { readonly kind: "deletions"; readonly types: readonly string[] };

/** Blocks from `from` (inclusive) to `to` (exclusive); decimal texts of 64-bit ids. */
export interface BlockRange {
  readonly from: string | null;
  readonly to: string | null;
}

/** Fewer blocks than this (32 MB of bodies) are not worth another thread, and another file of each type. */
const BLOCKS_WORTH_SPLITTING = 512;

/**
 * The units of an export. What is exported whole is cut into ranges of blocks, one a thread: a block is opened once, and
 * each range costs a look at all heads.
 */
export async function planUnits(
  db: Queryable,
  definition: ExportDefinition,
  patients: TypeFilter["patients"],
  threads: number,
): Promise<ExportUnit[]> {
  const { types, filters, level, since } = definition;
  const isSelected = (type: string): boolean => patients !== undefined || filters.some((each) => each.type === type);
  const whole = types.filter((type) => !isSelected(type));
  const units: ExportUnit[] = [];
  if (whole.length > 0) {
    for (const blocks of await blockRanges(db, threads)) units.push({ kind: "all", types: whole, blocks });
  }
  for (const type of types.filter(isSelected)) {
    const queries = filters.filter((each) => each.type === type).map(({ query }) => query);
    units.push({ kind: "selected", selection: { type, patients, ...(queries.length === 0 ? {} : { queries }) } });
  }
  // Nobody knows any more of which patients they were.
  if (since !== undefined && level === "system") units.push({ kind: "deletions", types });
  return units;
}

async function blockRanges(db: Queryable, threads: number): Promise<BlockRange[]> {
  const counted = await db.query<{ blocks: string }>({ text: "select count(*)::text as blocks from body_block" });
  const blocks = Number(counted.rows[0]?.blocks ?? 0);
  const ranges = Math.min(threads, Math.ceil(blocks / BLOCKS_WORTH_SPLITTING));
  if (ranges <= 1) return [{ from: null, to: null }];
  const { rows } = await db.query<{ id: string }>({
    text: `select id::text as id from (select id, row_number() over (order by id) as number from body_block) numbered
           where number % $1 = 1 and number > 1 order by numbered.id`,
    values: [Math.ceil(blocks / ranges)],
  });
  const bounds = [null, ...rows.map(({ id }) => id), null];
  return bounds.slice(1).map((to, index) => ({ from: bounds[index] ?? null, to }));
}
