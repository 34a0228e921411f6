import type { QueryConfig } from "pg";
import { fromBigInt, type Int64Halves } from "../../base/hash.ts";
import { displacedIds, installDisplacedIds, typeIdOfKey, type DisplacedIds } from "../../fhir/resource-key.ts";
import type { Queryable } from "../../postgres/pool.ts";

/** An id whose key is not made of its hash. */
export interface DisplacedId {
  /** The key of its hash, which another resource of the type has. */
  readonly hashed: bigint;
  readonly id: string;
  readonly key: bigint;
}

/** For the statement that begins a read: the generation of the displaced ids in the state of the database that is read. */
export const DISPLACED_GENERATION = "(select coalesce(max(generation), 0) from displaced_id)";

/** Makes this thread know all ids that are displaced in the state of the database that `db` sees, or more. */
export async function learnDisplacedIds(db: Queryable): Promise<void> {
  const { rows } = await db.query<{ hashed: string; id: string; key: string; generation: number }>({
    ...READ,
    values: [displacedIds().generation],
  });
  // What was learned while the database was asked is kept: nothing is ever removed.
  const generation = rows.reduce((greatest, row) => Math.max(greatest, row.generation), 0);
  const added = rows.map(({ hashed, id, key }) => ({ hashed: BigInt(hashed), id, key: BigInt(key) }));
  if (added.length > 0) installDisplacedIds(withAdded(displacedIds(), added, generation));
}

const READ: QueryConfig = {
  name: "read-displaced-ids",
  text: "select hashed::text, id, key::text, generation from displaced_id where generation > $1",
};

/** The known ids with further ones. */
export function withAdded(known: DisplacedIds, added: readonly DisplacedId[], generation: number): DisplacedIds {
  const byType = [...known.byType];
  const copied = new Map<number, Map<string, Int64Halves>>();
  for (const { hashed, id, key } of added) {
    const typeId = typeIdOfKey(hashed);
    let ids = copied.get(typeId);
    if (ids === undefined) {
      ids = new Map(byType[typeId]);
      copied.set(typeId, ids);
      byType[typeId] = ids;
    }
    ids.set(id, fromBigInt(key));
  }
  return { generation: Math.max(known.generation, generation), byType };
}
