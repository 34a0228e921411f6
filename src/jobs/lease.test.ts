import { expect, it } from "vitest";
import { LeaseLost, withLease, type HeldLease } from "./lease.ts";

const NEVER = new AbortController().signal;

function lease(renew: HeldLease["renew"], troubles: unknown[] = []): HeldLease {
  return { what: "job 7", beatMs: 1, renew, onTrouble: (error) => troubles.push(error) };
}

/** Waits until the signal fires, and gives its reason. */
async function untilEnd(signal: AbortSignal): Promise<unknown> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return signal.reason;
}

it("renews the lease until the work is done", async () => {
  let renewals = 0;
  const third = new AbortController();
  const result = await withLease(
    lease(async () => {
      if (++renewals === 3) third.abort();
      return true;
    }),
    NEVER,
    async () => {
      await untilEnd(third.signal);
      return "done";
    },
  );
  const after = renewals;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([result, renewals]).toEqual(["done", after]);
});

it("tells the work that the job is another's", async () => {
  const reason = await withLease(
    lease(async () => false),
    NEVER,
    untilEnd,
  );
  expect(reason).toEqual(new LeaseLost("job 7 is no longer ours"));
});

it("ends the work for the reason that a renewal gives", async () => {
  const full = new Error("the disk is full");
  const renew: HeldLease["renew"] = async (end) => {
    end(full);
    return true;
  };
  expect(await withLease(lease(renew), NEVER, untilEnd)).toBe(full);
});

it("ends the work when the server stops", async () => {
  const stop = new AbortController();
  const working = withLease(
    lease(async () => true),
    stop.signal,
    untilEnd,
  );
  stop.abort(new Error("stop"));
  expect(await working).toEqual(new Error("stop"));
});

it("goes on when a renewal fails, and renews at once when it is asked to", async () => {
  const troubles: unknown[] = [];
  const failing = lease(async () => {
    throw new Error("no connection");
  }, troubles);
  await withLease({ ...failing, beatMs: 60_000 }, NEVER, async (_signal, beatNow) => {
    beatNow();
    beatNow();
  });
  expect(troubles).toEqual([new Error("no connection"), new Error("no connection")]);
});
