import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import type { ClientBase } from "pg";
import { isStorable } from "./read.ts";
import { SEARCH_COLUMNS } from "../search/search-rows.ts";
import { holdSegments } from "../segments/segments.ts";

/**
 * Removes a resource for good, in the client's open transaction: its head, all versions, its search rows in every
 * segment, and the bytes of its bodies, which are overwritten with spaces in the blocks they share with others. False
 * when there is no such resource. Backups, the write-ahead log and, until a vacuum, the files of the tables keep what they
 * have. Texts of tokens stay in `search_dictionary`: they are of all resources that use them; so does, in `displaced_id`, an id that
 * shares its hash with another one. `hashed` is the key by the id's hash.
 */
export async function eraseResource(client: ClientBase, hashed: bigint, id: string): Promise<boolean> {
  if (!isStorable(id)) return false;
  const heads = await client.query<{ key: string }>(
    "select key::text from resource_current where key = stored_key($1, $2) and id = $2 for update",
    [hashed, id],
  );
  const key = heads.rows[0]?.key;
  if (key === undefined) return false;
  const { rows: places } = await client.query<{ block: string; block_offset: number; body_length: number }>(
    `select block::text, block_offset, body_length from resource_current where key = $1 and body_length > 0
     union all select block::text, block_offset, body_length from resource_history where key = $1 and body_length > 0`,
    [key],
  );
  // No segment may change its state meanwhile: one that is being indexed still has rows to come from `stale_row`.
  const segments = await client.query<{ number: number }>("select number from segment");
  await holdSegments(
    client,
    segments.rows.map(({ number }) => number),
  );
  for (const table of Object.keys(SEARCH_COLUMNS)) await client.query(`delete from ${table} where key = $1`, [key]);
  for (const table of ["stale_row", "resource_history", "resource_current"]) {
    await client.query(`delete from ${table} where key = $1`, [key]);
  }
  const placesOfBlock = new Map<string, { offset: number; length: number }[]>();
  for (const { block, block_offset: offset, body_length: length } of places) {
    const known = placesOfBlock.get(block);
    if (known === undefined) placesOfBlock.set(block, [{ offset, length }]);
    else known.push({ offset, length });
  }
  const blocks = [...placesOfBlock.keys()].toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
  for (const block of blocks) await blankOut(client, block, placesOfBlock.get(block) ?? []);
  return true;
}

const SPACE = 32;

/** The other bodies' offsets stay as they are. A block of nothing but spaces is removed. */
async function blankOut(
  client: ClientBase,
  block: string,
  places: readonly { offset: number; length: number }[],
): Promise<void> {
  const found = await client.query<{ raw_length: number; bytes: Buffer }>(
    "select raw_length, bytes from body_block where id = $1 for update",
    [block],
  );
  const [row] = found.rows;
  if (row === undefined) return;
  const raw = inflateRawSync(row.bytes, { maxOutputLength: Math.max(row.raw_length, 1) });
  for (const { offset, length } of places) raw.fill(SPACE, offset, offset + length);
  if (raw.every((byte) => byte === SPACE)) {
    await client.query("delete from body_block where id = $1", [block]);
    return;
  }
  const bytes = deflateRawSync(raw, { level: constants.Z_BEST_SPEED });
  await client.query("update body_block set bytes = $2 where id = $1", [block, bytes]);
}
