import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { isStorable, VERSION_COLUMNS, versionOf, type StoredVersion, type VersionColumns } from "./read.ts";
import { type Queryable } from "../../postgres/pool.ts";

/**
 * `origin` of a version that the API wrote for a create; 0 for its other writes. (`origin` of imported versions says what
 * their lines said, and stands beside their import's number.)
 */
export const CREATED = 3;

/** A version in a history. */
export interface HistoryVersion extends StoredVersion {
  /** The server made up the id for it: a create. Everything else that is not a deletion came with its id. */
  isCreate: boolean;
}

/** Columns of a version in a history, as {@link historyVersionOf} reads them; the table's alias is `v`. */
export const HISTORY_COLUMNS: string = `${VERSION_COLUMNS}, v.origin`;

/** A row with an `id` and {@link HISTORY_COLUMNS}. */
export interface HistoryColumns extends VersionColumns {
  origin: number;
}

/** The version in a row of {@link HISTORY_COLUMNS}. */
export function historyVersionOf(type: string, row: HistoryColumns): HistoryVersion {
  return { ...versionOf(type, row), isCreate: row.origin === CREATED };
}

/** A period of time in whole milliseconds since 1970, both ends included. */
export interface Period {
  low: number;
  high: number;
}

/** A place in the history of a resource: the last version that was seen. */
export interface HistoryPosition {
  lastUpdated: number;
  versionId: number;
}

/** Which part of a resource's history to read. */
export interface HistoryPage {
  count: number;
  after?: HistoryPosition | undefined;
  /** Only versions at or after this instant, in milliseconds since 1970. */
  since?: number | undefined;
  /** Only versions that were current at some time of this period. */
  at?: Period | undefined;
}

/** A part of a resource's history. */
export interface History {
  /** False when the resource was never stored. */
  known: boolean;
  /** How many versions there are in all, of those that are asked for. */
  total: number;
  versions: HistoryVersion[];
}

/**
 * Versions of a resource, deleted ones included, by lastUpdated descending (contract 10.1), the greater version first
 * where two have the same.
 *
 * A version is current from its lastUpdated to that of the resource's next one. What is dated after the current version
 * (negative versions can be), or belongs to a resource that has none, never was.
 */
export async function readHistory(db: Queryable, type: string, id: string, page: HistoryPage): Promise<History> {
  if (!isStorable(id)) return { known: false, total: 0, versions: [] };
  // The counts stand in every row, and there is one even if the page is empty.
  const found = await db.query<HistoryColumns & { total: string; stored: string }>({
    name: "read-history",
    text: `with all_versions as (
             select id, version_id, last_updated, deleted, block, block_offset, body_length, origin, true as is_current
             from resource_current where key = stored_key($1, $2) and id = $2 and version_id is not null
             union all
             select h.id, v.version_id, v.last_updated, v.deleted, v.block, v.block_offset, v.body_length, v.origin, false
             from resource_current h join resource_history v on v.key = h.key where h.key = stored_key($1, $2) and h.id = $2),
           dated as (
             select a.*, lead(last_updated) over (order by last_updated, version_id) as next,
               max(last_updated) filter (where is_current) over () as newest
             from all_versions a),
           wanted as (
             select * from dated
             where last_updated >= $3
               and ($7::bigint is null or last_updated <= $8
                 and (is_current or last_updated < newest and next > greatest($7, last_updated)))),
           page as (
             select * from wanted where (last_updated, version_id) < ($4, $5)
             order by last_updated desc, version_id desc limit $6)
           select t.stored::text, t.total::text, v.id, ${HISTORY_COLUMNS}
           from (select (select count(*) from all_versions) as stored, (select count(*) from wanted) as total) t
             left join page v on true
           order by v.last_updated desc, v.version_id desc`,
    values: [
      resourceKeyOf(type, id),
      id,
      page.since ?? Number.MIN_SAFE_INTEGER,
      page.after?.lastUpdated ?? Number.MAX_SAFE_INTEGER,
      page.after?.versionId ?? 0,
      page.count,
      page.at?.low ?? null,
      page.at?.high ?? null,
    ],
  });
  const [first] = found.rows;
  return {
    known: Number(first?.stored ?? 0) > 0,
    total: Number(first?.total ?? 0),
    // The row of an empty page has nulls.
    versions: found.rows.filter((row) => row.id !== null).map((row) => historyVersionOf(type, row)),
  };
}
