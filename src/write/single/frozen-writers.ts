import type { Pool } from "pg";
import { AdvisoryLock } from "../../postgres/advisory-locks.ts";

/** Name of the sessions of API writers in pg_stat_activity. */
export const WRITER_NAME = "stoker writer";

/** A writer is never away for so many seconds while it holds something: it waits for PostgreSQL, not the other way round. */
const FROZEN_SECONDS = 15;

/**
 * Ends the sessions of API writers that hold locks and have not been heard of for `seconds`: their process is frozen,
 * or its machine is gone, and whoever writes the same resources waits. PostgreSQL itself ends those that are idle in a
 * transaction (`idle_in_transaction_session_timeout`); here it is those in the middle of a COPY, and those that hold names
 * outside of a transaction. Nothing of what they had begun is committed.
 */
export async function endFrozenWriters(database: Pool, seconds: number = FROZEN_SECONDS): Promise<void> {
  await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = $1 and datname = current_database() and usename = current_user
       and wait_event = 'ClientRead' and state_change < clock_timestamp() - make_interval(secs => $3)
       and (state = 'active' or (state = 'idle' and exists (
         select from pg_locks where pg_locks.pid = pg_stat_activity.pid and locktype = 'advisory' and classid = $2)))`,
    [WRITER_NAME, AdvisoryLock.name, seconds],
  );
}
