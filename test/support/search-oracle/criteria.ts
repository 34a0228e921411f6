import { definitionOf, definitionsOf, type Definition } from "./definitions.ts";
import { operandFor, questionAbout } from "./operands.ts";
import type { Random } from "./random.ts";
import type { Operand, Value } from "./values.ts";
import { leadsTo, type Criterion, type Search, type Stored, type World } from "./world.ts";

/** Answered from columns, and asked by other criteria. */
const COLUMNS: ReadonlySet<string> = new Set(["_id", "_lastUpdated"]);

/** The parameters of a type that have values. */
export function searchable(type: string): readonly Definition[] {
  return definitionsOf(type).filter(({ code }) => !COLUMNS.has(code));
}

/** A criterion on one parameter, about values that some of the resources (of one type) have. */
export function criterionOn(
  random: Random,
  world: World,
  definition: Definition,
  resources: readonly Stored[],
): Criterion {
  const { code, type } = definition;
  if (random.chance(0.12)) return { kind: "missing", code, missing: random.chance(0.5) };
  if (type === "composite") {
    const count = random.chance(0.2) ? 2 : 1;
    const operands = Array.from({ length: count }, () => compositeOperand(random, world, definition, resources));
    return { kind: "values", code, operands };
  }
  const values = resources.flatMap((resource) => world.values(resource, definition));
  let question = questionAbout(random, type, values);
  // What is below a media type is told by its text, not by the hierarchy of a code system.
  while (question.modifier === "below" && MEDIA_TYPES.has(code)) question = questionAbout(random, type, values);
  return { kind: "values", code, ...question };
}

/** The parameters of R4 whose codes are media types. */
const MEDIA_TYPES: ReadonlySet<string> = new Set(["contenttype", "content-type", "payload", "format"]);

/** Components mostly of one element, sometimes of two. */
function compositeOperand(random: Random, world: World, definition: Definition, resources: readonly Stored[]): Operand {
  const meetings = resources.flatMap((resource) => world.meetings(resource, definition));
  const full = meetings.filter((parts) => parts.every((part) => part.length > 0));
  const from = full.length > 0 && random.chance(0.8) ? full : meetings;
  const one = from.length === 0 ? [] : random.pick(from);
  const other = from.length === 0 || random.chance(0.8) ? one : random.pick(from);
  const parts = definition.components.map(({ type }, index): Operand => {
    const values: readonly Value[] = (index === 0 ? one : other)[index] ?? [];
    return operandFor(random, type, undefined, values);
  });
  return { kind: "composite", parts };
}

/** A criterion on a type that leads over as many references as `depth` says, forth and back. */
export function deepCriterion(random: Random, world: World, resource: Stored, depth: number): Criterion | undefined {
  if (depth === 0) {
    if (random.chance(0.1)) return { kind: "ids", ids: [resource.id, "none"], negated: random.chance(0.3) };
    const definition = random.pick(searchable(resource.resourceType));
    return criterionOn(random, world, definition, [resource]);
  }
  return random.chance(0.5) ? chainFrom(random, world, resource, depth) : hasFrom(random, world, resource, depth);
}

function chainFrom(random: Random, world: World, resource: Stored, depth: number): Criterion | undefined {
  // What a Bundle "refers" to is inside of it, where chains are refused.
  if (resource.resourceType === "Bundle") return undefined;
  const ways = searchable(resource.resourceType)
    .filter(({ type }) => type === "reference")
    .flatMap((definition) => world.reached(resource, definition).map((target) => ({ definition, target })));
  if (ways.length === 0) return undefined;
  const { definition, target } = random.pick(ways);
  const rest = deepCriterion(random, world, target, depth - 1);
  if (rest === undefined) return undefined;
  const { code } = definition;
  // Without a type the rest must mean the same for all of them.
  if (rest.kind === "values" || rest.kind === "missing") {
    const types = new Set(leadsTo(definition).map((type) => definitionOf(type, rest.code)?.type));
    types.delete(undefined);
    if (types.size === 1 && random.chance(0.4)) return { kind: "chain", code, rest };
  }
  return { kind: "chain", code, type: target.resourceType, rest };
}

/** Searches with a chain into what the matches contain, which may lead on from there, and sometimes another criterion. */
export function containedSearches(random: Random, world: World, count: number): Search[] {
  const ways = world.resources.flatMap((resource) =>
    searchable(resource.resourceType)
      .filter(({ type }) => type === "reference" && resource.resourceType !== "Bundle")
      .flatMap((definition) =>
        world
          .reached(resource, definition)
          .filter((target) => !world.resources.includes(target))
          .map((target) => ({ resource, definition, target })),
      ),
  );
  const searches: Search[] = [];
  while (searches.length < count) {
    const { resource, definition, target } = random.pick(ways);
    const rest = deepCriterion(random, world, target, random.chance(0.6) ? 0 : 1 + random.below(2));
    if (rest === undefined) continue;
    const { resourceType: type } = resource;
    const chain: Criterion = { kind: "chain", code: definition.code, type: target.resourceType, rest };
    const other = random.chance(0.3) ? deepCriterion(random, world, resource, random.below(2)) : undefined;
    searches.push({ type, criteria: other === undefined ? [chain] : [chain, other] });
  }
  return searches;
}

function hasFrom(random: Random, world: World, resource: Stored, depth: number): Criterion | undefined {
  const from = world.referring(resource);
  if (from.length === 0) return undefined;
  const { source, definition } = random.pick(from);
  const rest = deepCriterion(random, world, source, depth - 1);
  return rest && { kind: "has", type: source.resourceType, code: definition.code, rest };
}

/** Searches with one to three criteria that lead over up to three references each, all about resources that are there. */
export function randomSearches(random: Random, world: World, count: number): Search[] {
  const types = [...new Set(world.resources.map(({ resourceType }) => resourceType))];
  const searches: Search[] = [];
  while (searches.length < count) {
    const type = random.pick(types);
    const resource = random.pick(world.resources.filter(({ resourceType }) => resourceType === type));
    const criteria = Array.from({ length: 1 + random.below(3) }, () =>
      deepCriterion(random, world, resource, random.below(4)),
    ).filter((criterion) => criterion !== undefined);
    if (criteria.length > 0) searches.push({ type, criteria });
  }
  return searches;
}
