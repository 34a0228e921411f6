import type { Condition, Lookups } from "../condition/condition.ts";
import { remembered } from "../condition/condition.ts";
import { hasLinks } from "../condition/condition-sql.ts";

/**
 * Whether a statement that follows links to resources of this condition, row by row, has so large a plan that PostgreSQL
 * takes long to go through it, which no timeout ends: below each partition of one step it visits all partitions of the next,
 * so that the time is the number of partitions to the power of the number of steps.
 */
export async function isTooDeep(lookups: Lookups, condition: Condition, limit: number): Promise<boolean> {
  if (!hasLinks(condition)) return false;
  return planSize({ kind: "refers", links: [], target: condition }, await countPartitions(lookups)) > limit;
}

/** Nodes of a plan that are visited for a condition that is tested in each of so many partitions. */
export function planSize(condition: Condition, partitions: number): number {
  switch (condition.kind) {
    case "and":
    case "or":
      return condition.conditions.reduce((sum, member) => sum + planSize(member, partitions), 0);
    case "not":
      return planSize(condition.condition, partitions);
    case "refers":
      return partitions * (1 + planSize(condition.target, partitions));
    case "referred":
      return partitions * (1 + planSize(condition.source, partitions));
    case "row":
    case "rows":
      return partitions;
    default:
      return 0;
  }
}

/** Partitions that each search table has; asked once for a search. */
export async function countPartitions(lookups: Lookups): Promise<number> {
  return remembered(lookups, "partitions", () => readPartitions(lookups));
}

async function readPartitions({ db }: Lookups): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    text: "select count(*)::int as count from pg_inherits where inhparent = 'search_resource'::regclass",
  });
  return rows[0]?.count ?? 1;
}
