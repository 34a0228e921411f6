import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { EntryRequest } from "./bundle-request.ts";
import { EntryOrder } from "./entry-order.ts";

interface TestEntry {
  method: "POST" | "PUT" | "DELETE" | "PATCH";
  type: string;
  id: string | undefined;
  locks: string[];
  /** Turns of the event loop that its work takes. */
  turns: number;
  fails: boolean;
}

const entries = fc.array(
  fc.record<TestEntry>({
    method: fc.constantFrom("POST", "PUT", "DELETE", "PATCH"),
    type: fc.constantFrom("Patient", "Basic"),
    id: fc.constantFrom(undefined, "a", "b"),
    locks: fc.constantFrom([], ["Patient?x"], ["Patient?y"]),
    turns: fc.nat(4),
    fails: fc.boolean(),
  }),
  { maxLength: 30 },
);

/** Whether the later of two entries may be about the resource of the earlier one. */
function mayMeet(earlier: TestEntry, later: TestEntry): boolean {
  if (earlier.locks.some((name) => later.locks.includes(name))) return true;
  if (earlier.type !== later.type) return false;
  const isConditional = ({ method, id, locks }: TestEntry): boolean =>
    method === "POST" ? locks.length > 0 : id === undefined;
  if (isConditional(earlier) !== isConditional(later)) return true;
  return earlier.id !== undefined && earlier.id === later.id;
}

it("entries that may meet run one after another, in their order; others at once", async () => {
  await fc.assert(
    fc.asyncProperty(entries, async (all) => {
      const order = new EntryOrder();
      const running = new Set<number>();
      const ended = new Set<number>();
      const results = await Promise.allSettled(
        all.map(({ method, type, id, locks, turns, fails }, place) =>
          order.run({ method, target: { type, id } as EntryRequest["target"] }, { locks }, async () => {
            running.add(place);
            for (const other of all.slice(0, place).keys()) {
              if (mayMeet(all[other] as TestEntry, all[place] as TestEntry)) expect(ended).toContain(other);
            }
            for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
            ended.add(place);
            if (fails) throw new Error(`${place}`);
            return place;
          }),
        ),
      );
      expect(running.size).toBe(all.length);
      expect(results.map((result) => (result.status === "fulfilled" ? result.value : result.reason.message))).toEqual(
        all.map(({ fails }, place) => (fails ? `${place}` : place)),
      );
    }),
  );
});

it("entries about different resources do not wait for each other", async () => {
  const order = new EntryOrder();
  let free: (() => void) | undefined;
  const held = new Promise<void>((resolve) => (free = resolve));
  const put = (id: string, work: () => Promise<void>): Promise<void> =>
    order.run({ method: "PUT", target: { type: "Patient", id } as EntryRequest["target"] }, { locks: [] }, work);
  const first = put("a", () => held);
  await put("b", async () => free?.());
  await first;
});
