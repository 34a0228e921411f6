import { isCustom } from "./custom-search-parameters.ts";
import { readExtractionTrees, type TreeNode } from "./extraction-tree.ts";
import { RESOURCE_TYPES } from "./resource-types.ts";
import type { SearchParameter } from "./search-parameters.ts";
import { readStructure, type Structure } from "./structure.ts";

/**
 * Whether a resource of the type has at most one element that the parameter takes values from. `id` is what the values are
 * stored under, of `parameter` or of one that it is derived from. Several conditions on such a parameter ask the same element.
 * A choice (`effective[x]`) is one element: the checks let only one of its members pass.
 */
export function hasSingleElement(parameter: SearchParameter, id: number, type: string): boolean {
  if (isCustom(parameter)) {
    let ofTypes = CUSTOM.get(parameter);
    if (ofTypes === undefined) CUSTOM.set(parameter, (ofTypes = new Map()));
    let single = ofTypes.get(type);
    if (single === undefined) {
      ofTypes.set(type, (single = singleElements((structure ??= readStructure()), type, parameter.trees[type] ?? [])));
    }
    return single.has(id);
  }
  return (r4 ??= readR4()).get(type)?.has(id) === true;
}

let structure: Structure | undefined;
let r4: ReadonlyMap<string, ReadonlySet<number>> | undefined;
/** By definition; one that is replaced takes its entry with it. */
const CUSTOM = new WeakMap<SearchParameter, Map<string, ReadonlySet<number>>>();

/** Some 20 ms, once. */
function readR4(): ReadonlyMap<string, ReadonlySet<number>> {
  const types = (structure ??= readStructure());
  const trees = readExtractionTrees();
  return new Map(RESOURCE_TYPES.map((type) => [type, singleElements(types, type, trees[type] ?? [])]));
}

/** A node of a tree that is still to be visited. */
interface Waiting {
  node: TreeNode;
  /** Where its members are defined; undefined where that is not known. */
  owner: string | undefined;
  /** The way to it; undefined where it leads over an array. */
  path: string | undefined;
}

/** The parameters whose values come from one place of the type, and no array is on the way there. */
function singleElements(types: Structure, type: string, nodes: readonly TreeNode[]): ReadonlySet<number> {
  const places = new Map<number, Set<string | undefined>>();
  const waiting: Waiting[] = nodes.map((node) => ({ node, owner: type, path: "" }));
  for (const { node, owner, path } of waiting) {
    const here = step(types, node, owner, path);
    for (const { parameters } of node.values ?? []) {
      for (const { id } of parameters) places.set(id, (places.get(id) ?? new Set()).add(here.path));
    }
    for (const child of node.nodes ?? []) waiting.push({ ...here, node: child });
  }
  const single = [...places].filter(([, paths]) => paths.size === 1 && !paths.has(undefined));
  return new Set(single.map(([id]) => id));
}

function step(
  types: Structure,
  { name, where, many }: TreeNode,
  owner: string | undefined,
  path: string | undefined,
): Omit<Waiting, "node"> {
  if (where !== undefined) return { owner, path };
  const element = types.get(owner ?? "")?.elements.get(name ?? "");
  // Of anything but a member of a known type it is not known that there is only one.
  if (element === undefined || element.many || many === true) return { owner: element?.type, path: undefined };
  return { owner: element.type, path: path === undefined ? undefined : `${path}.${element.choice ?? element.name}` };
}
