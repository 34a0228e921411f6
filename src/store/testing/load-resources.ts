import { deflateRawSync } from "node:zlib";
import type { Pool, PoolClient } from "pg";
import { toBigInt, type Int64Halves } from "../../base/hash.ts";
import type { JsonObject } from "../../base/json.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import type { SearchValueSink } from "../../fhir/search-value.ts";
import { transaction } from "../pool.ts";
import { openSegment } from "../segments.ts";

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

/** Writes the versions; a current version replaces the one that was, which becomes history. All share one block. */
export async function loadVersions(pool: Pool, index: IndexResource, versions: readonly TestVersion[]): Promise<void> {
  const client = await pool.connect();
  let segment: number;
  try {
    segment = await openSegment(client);
  } finally {
    client.release();
  }
  await transaction({ pool }, async (client) => {
    const bodies = versions.map(({ resource }) =>
      Buffer.from(typeof resource === "string" ? resource : JSON.stringify(resource)),
    );
    const raw = Buffer.concat(bodies);
    const { rows } = await client.query<{ id: string }>("select nextval('block_id')::text as id");
    const block = rows[0]?.id ?? "";
    await client.query("insert into block (id, raw_length, bytes) values ($1, $2, $3)", [
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
      `insert into head (key, id, last_updated, deleted, block, block_offset, body_length, content_hash, import_job, origin)
       values ($1, $2, 0, false, 0, 0, 0, 0, 0, 0) on conflict (key) do nothing`,
      [key, id],
    );
    await client.query("insert into version values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", [key, ...columns]);
    return;
  }
  await client.query(
    `insert into version select key, version_id, last_updated, deleted, block, block_offset, body_length, content_hash,
       import_job, origin from head where key = $1 and version_id is not null`,
    [key],
  );
  for (const table of ["head", ...SEARCH_TABLES]) await client.query(`delete from ${table} where key = $1`, [key]);
  await client.query(
    `insert into head (key, id, segment, version_id, last_updated, deleted, block, block_offset, body_length,
       content_hash, import_job, origin) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [key, id, deleted ? null : place.segment, ...columns],
  );
  if (!deleted) await writeSearchRows(client, index, resource, { segment: place.segment, key, lastUpdated });
}

const NEW_YEAR = Date.UTC(2024, 0, 1);
const SEARCH_TABLES = ["search_resource", "search_date", "search_quantity", "search_string"];

async function writeSearchRows(
  client: PoolClient,
  index: IndexResource,
  resource: JsonObject,
  { segment, key, lastUpdated }: { segment: number; key: bigint; lastUpdated: number },
): Promise<void> {
  const equality: bigint[] = [];
  const rows: { table: string; values: unknown[] }[] = [];
  let qualifier = 0n;
  index(resource, {
    equality: (high, low) => equality.push(toBigInt({ high, low })),
    qualify: (high, low) => {
      qualifier = toBigInt({ high, low });
    },
    date: (parameter, { lowHigh, lowLow, highHigh, highLow }) => {
      const limits = [toBigInt({ high: lowHigh, low: lowLow }), toBigInt({ high: highHigh, low: highLow })];
      rows.push({ table: "search_date", values: [parameter, qualifier, ...limits] });
    },
    quantity: (parameter, low, high, system, code) => {
      rows.push({ table: "search_quantity", values: [parameter, qualifier, low, high, copy(system), copy(code)] });
    },
    string: (parameter, value, folded) => {
      rows.push({ table: "search_string", values: [parameter, qualifier, value, folded] });
    },
  });
  await client.query("insert into search_resource values ($1, $2, $3, $4)", [segment, key, lastUpdated, equality]);
  for (const { table, values } of rows) {
    const parameters = values.map((_, index) => `$${index + 3}`).join(", ");
    await client.query(`insert into ${table} values ($1, $2, ${parameters})`, [segment, key, ...values]);
  }
}

/** The sink may not keep what it is handed. */
function copy(halves: Int64Halves): bigint {
  return toBigInt(halves);
}
