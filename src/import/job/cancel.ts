import type { Pool } from "pg";
import { StokerError } from "../../base/errors.ts";
import { transaction } from "../../postgres/pool.ts";
import { JobState } from "./job-state.ts";
import { closeUnits } from "./jobs.ts";
import { jobNotFound, readJobId } from "../request/job-id.ts";

/**
 * Cancels an import on a user's behalf (contract 3.3): what is open ends at once, what is loaded stays. Repeatable.
 * Throws `not-found` for an unknown id and `job-completed` when the job had completed or failed.
 */
export async function cancelImport(database: Pool, id: string): Promise<void> {
  const job = readJobId(id);
  await transaction({ pool: database }, async (client) => {
    const { rows } = await client.query<{ state: number }>(
      "select state from import_job where id = $1 for no key update",
      [job],
    );
    const state = rows[0]?.state;
    if (state === undefined) throw jobNotFound(job);
    if (state === JobState.completed || state === JobState.failed) {
      throw new StokerError("job-completed", "Import operation has already completed");
    }
    if (state !== JobState.created && state !== JobState.running) return;
    await client.query(
      `update import_job
       set state = ${JobState.cancelledByUser}, ended_at = clock_timestamp(), lease_until = null, fence = fence + 1
       where id = $1`,
      [job],
    );
    await closeUnits(client, job);
  });
}
