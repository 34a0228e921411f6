import { randomBytes } from "node:crypto";
import { HASH_KEY_BYTES, installHashKey } from "../../base/hash.ts";
import { StokerError } from "../../base/errors.ts";
import { cutKeys } from "../../fhir/resource-key.ts";
import { learnDisplacedIds } from "./displaced-ids.ts";
import type { Queryable } from "../../postgres/pool.ts";

/**
 * Makes this thread hash with the key of the store; a store that is new gets a key, which `draw` makes. To be called when the
 * migrations have run, before anything is stored or asked. Servers that start at the same time agree on one key. Also learns which ids
 * are displaced. Throws
 * `setting` where there are resources that were stored without a key.
 */
export async function openHashKey(
  db: Queryable,
  draw: () => Uint8Array = () => randomBytes(HASH_KEY_BYTES),
): Promise<void> {
  let key = await readKey(db);
  if (key === undefined) {
    const { rows } = await db.query<{ any: boolean }>({ text: "select exists (select from resource_current) as any" });
    if (rows[0]?.any === true) throw new StokerError("setting", MADE_BEFORE, { expression: "STOKER_DATABASE_URL" });
    await db.query({ text: "insert into hash_key (key) values ($1) on conflict do nothing", values: [draw()] });
    key = await readKey(db);
  }
  if (key === undefined) throw new StokerError("internal", "The key of the store cannot be read.");
  installHashKey(key.bytes);
  cutKeys(key.bits);
  await learnDisplacedIds(db);
}

const MADE_BEFORE =
  "The database cannot be used: it was made by a version of Stoker that stored hashes without a key; load the resources into an empty database.";

async function readKey(db: Queryable): Promise<{ bytes: Buffer; bits: number } | undefined> {
  const { rows } = await db.query<{ bytes: Buffer; bits: number }>({
    text: "select key as bytes, key_bits as bits from hash_key",
  });
  return rows[0];
}
