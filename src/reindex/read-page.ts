import type { Pool } from "pg";
import type { JsonObject } from "../base/json.ts";
import { typeIdOfKey } from "../fhir/resource-key.ts";
import { collectValues, type ResourceValues } from "../index/collected-values.ts";
import type { DefinitionIndexer } from "../index/indexer.ts";
import { literalsOf } from "../index/number-literals.ts";
import { readBodies, type BlockCache } from "../store/resources/body.ts";
import type { SearchRowsPlace } from "../store/resources/heads.ts";
import { transaction } from "../postgres/pool.ts";
import { beginSnapshot } from "../store/segments/snapshot.ts";

/** Resources of a page, and bytes of their bodies: what one transaction changes at most. */
const PAGE_RESOURCES = 500;
const PAGE_BYTES = 8 << 20;
/** Bodies that are opened at once: requests are answered in between. */
const BODIES_AT_ONCE = 20;
const PAGE_TIMEOUT_MS = 600_000;

/** A definition's values in one resource. */
export interface FoundValues {
  /** The definition's place in the list. */
  place: number;
  values: ResourceValues;
}

/** A resource that has values for some of the definitions. */
export interface FoundResource {
  key: bigint;
  searchRows: SearchRowsPlace;
  found: FoundValues[];
}

/** A part of the store, in the order of keys. */
export interface ReindexPage {
  /** Resources read. */
  resources: number;
  /** The last key that was read; undefined when there was none. */
  lastKey: bigint | undefined;
  found: FoundResource[];
}

/**
 * Reads the resources with keys from `first` to `last`, and takes the definitions' values from the current ones. All of
 * one state of the database, so that the bodies are there.
 */
export async function readReindexPage(
  pool: Pool,
  blocks: BlockCache,
  indexer: DefinitionIndexer,
  definitions: number,
  range: { first: bigint; last: bigint },
): Promise<ReindexPage> {
  return await transaction(
    { pool },
    async (client) => {
      const { rows } = await client.query<HeadColumns>({
        name: "reindex-heads",
        text: `select key::text, segment, stamp, block::text, block_offset, body_length from resource_current
               where key >= $1 and key <= $2 order by key limit ${PAGE_RESOURCES}`,
        values: [range.first, range.last],
      });
      const page: ReindexPage = { resources: 0, lastKey: undefined, found: [] };
      let bytes = 0;
      while (page.resources < rows.length && bytes < PAGE_BYTES) {
        const heads = openedAtOnce(rows.slice(page.resources, page.resources + BODIES_AT_ONCE));
        const current = heads.filter(({ segment }) => segment !== null);
        const bodies = await readBodies(client, blocks, current.map(placeOf));
        for (const [index, head] of current.entries()) {
          const body = bodies[index] ?? Buffer.alloc(0);
          bytes += body.length;
          const found = valuesOf(indexer, definitions, BigInt(head.key), body);
          if (found.length === 0) continue;
          const searchRows = { segment: head.segment ?? 0, stamp: head.stamp ?? 0 };
          page.found.push({ key: BigInt(head.key), searchRows, found });
        }
        page.resources += heads.length;
        page.lastKey = BigInt(heads.at(-1)?.key ?? "0");
      }
      return page;
    },
    beginSnapshot(PAGE_TIMEOUT_MS),
  );
}

/** The first of these heads whose bodies are a page's bytes together: at least one, however large its body is. */
function openedAtOnce(heads: readonly HeadColumns[]): readonly HeadColumns[] {
  let bytes = 0;
  const end = heads.findIndex(({ body_length: length }) => (bytes += length) > PAGE_BYTES);
  return end < 0 ? heads : heads.slice(0, Math.max(1, end));
}

interface HeadColumns {
  key: string;
  segment: number | null;
  stamp: number | null;
  block: string;
  block_offset: number;
  body_length: number;
}

function placeOf(head: HeadColumns): { block: bigint; offset: number; length: number } {
  return { block: BigInt(head.block), offset: head.block_offset, length: head.body_length };
}

function valuesOf(indexer: DefinitionIndexer, definitions: number, key: bigint, body: Buffer): FoundValues[] {
  const text = body.toString("utf8");
  const resource = JSON.parse(text) as JsonObject;
  const found: FoundValues[] = [];
  for (let place = 0; place < definitions; place++) {
    const { sink, values } = collectValues();
    indexer.index(place, typeIdOfKey(key), resource, sink, literalsOf(text));
    if (values.equality.length > 0) found.push({ place, values });
  }
  return found;
}
