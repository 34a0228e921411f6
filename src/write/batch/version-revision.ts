import type { ClientBase } from "pg";
import {
  keyArray,
  type HeadRow,
  type NewHead,
  type NewVersion,
  type SearchRowsPlace,
  type VersionRow,
} from "../../store/resources/heads.ts";
import type { Revision } from "../versions/decide-resource.ts";
import type { EarlierRow } from "./earlier-lines.ts";

/** The rows that a revision changes. */
export interface RevisedRows {
  old: HeadRow;
  head: NewHead;
  /** The search rows of the old current version are those of the new one. */
  keepsSearchRows: boolean;
  /** Rows of `version` that go. */
  removed: { key: bigint; versionId: number }[];
  /** Rows of `version` that come, beside those of the batch's own lines. */
  added: NewVersion[];
}

/**
 * The rows of one resource after a revision. `newCurrent` is the version of the batch's line that becomes current, with
 * its search rows, if it is one of them.
 */
export function revisedRows(
  old: HeadRow,
  revision: Revision<VersionRow, EarlierRow>,
  importJob: bigint,
  newCurrent: { version: VersionRow; searchRows: SearchRowsPlace | undefined } | undefined,
): RevisedRows {
  const { key, id } = old;
  const after = new Map<VersionRow | EarlierRow, VersionRow>();
  for (const { version, versionId, lastUpdated } of revision.moved) {
    after.set(version, { ...version, versionId, lastUpdated });
  }
  for (const { line, versionId, lastUpdated, origin } of revision.revived) {
    if (line.body === undefined) throw new Error("a line without a stored body cannot be written");
    const { deleted, contentHash, body } = line;
    after.set(line, { ...body, versionId, lastUpdated, deleted, contentHash, importJob, origin });
  }
  const gone = new Set<VersionRow>(revision.withdrawn.map(({ version }) => version));

  let source: VersionRow | EarlierRow | undefined;
  if (revision.current?.from === "stored") source = revision.current.version;
  else if (revision.current?.from === "earlier") source = revision.current.line;
  let current = newCurrent?.version;
  if (source !== undefined)
    current = after.get(source) ?? (revision.current?.from === "stored" ? revision.current.version : undefined);

  const removed: RevisedRows["removed"] = [];
  const leave = (version: VersionRow): void => {
    if (version !== old.current) removed.push({ key, versionId: version.versionId });
  };
  for (const version of gone) leave(version);
  for (const { version } of revision.moved) leave(version);
  if (revision.current?.from === "stored" && !after.has(revision.current.version)) leave(revision.current.version);
  const added: NewVersion[] = [];
  for (const [before, version] of after) if (before !== source) added.push({ key, ...version });
  if (old.current !== undefined && old.current !== source && !after.has(old.current) && !gone.has(old.current)) {
    added.push({ key, ...old.current });
  }
  const searchRows = revision.keepsSearchValues ? old.searchRows : newCurrent?.searchRows;
  return { old, head: { key, id, current, searchRows }, keepsSearchRows: revision.keepsSearchValues, removed, added };
}

/** Deletes the rows of `version` that go. */
export async function removeVersions(client: ClientBase, rows: readonly RevisedRows[]): Promise<void> {
  const removed = rows.flatMap((one) => one.removed);
  if (removed.length === 0) return;
  await client.query(
    `delete from resource_history using unnest($1::bigint[], $2::int[]) as gone (key, version_id)
     where resource_history.key = gone.key and resource_history.version_id = gone.version_id`,
    [keyArray(removed.map(({ key }) => key)), removed.map(({ versionId }) => versionId)],
  );
}

/** Brings lastUpdated in kept search rows up to date. The segments are held. Walks through segments without indexes. */
export async function redateSearchRows(client: ClientBase, rows: readonly RevisedRows[]): Promise<void> {
  const bySegment = new Map<number, { keys: bigint[]; stamps: number[]; dates: number[] }>();
  for (const { old, head, keepsSearchRows } of rows) {
    const { searchRows, current } = head;
    if (!keepsSearchRows || searchRows === undefined || current === undefined) continue;
    if (current.lastUpdated === old.current?.lastUpdated) continue;
    let of = bySegment.get(searchRows.segment);
    if (of === undefined) bySegment.set(searchRows.segment, (of = { keys: [], stamps: [], dates: [] }));
    of.keys.push(head.key);
    of.stamps.push(searchRows.stamp);
    of.dates.push(current.lastUpdated);
  }
  for (const [segment, { keys, stamps, dates }] of bySegment) {
    await client.query(
      `update search_resource row set last_updated = redated.last_updated
       from unnest($1::bigint[], $2::int[], $3::bigint[]) as redated (key, stamp, last_updated)
       where row.segment = $4 and row.key = redated.key and row.stamp = redated.stamp`,
      [keyArray(keys), stamps, dates, segment],
    );
  }
}
