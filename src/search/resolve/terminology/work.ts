import { remembered, type Lookups } from "../../condition/condition.ts";
import { tooCostly } from "../../cost/too-costly.ts";

/** Codes that one search may look at, in all parts of all its value sets: a second or two. */
const MAX_WORK = 5_000_000;
/** As many codes are looked at before others have their turn: some 10 ms. */
const TURN = 20_000;

/** What may be done: the parts of a value set can be small and many, and each can look at a whole code system. */
export interface Work {
  spend(codes: number): Promise<void>;
}

function createWork(): Work {
  let spent = 0;
  let next = TURN;
  return {
    async spend(codes) {
      spent += codes;
      if (spent > MAX_WORK) throw tooCostly(`more than ${MAX_WORK} codes would have to be compared for its value sets`);
      if (spent < next) return;
      next = spent + TURN;
      await new Promise(setImmediate);
    },
  };
}

/** What one search may do, for all its value sets and hierarchies. */
export async function terminologyWork(lookups: Lookups): Promise<Work> {
  return remembered(lookups, "terminology", async () => createWork());
}
