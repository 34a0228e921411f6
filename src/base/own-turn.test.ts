import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { LARGE_BYTES, ownTurn, ownTurnFor, Pace } from "./own-turn.ts";

/** In which turn of the event loop each of the pieces is done that `begin` starts. */
async function turnsOf(begin: (done: () => void) => Promise<void>[]): Promise<number[]> {
  let turn = 0;
  const over = new AbortController();
  const turns: number[] = [];
  const counting = (async () => {
    for (; !over.signal.aborted; turn++) await nextTurn();
  })();
  await Promise.all(begin(() => turns.push(turn)));
  over.abort();
  await counting;
  return turns;
}

test("pieces that are due together are done in different turns, in their order, with room for others in between", async () => {
  const order: number[] = [];
  const turns = await turnsOf((done) =>
    Array.from({ length: 10 }, async (_, number) => {
      await ownTurn();
      order.push(number);
      done();
    }),
  );
  expect(order).toEqual(Array.from({ length: 10 }, (_, number) => number));
  for (const [index, turn] of turns.entries()) if (index > 0) expect(turn - (turns[index - 1] ?? 0)).toBeGreaterThan(1);
});

test("small work has no turn of its own", async () => {
  const turns = await turnsOf((done) => Array.from({ length: 10 }, () => ownTurnFor(LARGE_BYTES - 1).then(done)));
  expect(new Set(turns).size).toBe(1);
});

test("loops that run at once rest in turn", async () => {
  const pieces: string[] = [];
  const loop = async (name: string): Promise<void> => {
    const pace = new Pace();
    for (let piece = 0; piece < 3; piece++) {
      const end = performance.now() + 25;
      while (performance.now() < end);
      expect(pace.isDue).toBe(true);
      pieces.push(name);
      await pace.rest();
    }
  };
  await Promise.all([loop("a"), loop("b")]);
  expect(pieces.join("")).toBe("ababab");
});
