import { MOST_QUALIFIERS } from "../fhir/qualified-quantities.ts";
import type { TreeNode } from "../fhir/extraction-tree.ts";
import type { PartExtractor } from "./composite-values.ts";
import type { ValueCollector } from "./value-collector.ts";
import type { Emitter, ValueGroup } from "./value-group.ts";

/** An emitter that also looks at the resource. */
export type QualifiedEmitter = (to: ValueCollector, group: ValueGroup, value: unknown, resource: unknown) => void;

/** Takes the rows of quantities once for each number that `codes` takes from the resource (fhir/qualified-quantities.ts). */
export function qualifiedEmitter(codes: PartExtractor, emit: Emitter): QualifiedEmitter {
  return (to, group, value, resource) => {
    const numbers = distinctPairs(to.catchEquality(() => codes(to, resource, resource)));
    if (numbers.length > MOST_QUALIFIERS * 2) numbers.length = 0;
    if (numbers.length === 0) emit(to, group, value);
    for (let index = 0; index < numbers.length; index += 2) {
      to.sink.qualify(numbers[index] ?? 0, numbers[index + 1] ?? 0);
      emit(to, group, value);
    }
    to.sink.qualify(0, 0);
  };
}

/** The nodes that lead to the values of one token parameter, and to nothing else. */
export function nodesOfToken(nodes: readonly TreeNode[], token: number): TreeNode[] {
  return nodes.flatMap((node) => {
    const values = (node.values ?? []).flatMap((each) => {
      const parameters = each.parameters.filter(({ id }) => id === token);
      return parameters.length === 0 ? [] : [{ ...each, parameters }];
    });
    const children = nodesOfToken(node.nodes ?? [], token);
    return values.length + children.length === 0 ? [] : [{ ...node, composites: [], values, nodes: children }];
  });
}

function distinctPairs(halves: readonly number[]): number[] {
  const distinct: number[] = [];
  for (let index = 0; index < halves.length; index += 2) {
    const high = halves[index] ?? 0;
    const low = halves[index + 1] ?? 0;
    let isNew = true;
    for (let other = 0; other < distinct.length; other += 2) {
      if (distinct[other] === high && distinct[other + 1] === low) isNew = false;
    }
    if (isNew) distinct.push(high, low);
  }
  return distinct;
}
