import { describe, expect, it } from "vitest";
import { sql } from "../../postgres/sql.ts";
import { type Condition, type RowCondition } from "../condition/condition.ts";
import { oneOf } from "../condition/combine.ts";
import { costOf } from "./statement-cost.ts";

function row(parameter: number, ...values: bigint[]): RowCondition {
  return { kind: "row", table: "search_date", parameters: [parameter], test: sql`s.low = any(${values}::bigint[])` };
}

const holds: Condition = { kind: "holds", values: [1n, 2n] };

describe("the cost of a statement", () => {
  it.each<[string, Condition, number, number]>([
    ["values of the array cost no scan", holds, 0, 0],
    ["rows of a parameter are a scan", row(1), 1, 1],
    ["alternatives on one parameter are one scan", oneOf([row(1), row(1), row(1)]), 1, 3],
    ["rows of several parameters are as many", { kind: "and", conditions: [row(1), row(2), holds] }, 2, 2],
    [
      "rows that are read together are one",
      { kind: "rows", table: "search_date", parameters: [1], tests: [row(1).test] },
      1,
      2,
    ],
    ["a chain is one, and what its end costs", { kind: "refers", links: [], target: row(1) }, 2, 1],
    ["and so is _has", { kind: "not", condition: { kind: "referred", links: [], source: row(1) } }, 2, 1],
  ])("%s", (_what, condition, scans, values) => {
    expect(costOf(condition)).toEqual({ scans, values });
  });
});
