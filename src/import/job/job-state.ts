/** States of `import_job.state` (contract 2). */
export const JobState = { created: 0, running: 1, completed: 2, failed: 3, cancelled: 4, cancelledByUser: 6 } as const;

/** States of `import_unit.state`. */
export const UnitState = { created: 0, running: 1, completed: 2, failed: 3, cancelled: 4 } as const;

/** Why a job failed: what the status endpoint will say (contract 7.1); stored as `import_job.failure`. */
export interface JobFailure {
  /** HTTP status of the status endpoint. */
  readonly status: number;
  /** A code of the error catalogue, for programs and logs. */
  readonly code: string;
  /** The reason, without `import operation failed for reason:`. Hidden from clients when the status is 500. */
  readonly text: string;
  /** URL of the input whose unit failed; absent when the job failed before it had units. */
  readonly input?: string;
}
