import type { QueryConfig, QueryResult, QueryResultRow } from "pg";
import { resourceKeyOf } from "../fhir/resource-key.ts";
import type { BodyPlace } from "./body-blocks.ts";

/** A pool or one of its clients. */
export interface Queryable {
  query<Row extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<Row>>;
}

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

/** The current version, perhaps a deleted one; undefined when there is none. `type` must be a resource type of R4. */
export async function readCurrent(db: Queryable, type: string, id: string): Promise<StoredVersion | undefined> {
  const found = await db.query<VersionColumns>({
    name: "read-current",
    text: `select v.id, ${VERSION_COLUMNS} from head v where v.key = $1 and v.id = $2 and v.version_id is not null`,
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
  const found = await db.query<VersionColumns>({
    name: "read-version",
    text: `${ALL_VERSIONS} select v.id, ${VERSION_COLUMNS} from all_versions v where v.version_id = $3`,
    values: [resourceKeyOf(type, id), id, versionId],
  });
  return found.rows[0] && versionOf(type, found.rows[0]);
}

/** A place in a history: the last version that was seen. */
export interface HistoryPosition {
  lastUpdated: number;
  versionId: number;
}

/** Which part of a history to read. */
export interface HistoryPage {
  count: number;
  after?: HistoryPosition;
  /** Only versions at or after this instant, in milliseconds since 1970. */
  since?: number;
}

/** A part of a resource's history. */
export interface History {
  /** False when the resource was never stored. */
  known: boolean;
  /** How many versions there are in all (since `since`). */
  total: number;
  versions: StoredVersion[];
}

/**
 * Versions of a resource, deleted ones included, by lastUpdated descending (contract 10.1), the greater version first
 * where two have the same.
 */
export async function readHistory(db: Queryable, type: string, id: string, page: HistoryPage): Promise<History> {
  // The counts stand in every row, and there is one even if the page is empty.
  const found = await db.query<VersionColumns & { total: string; stored: string }>({
    name: "read-history",
    text: `${ALL_VERSIONS},
           page as (
             select v.* from all_versions v
             where v.last_updated >= $3 and (v.last_updated, v.version_id) < ($4, $5)
             order by v.last_updated desc, v.version_id desc limit $6)
           select t.stored::text, t.total::text, v.id, ${VERSION_COLUMNS}
           from (select count(*) as stored, count(*) filter (where last_updated >= $3) as total from all_versions) t
             left join page v on true
           order by v.last_updated desc, v.version_id desc`,
    values: [
      resourceKeyOf(type, id),
      id,
      page.since ?? Number.MIN_SAFE_INTEGER,
      page.after?.lastUpdated ?? Number.MAX_SAFE_INTEGER,
      page.after?.versionId ?? 0,
      page.count,
    ],
  });
  const [first] = found.rows;
  return {
    known: Number(first?.stored ?? 0) > 0,
    total: Number(first?.total ?? 0),
    // The row of an empty page has nulls.
    versions: found.rows.filter((row) => row.id !== null).map((row) => versionOf(type, row)),
  };
}

/** $1 is the key, $2 the id: keys are hashes, so the id decides. */
const ALL_VERSIONS = `with all_versions as (
  select id, version_id, last_updated, deleted, block, block_offset, body_length
  from head where key = $1 and id = $2 and version_id is not null
  union all
  select h.id, v.version_id, v.last_updated, v.deleted, v.block, v.block_offset, v.body_length
  from head h join version v on v.key = h.key where h.key = $1 and h.id = $2)`;
