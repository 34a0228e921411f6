import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WriteQueue, type QueuedWrite } from "./write-queue.ts";
import type { WriteOrigin } from "./write-request.ts";

interface Entry extends QueuedWrite {
  number: number;
}

const ALL = { requests: 200, bytes: 1000 };

function originsOf(...clients: string[]): WriteOrigin[] {
  return clients.map((client) => ({ client }));
}

let count = 0;
function entry(from: WriteOrigin, names: string[] = [], bytes = 1): Entry {
  const [resources, locks] = [names.filter((name) => name !== "lock"), names.filter((name) => name === "lock")];
  return { number: count++, from, lane: "plain", request: { bytes, locks, resources } };
}

/** Takes groups until nothing is left; each is done before the next one is taken. */
function drain(queue: WriteQueue<Entry>, limits = ALL): Entry[][] {
  const groups: Entry[][] = [];
  for (let group = queue.take("plain", limits); group.length > 0; group = queue.take("plain", limits)) {
    groups.push(group);
    queue.done(group);
  }
  return groups;
}

describe("a queue of writes", () => {
  it("lets clients take turns, and the requests of a client", () => {
    const queue = new WriteQueue<Entry>();
    const [many, other, same] = originsOf("a", "b", "a") as [WriteOrigin, WriteOrigin, WriteOrigin];
    const entries = Array.from({ length: 1000 }, () => entry(many));
    for (const each of entries) queue.add(each);
    const late = entry(other);
    const lateToo = entry(same);
    queue.add(late);
    queue.add(lateToo);
    const group = queue.take("plain", { ...ALL, requests: 4 });
    expect(group).toEqual([entries[0], late, lateToo, entries[1]]);
  });

  it("has one write of a resource at work, and the others wait without delaying anybody", () => {
    const queue = new WriteQueue<Entry>();
    const [many, other] = originsOf("a", "b") as [WriteOrigin, WriteOrigin];
    const hot = Array.from({ length: 3000 }, () => entry(many, ["Patient/1"]));
    for (const each of hot) queue.add(each);
    const first = queue.take("plain", ALL);
    expect(first).toEqual([hot[0]]);
    const unrelated = entry(other, ["Patient/2"]);
    const asHot = entry(other, ["Patient/1"]);
    queue.add(unrelated);
    queue.add(asHot);
    // While the first one is at work, another writer gets what has nothing to do with it.
    expect(queue.take("plain", ALL)).toEqual([unrelated]);
    queue.done(first);
    const taken: Entry[] = drain(queue).flat();
    // The other client takes its turn at the hot resource, too.
    expect(taken.indexOf(asHot)).toBeLessThanOrEqual(2);
    expect(taken.filter((each) => each !== asHot)).toEqual(hot.slice(1));
  });

  it("leaves what belongs to a request whose client has gone", () => {
    const queue = new WriteQueue<Entry>();
    const [gone, other] = originsOf("a", "b") as [WriteOrigin, WriteOrigin];
    const first = entry(gone, ["Patient/1"]);
    queue.add(first);
    const atWork = queue.take("plain", ALL);
    for (let each = 0; each < 100; each++) queue.add(entry(gone, ["Patient/1"]));
    const waiting = entry(other, ["Patient/1"]);
    queue.add(waiting);
    expect(queue.take("plain", ALL)).toEqual([]);
    expect(queue.remove(gone)).toHaveLength(100);
    queue.done(atWork);
    expect(drain(queue)).toEqual([[waiting]]);
  });

  it("fills groups up to their bytes, and takes what is larger by itself", () => {
    const queue = new WriteQueue<Entry>();
    const [client] = originsOf("a") as [WriteOrigin];
    const entries = [600, 400, 1, 5000, 1].map((bytes) => entry(client, [], bytes));
    for (const each of entries) queue.add(each);
    const [a, b, c, d, e] = entries;
    expect(drain(queue)).toEqual([[a, b], [c], [d], [e]]);
  });

  it("gives every entry once, in the order of its request for each name, and none at work with another one of its name", () => {
    const names = fc.subarray(["Patient/1", "Patient/2", "lock"]);
    const step = fc.oneof(
      fc.record({ kind: fc.constant("add" as const), from: fc.nat(3), names }),
      fc.record({ kind: fc.constant("take" as const), requests: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant("done" as const), putBack: fc.boolean() }),
      fc.record({ kind: fc.constant("gone" as const), from: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new WriteQueue<Entry>();
        const origins = originsOf("a", "a", "b", "c");
        const added: Entry[] = [];
        const ended: Entry[] = [];
        const removed = new Set<Entry>();
        const groups: Entry[][] = [];
        const take = (requests: number): void => {
          const group = queue.take("plain", { requests, bytes: 1000 });
          if (group.length > 0) groups.push(group);
          const busy = groups.flat().flatMap(({ request }) => [...request.locks, ...(request.resources ?? [])]);
          expect(new Set(busy).size).toBe(busy.length);
        };
        const finish = (putBack: boolean): void => {
          const group = groups.shift() ?? [];
          queue.done(group);
          if (putBack) for (const each of group.toReversed()) queue.putBack(each);
          else ended.push(...group);
        };
        for (const each of steps) {
          if (each.kind === "add") {
            const one = entry(origins[each.from] as WriteOrigin, each.names);
            added.push(one);
            queue.add(one);
          } else if (each.kind === "take") take(each.requests);
          else if (each.kind === "done") finish(each.putBack);
          else for (const one of queue.remove(origins[each.from])) removed.add(one);
        }
        for (let round = 0; round < added.length * 2 + 2; round++) {
          take(3);
          finish(false);
        }
        expect(groups).toEqual([]);
        expect(ended.length + removed.size).toBe(added.length);
        expect(new Set([...ended, ...removed])).toEqual(new Set(added));
        for (const from of origins) {
          for (const name of ["Patient/1", "Patient/2"]) {
            const same = ended.filter((one) => one.from === from && one.request.resources?.[0] === name);
            if (same.every(({ request }) => request.resources?.length === 1 && request.locks.length === 0)) {
              expect(same.map(({ number }) => number)).toEqual(
                same.map(({ number }) => number).toSorted((a, b) => a - b),
              );
            }
          }
        }
      }),
    );
  });
});
