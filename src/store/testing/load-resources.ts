import { deflateRawSync } from "node:zlib";
import type { Pool, PoolClient } from "pg";
import { toBigInt } from "../../base/hash.ts";
import type { JsonObject } from "../../base/json.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { dateRowParameter, type SearchValueSink } from "../../fhir/search-value.ts";
import { transaction } from "../../postgres/pool.ts";
import { openSegment } from "../segments/segments.ts";

/**
 * A slow and simple writer for tests of reading back: every version by plain SQL, without version rules. It knows the
 * tables and nothing of the import, so that search can be tested against rows that the import did not make.
 */
export interface TestVersion {
  /** The body as stored; a text keeps its bytes. */
  resource: JsonObject | string;
  /** 1 when not given. */
  versionId?: number;
  /** Milliseconds since 1970; 2024-01-01 when not given. */
  lastUpdated?: number;
  deleted?: boolean;
  /** False for a version that is history only. */
  current?: boolean;
}

/** Yields the search values of a resource: the indexer. */
export type IndexResource = (resource: JsonObject, sink: SearchValueSink) => void;

/**
 * Writes the versions; a current version replaces the one that was, which becomes history. All share one block. With
 * `live` false they go to a segment that is still loading, as those of a large import do.
 */
export async function loadVersions(
  pool: Pool,
  index: IndexResource,
  versions: readonly TestVersion[],
  live = true,
): Promise<void> {
  const client = await pool.connect();
  let segment: number;
  try {
    segment = await openSegment(client, live);
  } finally {
    client.release();
  }
  await transaction({ pool }, async (client) => {
    const bodies = versions.map(({ resource }) =>
      Buffer.from(typeof resource === "string" ? resource : JSON.stringify(resource)),
    );
    const raw = Buffer.concat(bodies);
    const { rows } = await client.query<{ id: string }>("select nextval('body_block_id')::text as id");
    const block = rows[0]?.id ?? "";
    await client.query("insert into body_block (id, raw_length, bytes) values ($1, $2, $3)", [
      block,
      raw.length,
      deflateRawSync(raw),
    ]);
    let offset = 0;
    for (const [number, version] of versions.entries()) {
      const length = bodies[number]?.length ?? 0;
      await writeVersion(client, index, version, { segment, block, offset, length });
      offset += length;
    }
  });
}

interface Place {
  segment: number;
  block: string;
  offset: number;
  length: number;
}

async function writeVersion(
  client: PoolClient,
  index: IndexResource,
  version: TestVersion,
  place: Place,
): Promise<void> {
  const { deleted = false, current = true, versionId = 1, lastUpdated = NEW_YEAR } = version;
  const resource =
    typeof version.resource === "string" ? (JSON.parse(version.resource) as JsonObject) : version.resource;
  const { resourceType: type, id } = resource;
  if (typeof type !== "string" || typeof id !== "string") throw new TypeError("a resource needs a type and an id");
  const key = resourceKeyOf(type, id);
  const columns = [versionId, lastUpdated, deleted, place.block, place.offset, place.length, 0, 0, 0];
  if (!current) {
    await client.query(
      `insert into resource_current (key, id, last_updated, deleted, block, block_offset, body_length, content_hash, import_job, origin)
       values ($1, $2, 0, false, 0, 0, 0, 0, 0, 0) on conflict (key) do nothing`,
      [key, id],
    );
    await client.query("insert into resource_history values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", [
      key,
      ...columns,
    ]);
    return;
  }
  await client.query(
    `insert into resource_history select key, version_id, last_updated, deleted, block, block_offset, body_length, content_hash,
       import_job, origin from resource_current where key = $1 and version_id is not null`,
    [key],
  );
  const { rows } = await client.query<{ segment: number | null; stamp: number; indexed: boolean }>(
    `delete from resource_current where key = $1
     returning segment, stamp, (select state = 2 from segment where number = resource_current.segment) as indexed`,
    [key],
  );
  for (const old of rows) {
    if (old.segment === null) continue;
    if (!old.indexed) {
      await client.query("insert into stale_row (segment, key, stamp) values ($1, $2, $3)", [
        old.segment,
        key,
        old.stamp,
      ]);
    } else {
      for (const table of SEARCH_TABLES) await client.query(`delete from ${table} where key = $1`, [key]);
    }
  }
  const stamp = deleted ? null : await nextStamp(client);
  await client.query(
    `insert into resource_current (key, id, segment, stamp, version_id, last_updated, deleted, block, block_offset, body_length,
       content_hash, import_job, origin) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [key, id, deleted ? null : place.segment, stamp, ...columns],
  );
  if (stamp !== null) {
    await writeSearchRows(client, index, resource, { segment: place.segment, stamp, key, lastUpdated });
  }
}

async function nextStamp(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ stamp: number }>("select nextval('row_stamp')::integer as stamp");
  return rows[0]?.stamp ?? 0;
}

const NEW_YEAR = Date.UTC(2024, 0, 1);
const SEARCH_TABLES = ["search_resource", "search_date", "search_quantity", "search_string"];

async function writeSearchRows(
  client: PoolClient,
  index: IndexResource,
  resource: JsonObject,
  { segment, stamp, key, lastUpdated }: { segment: number; stamp: number; key: bigint; lastUpdated: number },
): Promise<void> {
  const equality: bigint[] = [];
  const terms: { parameter: number; value: bigint; folded: string }[] = [];
  const rows: { table: string; values: Record<string, unknown> }[] = [];
  let qualifier = 0n;
  index(resource, {
    equality: (high, low) => equality.push(toBigInt({ high, low })),
    qualify: (high, low) => {
      qualifier = toBigInt({ high, low });
    },
    date: (parameter, range) => {
      const low = toBigInt({ high: range.lowHigh, low: range.lowLow });
      const high = toBigInt({ high: range.highHigh, low: range.highLow });
      rows.push({
        table: "search_date",
        values: { parameter: dateRowParameter(parameter, range), qualifier, low, high },
      });
    },
    quantity: (parameter, low, high, system, code) => {
      // The halves may not be kept.
      const unit = { system: toBigInt(system), code: toBigInt(code) };
      rows.push({ table: "search_quantity", values: { parameter, qualifier, low, high, ...unit } });
    },
    string: (parameter, value, folded) => {
      rows.push({ table: "search_string", values: { parameter, qualifier, value, folded } });
    },
    term: (parameter, high, low, folded) => terms.push({ parameter, value: toBigInt({ high, low }), folded }),
  });
  for (const { parameter, value, folded } of terms) {
    await client.query("insert into search_dictionary values ($1, $2, $3) on conflict do nothing", [
      parameter,
      value,
      folded,
    ]);
  }
  rows.push({ table: "search_resource", values: { last_updated: lastUpdated, equality } });
  for (const { table, values } of rows) {
    const row = { segment, stamp, key, ...values };
    const parameters = Object.keys(row).map((_, index) => `$${index + 1}`);
    await client.query(
      `insert into ${table} (${Object.keys(row).join(", ")}) values (${parameters.join(", ")})`,
      Object.values(row),
    );
  }
}
