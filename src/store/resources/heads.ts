import type { ClientBase } from "pg";
import type { CopyBuffer } from "../../postgres/copy-buffer.ts";
import { SEARCH_COLUMNS } from "../search/search-rows.ts";
import { SegmentState } from "../segments/segments.ts";

/** A stored version with the place of its body. */
export interface VersionRow {
  versionId: number;
  /** Milliseconds since 1970. */
  lastUpdated: number;
  deleted: boolean;
  block: bigint;
  offset: number;
  length: number;
  contentHash: bigint;
  importJob: bigint;
  /** What the line said of its version: `Origin` of the version rules. */
  origin: number;
}

/** Where a version's search rows are. */
export interface SearchRowsPlace {
  segment: number;
  stamp: number;
}

/** A resource that is stored: its id (keys are hashes), its current version and where that one's search values are. */
export interface HeadRow {
  key: bigint;
  id: string;
  current: VersionRow | undefined;
  searchRows: SearchRowsPlace | undefined;
}

/** A version to write, with its resource. */
export interface NewVersion extends VersionRow {
  key: bigint;
}

/** A resource's new head. */
export interface NewHead {
  key: bigint;
  id: string;
  current: VersionRow | undefined;
  searchRows: SearchRowsPlace | undefined;
}

const VERSION_COLUMNS =
  "version_id, last_updated, deleted, block, block_offset, body_length, content_hash, import_job, origin";

/** Columns of `head` in the order of {@link writeHeadRow}. */
export const HEAD_COLUMNS: readonly string[] = ["key", "id", "segment", "stamp", ...VERSION_COLUMNS.split(", ")];
/** Columns of `version` in the order of {@link writeVersionRow}. */
export const VERSION_ROW_COLUMNS: readonly string[] = ["key", ...VERSION_COLUMNS.split(", ")];

interface RawVersion {
  version_id: number | null;
  last_updated: string;
  deleted: boolean;
  block: string;
  block_offset: number;
  body_length: number;
  content_hash: string;
  import_job: string;
  origin: number;
}

/** An `int8[]` parameter in PostgreSQL's binary form: thousands of keys without printing and parsing them. */
export function keyArray(keys: BigInt64Array | readonly bigint[]): Buffer {
  const array = Buffer.allocUnsafe(20 + keys.length * 12);
  array.writeInt32BE(keys.length === 0 ? 0 : 1, 0);
  array.writeInt32BE(0, 4);
  array.writeInt32BE(20, 8);
  if (keys.length === 0) return array.subarray(0, 12);
  array.writeInt32BE(keys.length, 12);
  array.writeInt32BE(1, 16);
  for (let index = 0; index < keys.length; index++) {
    array.writeInt32BE(8, 20 + index * 12);
    array.writeBigInt64BE(keys[index] ?? 0n, 24 + index * 12);
  }
  return array;
}

/** Locks the heads of these keys (in key order, against deadlocks) and returns those there are. */
export async function lockHeads(client: ClientBase, keys: readonly bigint[]): Promise<HeadRow[]> {
  const found = await client.query<
    RawVersion & { key: string; id: string; segment: number | null; stamp: number | null }
  >({
    name: "lock-heads",
    text: `select key::text, id, segment, stamp, version_id, last_updated::text, deleted, block::text, block_offset, body_length,
             content_hash::text, import_job::text, origin
           from resource_current where key = any($1::bigint[]) order by key for update`,
    values: [keyArray(keys)],
  });
  return found.rows.map((row) => ({
    key: BigInt(row.key),
    id: row.id,
    searchRows: row.segment === null || row.stamp === null ? undefined : { segment: row.segment, stamp: row.stamp },
    current: row.version_id === null ? undefined : versionOf(row),
  }));
}

/** The versions of these resources that are not current, grouped by key. */
export async function readOtherVersions(
  client: ClientBase,
  keys: readonly bigint[],
): Promise<Map<bigint, VersionRow[]>> {
  const versions = new Map<bigint, VersionRow[]>();
  if (keys.length === 0) return versions;
  const found = await client.query<RawVersion & { key: string }>({
    name: "read-other-versions",
    text: `select key::text, version_id, last_updated::text, deleted, block::text, block_offset, body_length,
             content_hash::text, import_job::text, origin
           from resource_history where key = any($1::bigint[])`,
    values: [keyArray(keys)],
  });
  for (const row of found.rows) {
    const key = BigInt(row.key);
    const list = versions.get(key);
    if (list === undefined) versions.set(key, [versionOf(row)]);
    else list.push(versionOf(row));
  }
  return versions;
}

function versionOf(row: RawVersion): VersionRow {
  return {
    versionId: row.version_id ?? 0,
    lastUpdated: Number(row.last_updated),
    deleted: row.deleted,
    block: BigInt(row.block),
    offset: row.block_offset,
    length: row.body_length,
    contentHash: BigInt(row.content_hash),
    importJob: BigInt(row.import_job),
    origin: row.origin,
  };
}

/** Writes a row of `head` for COPY. A head without a current version keeps the place of none. */
export function writeHeadRow(rows: CopyBuffer, head: NewHead): void {
  rows.row(13);
  rows.bigint(head.key);
  rows.text(head.id);
  if (head.searchRows === undefined) {
    rows.null();
    rows.null();
  } else {
    rows.int32(head.searchRows.segment);
    rows.int32(head.searchRows.stamp);
  }
  if (head.current === undefined) writeNoVersion(rows);
  else writeVersion(rows, head.current);
}

/** Writes a row of `version` for COPY. */
export function writeVersionRow(rows: CopyBuffer, version: NewVersion): void {
  rows.row(10);
  rows.bigint(version.key);
  writeVersion(rows, version);
}

function writeVersion(rows: CopyBuffer, version: VersionRow): void {
  rows.int32(version.versionId);
  rows.integer(version.lastUpdated);
  rows.boolean(version.deleted);
  rows.bigint(version.block);
  rows.int32(version.offset);
  rows.int32(version.length);
  rows.bigint(version.contentHash);
  rows.bigint(version.importJob);
  rows.int16(version.origin);
}

function writeNoVersion(rows: CopyBuffer): void {
  rows.null();
  rows.integer(0);
  rows.boolean(false);
  rows.bigint(0n);
  rows.int32(0);
  rows.int32(0);
  rows.bigint(0n);
  rows.bigint(0n);
  rows.int16(0);
}

/** Moves the current versions of these resources to `version`; their heads are to be replaced next. */
export async function retireCurrentVersions(client: ClientBase, keys: readonly bigint[]): Promise<void> {
  if (keys.length === 0) return;
  await client.query({
    name: "retire-current-versions",
    text: `insert into resource_history (key, ${VERSION_COLUMNS})
           select key, ${VERSION_COLUMNS} from resource_current where key = any($1::bigint[]) and version_id is not null`,
    values: [keyArray(keys)],
  });
}

/** Replaces the current version of heads that exist and are locked. */
export async function updateHeads(client: ClientBase, heads: readonly NewHead[]): Promise<void> {
  if (heads.length === 0) return;
  const column = (value: (head: NewHead) => unknown): unknown[] => heads.map(value);
  await client.query({
    name: "update-heads",
    text: `update resource_current set segment = new.segment, stamp = new.stamp, version_id = new.version_id, last_updated = new.last_updated,
             deleted = new.deleted, block = new.block, block_offset = new.block_offset, body_length = new.body_length,
             content_hash = new.content_hash, import_job = new.import_job, origin = new.origin
           from unnest($1::bigint[], $2::int[], $3::int[], $4::bigint[], $5::boolean[], $6::bigint[], $7::int[], $8::int[],
             $9::bigint[], $10::bigint[], $11::smallint[], $12::int[])
             as new (key, segment, version_id, last_updated, deleted, block, block_offset, body_length, content_hash,
               import_job, origin, stamp)
           where resource_current.key = new.key`,
    values: [
      keyArray(heads.map((head) => head.key)),
      column((head) => head.searchRows?.segment ?? null),
      column((head) => head.current?.versionId ?? null),
      column((head) => head.current?.lastUpdated ?? 0),
      column((head) => head.current?.deleted ?? false),
      keyArray(heads.map((head) => head.current?.block ?? 0n)),
      column((head) => head.current?.offset ?? 0),
      column((head) => head.current?.length ?? 0),
      keyArray(heads.map((head) => head.current?.contentHash ?? 0n)),
      keyArray(heads.map((head) => head.current?.importJob ?? 0n)),
      column((head) => head.current?.origin ?? 0),
      column((head) => head.searchRows?.stamp ?? null),
    ],
  });
}

/**
 * Takes the rows of versions that are no longer current out of the search structures: deletes them where the segment has
 * indexes to find them by, lists them in `stale_row` elsewhere. `states` are those of the held segments.
 */
export async function removeSearchRows(
  client: ClientBase,
  heads: readonly HeadRow[],
  states: ReadonlyMap<number, number>,
): Promise<void> {
  const headsOfSegment = new Map<number, { keys: bigint[]; stamps: number[] }>();
  for (const { key, searchRows } of heads) {
    if (searchRows === undefined) continue;
    let rows = headsOfSegment.get(searchRows.segment);
    if (rows === undefined) headsOfSegment.set(searchRows.segment, (rows = { keys: [], stamps: [] }));
    rows.keys.push(key);
    rows.stamps.push(searchRows.stamp);
  }
  for (const [segment, { keys, stamps }] of headsOfSegment) {
    if (states.get(segment) === SegmentState.indexed) {
      // Through the parent: which partition has the rows changes when segments are merged.
      const deletions = Object.keys(SEARCH_COLUMNS).map(
        (table) => `${table}_gone as (delete from ${table} where segment = $1 and key = any($2::bigint[]))`,
      );
      await client.query(`with ${deletions.join(", ")} select`, [segment, keyArray(keys)]);
    } else {
      await client.query(
        "insert into stale_row (segment, key, stamp) select $1, key, stamp from unnest($2::bigint[], $3::int[]) as u (key, stamp)",
        [segment, keyArray(keys), stamps],
      );
    }
  }
}
