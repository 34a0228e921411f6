import type { ClientBase } from "pg";
import { JobState } from "../job/job-state.ts";

/** Forgets everything about the lines of this import, whose units are all done, and of imports that failed or were cancelled. */
export async function forgetLines(database: Pick<ClientBase, "query">, job: string): Promise<void> {
  for (const table of ["import_pending_line", "import_line_position"]) {
    await database.query(
      `delete from ${table} where job = any(array(
         select $1::bigint union all select id from import_job where state = any($2::int[])))`,
      [job, [JobState.failed, JobState.cancelled, JobState.cancelledByUser]],
    );
  }
}
