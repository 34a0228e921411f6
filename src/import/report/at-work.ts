import type { Pool } from "pg";
import { JobState } from "../job/job-state.ts";

/** Whether any import is waiting to be carried out or under way, on whatever server. */
export async function areImportsAtWork(database: Pool): Promise<boolean> {
  const { rows } = await database.query<{ any: boolean }>(
    `select exists (select from import_job where state in (${JobState.created}, ${JobState.running})) as any`,
  );
  return rows[0]?.any === true;
}
