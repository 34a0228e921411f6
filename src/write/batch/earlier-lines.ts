import type { ClientBase } from "pg";
import type { BodyPlace } from "../../store/resources/body-blocks.ts";
import type { CopyBuffer } from "../../postgres/copy-buffer.ts";
import { keyArray } from "../../store/resources/heads.ts";
import type { EarlierLine } from "../versions/decide-resource.ts";
import type { LinePlace } from "./line-places.ts";

/** A row of `import_pending_line`: what an import remembers of a line that it did not write. */
export interface EarlierRow extends EarlierLine {
  key: bigint;
  /** undefined for a bare line that was written at first. */
  place: LinePlace | undefined;
  /** undefined when the line can never be written. */
  body: BodyPlace | undefined;
}

const OUTCOMES = [undefined, "unchanged", "duplicate", "conflict"] as const;

/** Columns of `import_pending_line` in the order of {@link writeEarlierRow}. */
export const EARLIER_COLUMNS: readonly string[] = [
  "job",
  "key",
  "last_updated",
  "version_id",
  "deleted",
  "content_hash",
  "outcome",
  "unit",
  "byte_offset",
  "line",
  "length",
  "block",
  "block_offset",
  "body_length",
];

/** Writes a row of `import_pending_line` for COPY. */
export function writeEarlierRow(rows: CopyBuffer, job: bigint, earlier: EarlierRow): void {
  const { place, body } = earlier;
  rows.row(EARLIER_COLUMNS.length);
  rows.bigint(job);
  rows.bigint(earlier.key);
  if (earlier.lastUpdated === undefined) rows.null();
  else rows.integer(earlier.lastUpdated);
  if (earlier.versionId === undefined) rows.null();
  else rows.int32(earlier.versionId);
  rows.boolean(earlier.deleted);
  rows.bigint(earlier.contentHash);
  rows.int16(OUTCOMES.indexOf(earlier.outcome));
  if (place === undefined) {
    for (let field = 0; field < 4; field++) rows.null();
  } else {
    rows.bigint(place.unit);
    rows.integer(place.byteOffset);
    rows.integer(place.line);
    rows.int32(place.length);
  }
  if (body === undefined) {
    for (let field = 0; field < 3; field++) rows.null();
  } else {
    rows.bigint(body.block);
    rows.int32(body.offset);
    rows.int32(body.length);
  }
}

/** What the import remembers of these resources' lines, by key. To be called with the heads locked. */
export async function readEarlierLines(
  client: ClientBase,
  job: bigint,
  keys: readonly bigint[],
): Promise<Map<bigint, EarlierRow[]>> {
  const lines = new Map<bigint, EarlierRow[]>();
  if (keys.length === 0) return lines;
  const { rows } = await client.query<{
    key: string;
    last_updated: string | null;
    version_id: number | null;
    deleted: boolean;
    content_hash: string;
    outcome: number;
    unit: string | null;
    byte_offset: string;
    line: string;
    length: number;
    block: string | null;
    block_offset: number;
    body_length: number;
  }>({
    name: "read-earlier-lines",
    text: `select key::text, last_updated::text, version_id, deleted, content_hash::text, outcome, unit::text,
             byte_offset::text, line::text, length, block::text, block_offset, body_length
           from import_pending_line where job = $1 and key = any($2::bigint[])`,
    values: [job, keyArray(keys)],
  });
  for (const row of rows) {
    const key = BigInt(row.key);
    const { deleted, length } = row;
    const earlier: EarlierRow = {
      key,
      versionId: row.version_id ?? undefined,
      lastUpdated: row.last_updated === null ? undefined : Number(row.last_updated),
      deleted,
      contentHash: BigInt(row.content_hash),
      outcome: OUTCOMES[row.outcome] ?? "conflict",
      place:
        row.unit === null
          ? undefined
          : { unit: BigInt(row.unit), byteOffset: Number(row.byte_offset), line: Number(row.line), length },
      body:
        row.block === null
          ? undefined
          : { block: BigInt(row.block), offset: row.block_offset, length: row.body_length },
    };
    const list = lines.get(key);
    if (list === undefined) lines.set(key, [earlier]);
    else list.push(earlier);
  }
  return lines;
}

/** Removes lines that were written after all, or are about to be written anew. */
export async function removeEarlierLines(
  client: ClientBase,
  job: bigint,
  lines: readonly Pick<EarlierRow, "key" | "lastUpdated">[],
): Promise<void> {
  if (lines.length === 0) return;
  await client.query(
    `delete from import_pending_line line using unnest($2::bigint[], $3::bigint[]) as gone (key, last_updated)
     where line.job = $1 and line.key = gone.key and line.last_updated is not distinct from gone.last_updated`,
    [job, keyArray(lines.map((line) => line.key)), lines.map((line) => line.lastUpdated ?? null)],
  );
}
