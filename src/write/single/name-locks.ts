import type { ClientBase } from "pg";
import { AdvisoryLock } from "../../postgres/advisory-locks.ts";

/** Letting go of names is tried so often; only somebody who cancels every statement makes it fail. */
const UNLOCK_TRIES = 10;

/**
 * Locks names for the session, in one order, against deadlocks. Names that share a hash wait for each other without need.
 */
export async function lockNames(client: ClientBase, names: readonly string[]): Promise<void> {
  await client.query({
    name: "lock-names",
    text: `select pg_advisory_lock($1, hash)
           from (select distinct hashtext(name) as hash from unnest($2::text[]) as n (name) order by 1) hashes`,
    values: [AdvisoryLock.name, names],
  });
}

/**
 * Lets go of all names of the session. Never throws, because the requests may have been carried out; the locks of a
 * connection that is lost are gone.
 */
export async function unlockNames(client: ClientBase): Promise<void> {
  for (let attempt = 1; attempt <= UNLOCK_TRIES; attempt++) {
    try {
      await client.query("select pg_advisory_unlock_all()");
      return;
    } catch {
      // Cancelled: again.
    }
  }
}
