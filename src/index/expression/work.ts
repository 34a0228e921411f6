import type { ExtractionTrees, TreeNode } from "../../fhir/extraction-tree.ts";
import { ExpressionError } from "./parse.ts";
import { refused } from "./refused.ts";

/**
 * What may still be made of a definition. Its text says little about that: `value` of an extension is one of 50 types, and each
 * step multiplies; a base can stand for all types.
 */
export interface ExpressionWork {
  /** Elements on the ways to what is selected, over all types and components. */
  left: number;
}

/** Some 50 ms. `Resource.extension('…').value` for all types of resources takes 22,000. */
const MOST_ELEMENTS = 50_000;
/** Elements of one way: nothing nests so deep that a resource may have. */
const MOST_STEPS = 50;

/** The work that one definition may make. */
export function newWork(): ExpressionWork {
  return { left: MOST_ELEMENTS };
}

/**
 * Notes that as many elements more are selected, each over so many steps. Throws {@link ExpressionError} before there are too
 * many.
 */
export function spend(work: ExpressionWork, elements: number, steps: number): void {
  if (steps > MOST_STEPS) throw new ExpressionError(`a path has at most ${MOST_STEPS} elements`);
  work.left -= elements * steps;
  if (work.left < 0) {
    throw new ExpressionError(
      `it selects too much: the ways to all that it selects have more than ${MOST_ELEMENTS} elements. Name the type where an element can have several, as in value.ofType(Quantity), or fewer bases`,
    );
  }
}

/** Of all definitions of a database: they are read, 7 MB of them, by each thread that writes, and each compiles those of its types. */
const MOST_NODES = 50_000;

/** Elements that the trees visit. */
export function countNodes(trees: ExtractionTrees): number {
  let count = 0;
  const waiting: TreeNode[] = Object.values(trees).flat();
  for (const { nodes = [], composites = [] } of waiting) {
    count++;
    waiting.push(...nodes, ...composites.flatMap(({ parts }) => parts.flatMap((part) => part.nodes)));
  }
  return count;
}

/** Throws `bad-request` when all definitions together visit more elements than they may. */
export function checkAllNodes(count: number): void {
  if (count <= MOST_NODES) return;
  throw refused(
    "expression",
    `all stored SearchParameters together would select more than ${MOST_NODES} elements: delete some, or name the types where an element can have several, as in value.ofType(Quantity).`,
  );
}
