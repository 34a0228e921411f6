import { tooCostly } from "./too-costly.ts";
import type { Condition, Lookups } from "../condition/condition.ts";
import { countPartitions } from "./plan-size.ts";

/** Scans of tables that one statement may have: 100 take 5 MB and 10 ms to plan for each partition. */
const MOST_SCANS = 100;
/**
 * Values that the tests of its rows may name, each a parameter of the statement, times the partitions that each is planned for:
 * 7 KB for each, 280 MB in all. PostgreSQL has numbers for 65,535 parameters.
 */
const MOST_VALUES = 40_000;
/** As many are always planned: a store of many partitions has much memory. */
const FREE_VALUES = 1000;

/** What a statement is made of that asks for a condition. */
export interface StatementCost {
  /** Reads of another table, or of other resources, for a condition of its own. */
  scans: number;
  values: number;
}

/** Refuses a condition, before it is asked, whose statement would take long to plan. Throws `too-costly`, as a 400. */
export async function checkCost(lookups: Lookups, condition: Condition): Promise<void> {
  const { scans, values } = costOf(condition);
  if (scans > MOST_SCANS) {
    throw tooCostly(
      `its dates, numbers, strings, chains and _has need ${scans} scans, and at most ${MOST_SCANS} are made; several conditions on one parameter need one to three`,
    );
  }
  if (values <= FREE_VALUES) return;
  const most = Math.max(FREE_VALUES, Math.floor(MOST_VALUES / (await countPartitions(lookups))));
  if (values > most) {
    throw tooCostly(
      `its dates, numbers and strings, in all units and types, name ${values} values to compare with, and at most ${most} are compared in a store of this size`,
    );
  }
}

/** The cost of a condition that has been resolved. */
export function costOf(condition: Condition): StatementCost {
  switch (condition.kind) {
    case "and":
    case "or":
      return sum(condition.conditions.map(costOf));
    case "not":
      return costOf(condition.condition);
    case "refers":
      return sum([{ scans: 1, values: 0 }, costOf(condition.target)]);
    case "referred":
      return sum([{ scans: 1, values: 0 }, costOf(condition.source)]);
    case "row":
      return { scans: 1, values: condition.test.values.length };
    case "rows":
      return { scans: 1, values: 2 * condition.tests.reduce((count, test) => count + test.values.length, 0) };
    case "term":
      return { scans: 1, values: condition.test.values.length };
    case "sql":
      return { scans: 0, values: condition.test.values.length };
    default:
      return { scans: 0, values: 0 };
  }
}

function sum(costs: readonly StatementCost[]): StatementCost {
  return costs.reduce((a, b) => ({ scans: a.scans + b.scans, values: a.values + b.values }), { scans: 0, values: 0 });
}
