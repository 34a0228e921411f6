import { BlockCache, readBodies } from "../../store/resources/body.ts";
import { VERSION_COLUMNS_SQL, versionOf, type VersionColumns } from "../../store/resources/read.ts";
import type { Condition, Lookups } from "../condition/condition.ts";
import { gatheringSql } from "../cost/planner.ts";
import { sql, statement } from "../../postgres/sql.ts";

/** How many resources a search may read to find out whether they match, and how many bytes of them. */
export interface ReadLimits {
  readonly resources: number;
  readonly bytes: number;
}

/** What suits a server. */
export const READ_LIMITS: ReadLimits = { resources: 10_000, bytes: 256 * 1024 * 1024 };

/** A resource that has to be read. */
export type CandidateRow = VersionColumns & { key: string };

/**
 * The resources that meet a condition, which has been resolved, in the order in which their bodies are stored: neighbours share
 * blocks, and so are opened together. Undefined when they are more than may be read.
 */
export async function findCandidates(
  { db }: Lookups,
  condition: Condition,
  limits: ReadLimits,
): Promise<readonly CandidateRow[] | undefined> {
  const found = await db.query<CandidateRow>(
    statement(sql`with c as materialized (
        select r.key from search_resource r where ${await gatheringSql(db, condition)} limit ${limits.resources + 1})
      select v.key::text, v.id, ${VERSION_COLUMNS_SQL} from c join resource_current v on v.key = c.key order by v.block, v.block_offset`),
  );
  const bytes = found.rows.reduce((sum, { body_length: length }) => sum + length, 0);
  return found.rows.length > limits.resources || bytes > limits.bytes ? undefined : found.rows;
}

/** What the limits are called in an error. */
export function limitText({ resources, bytes }: ReadLimits): string {
  return `more than ${resources} of them, or ${bytes / 1024 / 1024} MiB`;
}

/** Reads the bodies of candidates, a bounded number of them at a time. */
export async function* readCandidates(
  { db }: Lookups,
  rows: readonly CandidateRow[],
): AsyncGenerator<{ key: bigint; body: Buffer }[]> {
  for (const chunk of chunksOf(rows)) {
    const places = chunk.map((row) => versionOf("", row).place);
    const bodies = await readBodies(db, new BlockCache(0), places);
    yield chunk.map(({ key }, index) => ({ key: BigInt(key), body: bodies[index] ?? Buffer.alloc(0) }));
  }
}

/** Resources, and bytes of them, that are in memory together. */
const CHUNK = 250;
const CHUNK_BYTES = 1024 * 1024;

function* chunksOf(rows: readonly CandidateRow[]): Generator<readonly CandidateRow[]> {
  let chunk: CandidateRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (chunk.length === CHUNK || (chunk.length > 0 && bytes + row.body_length > CHUNK_BYTES)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(row);
    bytes += row.body_length;
  }
  if (chunk.length > 0) yield chunk;
}
