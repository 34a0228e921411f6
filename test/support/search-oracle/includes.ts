import { definitionOf, definitionsOf } from "./definitions.ts";
import type { Stored, World } from "./world.ts";

/** `_include` and `_revinclude` as asked for: `Type:parameter:Target`, `*` for any parameter. */
export interface Include {
  readonly name: string;
  readonly source: string;
  readonly code: string;
  readonly target?: string;
}

/** As in the query. */
export function writtenInclude({ name, source, code, target }: Include): string {
  return `${name}=${source}:${code}${target === undefined ? "" : `:${target}`}`;
}

/** What must come with the matches: everything once, no match; `:iterate` is applied to what is included, too. */
export function includedWith(world: World, matches: readonly Stored[], includes: readonly Include[]): Stored[] {
  const seen = new Set(matches);
  let fresh: readonly Stored[] = matches;
  for (let round = 0; fresh.length > 0; round++) {
    const applied = includes.filter(({ name }) => round === 0 || name.endsWith(":iterate"));
    const found = fresh.flatMap((resource) => applied.flatMap((include) => follow(world, resource, include)));
    fresh = [...new Set(found)].filter((resource) => !seen.has(resource));
    for (const resource of fresh) seen.add(resource);
  }
  return [...seen].filter((resource) => !matches.includes(resource));
}

function follow(world: World, resource: Stored, { name, source, code, target }: Include): Stored[] {
  if (name.startsWith("_revinclude")) {
    return world
      .referring(resource)
      .filter(
        (each) =>
          each.source.resourceType === source &&
          (code === "*" || each.definition.code === code) &&
          (target === undefined || resource.resourceType === target),
      )
      .map((each) => each.source);
  }
  if (resource.resourceType !== source) return [];
  const definitions =
    code === "*"
      ? definitionsOf(source).filter(({ type }) => type === "reference")
      : [definitionOf(source, code)].filter((definition) => definition !== undefined);
  return definitions
    .flatMap((definition) => world.included(resource, definition))
    .filter(({ resourceType }) => target === undefined || resourceType === target);
}
