import type { Sql } from "../../postgres/sql.ts";
import type { Queryable } from "../../postgres/pool.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import type { BodyPlace } from "./body-blocks.ts";

/** A stored version of a resource, without its body. */
export interface StoredVersion {
  type: string;
  id: string;
  /** Negative for versions that were imported as older than the oldest. */
  versionId: number;
  /** Milliseconds since 1970. */
  lastUpdated: number;
  deleted: boolean;
  /** Where the body is; see `readBodies`. Deleted versions may have an empty one. */
  place: BodyPlace;
}

/** Columns of a version, as {@link versionOf} reads them; the table's alias is `v`. */
export const VERSION_COLUMNS =
  "v.version_id, v.last_updated::text, v.deleted, v.block::text, v.block_offset, v.body_length";

/** {@link VERSION_COLUMNS} for a statement that is put together of fragments. */
export const VERSION_COLUMNS_SQL: Sql = { texts: [VERSION_COLUMNS], values: [] };

/** A row with an `id` and {@link VERSION_COLUMNS}. */
export interface VersionColumns {
  id: string;
  version_id: number;
  last_updated: string;
  deleted: boolean;
  block: string;
  block_offset: number;
  body_length: number;
}

/** The version in a row of {@link VERSION_COLUMNS}. */
export function versionOf(type: string, row: VersionColumns): StoredVersion {
  return {
    type,
    id: row.id,
    versionId: row.version_id,
    lastUpdated: Number(row.last_updated),
    deleted: row.deleted,
    place: { block: BigInt(row.block), offset: row.block_offset, length: row.body_length },
  };
}

/** Whether PostgreSQL can hold the text. What has a NUL, as an id in a URL can, is not stored: it need not be asked for. */
export function isStorable(text: string): boolean {
  return !text.includes("\0");
}

/** The current version, perhaps a deleted one; undefined when there is none. `type` must be a resource type of R4. */
export async function readCurrent(db: Queryable, type: string, id: string): Promise<StoredVersion | undefined> {
  if (!isStorable(id)) return undefined;
  const found = await db.query<VersionColumns>({
    name: "read-current",
    text: `select v.id, ${VERSION_COLUMNS} from resource_current v
           where v.key = stored_key($1, $2) and v.id = $2 and v.version_id is not null`,
    values: [resourceKeyOf(type, id), id],
  });
  return found.rows[0] && versionOf(type, found.rows[0]);
}

/** One version, current or not; `versionId` may be negative. Undefined when it is not stored. */
export async function readVersion(
  db: Queryable,
  type: string,
  id: string,
  versionId: number,
): Promise<StoredVersion | undefined> {
  if (!isStorable(id)) return undefined;
  const found = await db.query<VersionColumns>({
    name: "read-version",
    text: `${ALL_VERSIONS} select v.id, ${VERSION_COLUMNS} from all_versions v where v.version_id = $3`,
    values: [resourceKeyOf(type, id), id, versionId],
  });
  return found.rows[0] && versionOf(type, found.rows[0]);
}

/** $1 is the key by the hash, $2 the id, which may have been displaced by another server a moment ago. */
const ALL_VERSIONS = `with all_versions as (
  select id, version_id, last_updated, deleted, block, block_offset, body_length
  from resource_current where key = stored_key($1, $2) and id = $2 and version_id is not null
  union all
  select h.id, v.version_id, v.last_updated, v.deleted, v.block, v.block_offset, v.body_length
  from resource_current h join resource_history v on v.key = h.key where h.key = stored_key($1, $2) and h.id = $2)`;
