import type { ClientBase } from "pg";

/** The process id of the session that a client has on the server. */
export function processIdOf(client: ClientBase): number {
  return (client as unknown as { processID: number }).processID;
}

/**
 * Runs `work`, and `cancel` as soon as the signal fires; then waits for both, so that what is cancelled is never the next
 * one's statement. Throws what `work` throws.
 */
export async function cancelledBy<Result>(
  signal: AbortSignal | undefined,
  cancel: () => Promise<void>,
  work: () => Promise<Result>,
): Promise<Result> {
  if (signal === undefined) return await work();
  let cancelled: Promise<void> | undefined;
  const onAbort = (): void => {
    cancelled = cancel();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await work();
  } finally {
    signal.removeEventListener("abort", onAbort);
    await cancelled;
  }
}
