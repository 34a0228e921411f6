import { randomBytes } from "node:crypto";
import type { ClientBase } from "pg";
import { displacedIds, KEY_BITS, typeIdOfKey } from "../../fhir/resource-key.ts";
import type { Indexer } from "../../index/indexer.ts";
import { learnDisplacedIds, withAdded, type DisplacedId } from "../../store/identity/displaced-ids.ts";
import { keyArray } from "../../store/resources/heads.ts";
import { changeStatement, raiseGeneration } from "../../store/search/search-parameters.ts";
import { updateIndexer } from "./current-definitions.ts";
import { openRewriter } from "./rewrite-references.ts";

/** An id whose hash makes a key that another id of its type has. */
export interface TakenKey {
  readonly key: bigint;
  readonly id: string;
}

/** Nothing was written: these ids are to be displaced with {@link displaceIds}, and the write to be planned again. */
export class KeysTaken extends Error {
  readonly taken: readonly TakenKey[];
  constructor(taken: readonly TakenKey[]) {
    super("two ids share a key");
    this.taken = taken;
  }
}

/** The ids whose keys another id has: one that is stored, or one before it in the list. */
export function takenKeys(
  ids: Iterable<TakenKey>,
  stored: ReadonlyMap<bigint, string> = new Map<bigint, string>(),
): TakenKey[] {
  const owners = new Map(stored);
  const taken = new Map<string, TakenKey>();
  for (const each of ids) {
    const owner = owners.get(each.key);
    if (owner === undefined) owners.set(each.key, each.id);
    else if (owner !== each.id) taken.set(`${each.key} ${each.id}`, each);
  }
  return [...taken.values()];
}

/**
 * Gives ids keys of their own, at random, because those of their hashes are taken; and stores the references to them, which
 * stand under the old keys, under the new ones. In a transaction of its own, which waits for all that write search values, as a
 * change of definitions does: so no reference is written under the old key any more. Resources that refer to the id that keeps
 * its key are read, too; with very many of them, others wait that long.
 *
 * Not to be called in a transaction. Throws PostgreSQL's errors, with nothing done.
 */
export async function displaceIds(client: ClientBase, indexer: Indexer, taken: readonly TakenKey[]): Promise<void> {
  const rewriter = await openRewriter(client, indexer);
  await client.query(`begin; ${changeStatement(undefined)}`);
  try {
    await learnDisplacedIds(client);
    const displaced = await withNewKeys(client, await stillTaken(client, taken));
    if (displaced.length > 0) {
      await updateIndexer(client, indexer);
      await raiseGeneration(client);
      await client.query(
        `insert into displaced_id (hashed, id, key, generation)
         select hashed, id, key, g.generation from unnest($1::bigint[], $2::text[], $3::bigint[]) as u (hashed, id, key),
           search_parameter_generation g`,
        [displaced.map(({ hashed }) => hashed), displaced.map(({ id }) => id), displaced.map(({ key }) => key)],
      );
      await rewriter.rewrite(displaced, withAdded(displacedIds(), displaced, displacedIds().generation + 1));
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
  await learnDisplacedIds(client);
}

/** Others may have displaced some of them meanwhile, or have stored one of them under the key. */
async function stillTaken(client: ClientBase, taken: readonly TakenKey[]): Promise<TakenKey[]> {
  const { rows } = await client.query<{ key: string; id: string }>(
    `select u.key::text, u.id from unnest($1::bigint[], $2::text[]) as u (key, id)
     where not exists (select from displaced_id d where d.hashed = u.key and d.id = u.id)
       and not exists (select from resource_current h where h.key = u.key and h.id = u.id)`,
    [taken.map(({ key }) => key), taken.map(({ id }) => id)],
  );
  return rows.map(({ key, id }) => ({ key: BigInt(key), id }));
}

/** Keys that no resource has, and no other displaced id. That one is the hash of a further id is as unlikely as for any key. */
async function withNewKeys(client: ClientBase, taken: readonly TakenKey[]): Promise<DisplacedId[]> {
  const found: DisplacedId[] = [];
  let left = taken;
  while (left.length > 0) {
    const tried = left.map(({ key, id }) => ({ hashed: key, id, key: randomKey(typeIdOfKey(key)) }));
    const { rows } = await client.query<{ key: string }>(
      `select key::text from resource_current where key = any($1::bigint[]) union select key::text from displaced_id where key = any($1)`,
      [keyArray(tried.map(({ key }) => key))],
    );
    const used = new Set(rows.map(({ key }) => BigInt(key)));
    const isNew = ({ key }: DisplacedId): boolean => !used.has(key) && !found.some((other) => other.key === key);
    const free = tried.filter(isNew);
    found.push(...free);
    left = tried.filter((each) => !free.includes(each)).map(({ hashed, id }) => ({ key: hashed, id }));
  }
  return found;
}

function randomKey(typeId: number): bigint {
  const bits = BigInt.asUintN(KEY_BITS, randomBytes(8).readBigUInt64BE());
  return BigInt.asIntN(64, (BigInt(typeId) << BigInt(KEY_BITS)) | bits);
}
