import type { ClientBase } from "pg";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { eraseResource } from "../../store/resources/erase.ts";
import { isStorable, readCurrent } from "../../store/resources/read.ts";
import { changeStatement, removeDefinition } from "../../store/search/search-parameters.ts";
import { DEFINING_TYPE } from "./define-parameters.ts";
import { BEGIN } from "./write-group.ts";
import type { Precondition } from "./write-request.ts";

/**
 * Removes a resource for good, with its history, in a transaction; false when it is not there. `check` is asked under the lock
 * on it; what it throws is thrown, and nothing is removed.
 */
export async function eraseOne(
  client: ClientBase,
  type: string,
  id: string,
  check: Precondition | undefined,
): Promise<boolean> {
  // Nothing is indexed, so that no definition needs to be known.
  await client.query([...BEGIN, ...(type === DEFINING_TYPE ? [changeStatement(undefined)] : [])].join("; "));
  try {
    if (check !== undefined && isStorable(id)) {
      await client.query("select from resource_current where key = stored_key($1, $2) for update", [
        resourceKeyOf(type, id),
        id,
      ]);
      check(await readCurrent(client, type, id));
    }
    const isErased = await eraseResource(client, resourceKeyOf(type, id), id);
    if (type === DEFINING_TYPE) await removeDefinition(client, id);
    await client.query("commit");
    return isErased;
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}
