import { describe, expect, it } from "vitest";
import { ALWAYS, type Condition } from "../condition/condition.ts";
import { planSize } from "./plan-size.ts";
import { sql } from "../../postgres/sql.ts";

function steps(count: number): Condition {
  let condition: Condition = { kind: "holds", values: [1n] };
  for (let step = 0; step < count; step++) {
    condition =
      step % 2 === 0
        ? { kind: "refers", links: [], target: condition }
        : { kind: "referred", links: [], source: condition };
  }
  return condition;
}

describe("planSize", () => {
  it.each<[Condition, number, number]>([
    [steps(0), 10, 0],
    [steps(1), 10, 10],
    [steps(2), 10, 110],
    [steps(3), 10, 1110],
    [steps(32), 1, 32],
    [{ kind: "and", conditions: [steps(2), { kind: "not", condition: steps(1) }, ALWAYS] }, 3, 15],
    [{ kind: "row", table: "search_date", parameters: [], test: sql`true` }, 4, 4],
  ])("of %o in %i partitions is %i", (condition, partitions, size) => {
    expect(planSize(condition, partitions)).toBe(size);
  });
});
