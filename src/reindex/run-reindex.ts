import { LeaseLost } from "../jobs/lease.ts";
import type { Pool } from "pg";
import { keyRangeOfType } from "../fhir/resource-key.ts";
import { createDefinitionIndexer, type DefinitionIndexer } from "../index/indexer.ts";
import { BlockCache } from "../store/resources/body.ts";
import { learnDisplacedIds } from "../store/identity/displaced-ids.ts";
import { transaction } from "../postgres/pool.ts";
import { tidySearchTables, withClient } from "../store/segments/publish.ts";
import { holdStatement, isOutdated, readDefinitions } from "../store/search/search-parameters.ts";
import { indexSegment, unindexedSegments } from "../store/segments/segments.ts";
import { Terms } from "../store/search/terms.ts";
import { advanceReindex, beginReindex, finishReindex, type ClaimedReindex } from "./jobs.ts";
import { readReindexPage, type ReindexPage } from "./read-page.ts";
import { addSearchValues } from "./write-page.ts";

/** Blocks that are kept open: resources come in the order of their keys, which is none that neighbours share. */
const CACHE_BYTES = 64 << 20;

/**
 * Adds the values of the job's parameters to everything that was stored before they were defined, and enables them.
 * Everything later was written by somebody who knew them (`hold_search_parameters`). Goes on from the checkpoint; ends with
 * the signal's reason, or {@link LeaseLost}. False when the job goes on with further parameters.
 */
export async function runReindex(pool: Pool, job: ClaimedReindex, stop: AbortSignal): Promise<boolean> {
  const definitions = (await readDefinitions(pool)).parameters.filter(({ id }) => job.parameters.includes(id));
  const ids = definitions.map(({ id }) => id);
  const indexer = createDefinitionIndexer(definitions.map(({ trees }) => trees));
  const ranges = typeRanges(indexer, ids.length);
  if (!job.segmentsReady) {
    // Rows of segments without indexes cannot be found. Those that are opened from now on hold nothing from before the
    // definitions; a running import opens another one for its next batch.
    await withClient(pool, stop, async (client) => {
      for (const segment of await unindexedSegments(client)) await indexSegment(client, segment);
    });
    const total = await countResources(pool, ranges);
    if (!(await beginReindex(pool, job, total))) throw new LeaseLost(`reindex ${job.id} is no longer ours`);
  }
  const blocks = new BlockCache(CACHE_BYTES);
  const terms = new Terms();
  let generation = await knownGeneration(pool);
  for (const { low, high } of ranges) {
    // The least key there is, and the greatest, are those of types: nothing may be below or above them.
    let first = job.lastKey !== undefined && job.lastKey >= low ? job.lastKey + 1n : low;
    while (first <= high) {
      stop.throwIfAborted();
      const page = await readReindexPage(pool, blocks, indexer, ids.length, { first, last: high });
      if (page.lastKey === undefined) break;
      try {
        await writePage(pool, job, { terms, ids, generation }, page, page.lastKey);
        first = page.lastKey + 1n;
      } catch (error) {
        // Ids may have been displaced, to which the page has references: it is read again.
        if (!isOutdated(error)) throw error;
        generation = await knownGeneration(pool);
      }
    }
  }
  await withClient(pool, stop, tidySearchTables);
  return await finishReindex(pool, job);
}

async function writePage(
  pool: Pool,
  job: ClaimedReindex,
  { terms, ids, generation }: { terms: Terms; ids: readonly number[]; generation: number },
  page: ReindexPage,
  lastKey: bigint,
): Promise<void> {
  for (const { found } of page.found) {
    for (const { values } of found) {
      for (const { parameter, high, low, folded } of values.terms) terms.add(parameter, high, low, folded);
    }
  }
  await withClient(pool, undefined, (client) => terms.store(client));
  await transaction(
    { pool },
    async (client) => {
      const changed = await addSearchValues(client, ids, page.found);
      if (!(await advanceReindex(client, job, { lastKey, resources: page.resources, changed })))
        throw new LeaseLost(`reindex ${job.id} is no longer ours`);
    },
    // Rows and checkpoint are lost together in a crash, and done again.
    `begin; set local synchronous_commit = off; ${holdStatement(generation)}`,
  );
}

/** The generation of which this thread knows all displaced ids. */
async function knownGeneration(pool: Pool): Promise<number> {
  const { generation } = await readDefinitions(pool);
  await learnDisplacedIds(pool);
  return generation;
}

/** The keys of the types that the definitions are about, in the order of keys. */
function typeRanges(indexer: DefinitionIndexer, definitions: number): { low: bigint; high: bigint }[] {
  const types = new Set<number>();
  for (let place = 0; place < definitions; place++) for (const type of indexer.typesOf(place)) types.add(type);
  return [...types].map(keyRangeOfType).toSorted((a, b) => (a.low < b.low ? -1 : 1));
}

async function countResources(pool: Pool, ranges: readonly { low: bigint; high: bigint }[]): Promise<number> {
  const { rows } = await pool.query<{ total: string }>(
    `select count(*)::text as total from unnest($1::bigint[], $2::bigint[]) r (low, high)
     join resource_current on resource_current.key between r.low and r.high`,
    [ranges.map(({ low }) => low), ranges.map(({ high }) => high)],
  );
  return Number(rows[0]?.total ?? 0);
}
