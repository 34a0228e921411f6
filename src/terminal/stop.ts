/** Requests to stop that come as SIGINT (Ctrl-C) or SIGTERM. */
export interface StopRequests {
  /** Fires at the first signal; the reason is its name. */
  readonly signal: AbortSignal;
  /** Gives the signals back to Node.js. */
  close(): void;
}

/** Exit code after a second signal: the user does not want to wait. */
const IMPATIENT = 130;

/** Listens for signals: the first one asks to stop, the second one ends the process at once. */
export function openStopRequests(): StopRequests {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(IMPATIENT);
    stop.abort(name);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: stop.signal,
    close() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

/** Resolves when the signal fires. */
export async function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
