/** How long a claim of a job lasts without a sign of life, in seconds. */
export const LEASE_SECONDS = 30;

/** The job or unit became another's, or was cancelled, while it was held: nothing more is written for it. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** How the lease of a claimed job is kept. */
export interface HeldLease {
  /** The job and what is done with it, for the message of {@link LeaseLost}: "import 7 to plan". */
  readonly what: string;
  /** Milliseconds between two signs of life; a third of the lease unless they also say how far the job is. */
  readonly beatMs?: number;
  /** Prolongs the lease; false when the job is no longer ours. What it throws, other than PostgreSQL's errors, goes to `onTrouble`. */
  renew(end: (reason: Error) => void): Promise<boolean>;
  /** The lease could not be renewed. The next beat tries again: the lease outlives two of them. */
  onTrouble(error: unknown): void;
}

/**
 * Runs `work` on a claimed job and keeps its lease meanwhile. The signal of `work` fires when `stop` does, when the job is no longer ours
 * ({@link LeaseLost}), and when `renew` ends it; `work` then has to end. `beatNow` renews the lease at once, to find out early that a job
 * was cancelled. No renewal is under way any more when the promise settles.
 */
export async function withLease<Result>(
  lease: HeldLease,
  stop: AbortSignal,
  work: (signal: AbortSignal, beatNow: () => void) => Promise<Result>,
): Promise<Result> {
  const lost = new AbortController();
  let renewal: Promise<void> = Promise.resolve();
  const beat = (): void => {
    renewal = renewal
      .then(() => lease.renew((reason) => lost.abort(reason)))
      .then(
        (held) => {
          if (!held) lost.abort(new LeaseLost(`${lease.what} is no longer ours`));
        },
        (error: unknown) => lease.onTrouble(error),
      );
  };
  const timer = setInterval(beat, lease.beatMs ?? (LEASE_SECONDS * 1000) / 3);
  try {
    return await work(AbortSignal.any([stop, lost.signal]), beat);
  } finally {
    clearInterval(timer);
    await renewal;
  }
}
