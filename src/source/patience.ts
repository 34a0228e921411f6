/** An abort signal for one request: follows the caller's, and gives up by itself when there is no answer. */
export interface Patience {
  signal: AbortSignal;
  /** The answer is there: from now on only the caller's signal counts. */
  answered(): void;
  /** Lets go of the caller's signal and the timer. */
  close(): void;
}

/** Starts waiting for an answer, at most `milliseconds` long. */
export function openPatience(caller: AbortSignal | undefined, milliseconds: number): Patience {
  caller?.throwIfAborted();
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error("no answer")), milliseconds);
  // by hand: AbortSignal.any holds on to its sources for as long as a job's signal lives in some releases of Node 20
  const follow = (): void => controller.abort(caller?.reason);
  caller?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    answered: () => clearTimeout(timer),
    close() {
      clearTimeout(timer);
      caller?.removeEventListener("abort", follow);
    },
  };
}
