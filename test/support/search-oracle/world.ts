import { definitionOf, definitionsOf, elementsOf, fromResource, TYPES, type Definition } from "./definitions.ts";
import { compileExpression, unionOf, type Json, type Select } from "./select.ts";
import { isValue, valueOf, type CanonicalValue, type Operand, type Value } from "./values.ts";

/** A stored resource. */
export interface Stored extends Json {
  readonly resourceType: string;
  readonly id: string;
}

/** What is asked of a resource. */
export type Criterion =
  /** `code:modifier=operand,operand`; `:missing` has the boolean. */
  | {
      readonly kind: "values";
      readonly code: string;
      readonly modifier?: string;
      readonly operands: readonly Operand[];
    }
  | { readonly kind: "missing"; readonly code: string; readonly missing: boolean }
  | { readonly kind: "ids"; readonly ids: readonly string[]; readonly negated?: boolean }
  /** Members of lists. */
  | { readonly kind: "list"; readonly ids: readonly string[] }
  | { readonly kind: "chain"; readonly code: string; readonly type?: string; readonly rest: Criterion }
  | { readonly kind: "has"; readonly type: string; readonly code: string; readonly rest: Criterion };

/** A search for resources of a type that meet all criteria. */
export interface Search {
  readonly type: string;
  readonly criteria: readonly Criterion[];
}

/** All resources, and what searches must find among them. */
export interface World {
  readonly resources: readonly Stored[];
  /** The values of a parameter that is no composite. */
  values(resource: Stored, definition: Definition): readonly Value[];
  /** The values of a composite's components, by the elements where they meet. */
  meetings(resource: Stored, definition: Definition): readonly (readonly (readonly Value[])[])[];
  matches(resource: Stored, criterion: Criterion): boolean;
  /** The stored resources that a reference parameter leads to, of the types that it is defined for. */
  targets(resource: Stored, definition: Definition): readonly Stored[];
  /** {@link World.targets} without those of which another version is meant. */
  included(resource: Stored, definition: Definition): readonly Stored[];
  /** What a chain leads to: {@link World.targets}, what the resource contains, and, of a contained one, what that can refer to. */
  reached(resource: Stored, definition: Definition): readonly Stored[];
  /** The resources that refer to it, and by which parameters. */
  referring(resource: Stored): readonly Reference[];
}

/** That a resource refers to another. */
export interface Reference {
  readonly source: Stored;
  readonly definition: Definition;
}

/** Opens the oracle over resources as the server answers with them. */
export function openWorld(resources: readonly Stored[]): World {
  const byName = new Map(resources.map((resource) => [`${resource.resourceType}/${resource.id}`, resource]));
  const compiled = new Map<string, Select>();
  const known = new Map<Stored, Map<Definition, readonly Value[]>>();

  function select(expression: string, type: string, base?: string): Select {
    const name = `${type} ${base ?? ""} ${expression}`;
    const found = compiled.get(name) ?? compileExpression(expression, type, base);
    compiled.set(name, found);
    return found;
  }

  function values(resource: Stored, definition: Definition): readonly Value[] {
    const ofResource = known.get(resource) ?? new Map<Definition, readonly Value[]>();
    known.set(resource, ofResource);
    let found = ofResource.get(definition);
    if (found === undefined) {
      found = select(definition.expression, resource.resourceType)(resource, resource)
        .map((node) => valueOf(definition, node))
        .filter((value) => value !== undefined);
      ofResource.set(definition, found);
    }
    return found;
  }

  function meetings(resource: Stored, definition: Definition): readonly (readonly (readonly Value[])[])[] {
    const { resourceType: type } = resource;
    const contexts = unionOf(definition.expression).filter((text) => text === type || text.startsWith(`${type}.`));
    return contexts.flatMap((context) =>
      select(context, type)(resource, resource).map(({ value }) =>
        definition.components.map((component) => {
          const expression = context === type ? fromResource(type, component.expression) : component.expression;
          const nodes = select(
            expression,
            type,
            context,
          )(value, resource).map((node) => ({
            ...node,
            path: `${context}.${expression}`,
          }));
          const found = nodes.map((node) => valueOf(component, node)).filter((each) => each !== undefined);
          return context === type ? found : found.filter(isComparable);
        }),
      ),
    );
  }

  /** By canonical URL, the resources that have it. */
  const byUrl = new Map<string, Stored[]>();
  for (const resource of resources.filter(({ resourceType }) => hasCanonical(resourceType))) {
    const url = String(resource["url"]);
    byUrl.set(url, [...(byUrl.get(url) ?? []), resource]);
  }

  function withCanonical({ url, version }: CanonicalValue): readonly Stored[] {
    const [, type = ""] = /^([A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}$/.exec(url) ?? [];
    const here = TYPES.includes(type) ? byName.get(url) : undefined;
    const known = byUrl.get(url) ?? [];
    return [
      ...known.filter((each) => version === undefined || each["version"] === version),
      ...(here === undefined ? [] : [here]),
    ];
  }

  function targets(resource: Stored, definition: Definition): readonly Stored[] {
    return values(resource, definition).flatMap((value) => {
      if (value.kind === "canonical reference") {
        return withCanonical(value).filter(
          ({ resourceType }) => definition.target.length === 0 || definition.target.includes(resourceType),
        );
      }
      if (value.kind !== "reference" || value.type === undefined) return [];
      if (definition.target.length > 0 && !definition.target.includes(value.type)) return [];
      return byName.get(`${value.type}/${value.id}`) ?? [];
    });
  }

  function included(resource: Stored, definition: Definition): readonly Stored[] {
    const versions = new Map<Stored, (string | undefined)[]>();
    for (const value of values(resource, definition)) {
      if (value.kind !== "reference" || value.type === undefined) continue;
      const target = byName.get(`${value.type}/${value.id}`);
      if (target !== undefined) versions.set(target, [...(versions.get(target) ?? []), value.version]);
    }
    // Of the versions that references mean only the second can be there, and then it is the current one.
    return targets(resource, definition).filter((target) => {
      const { versionId } = target["meta"] as { versionId: string };
      return versions.get(target)?.some((version) => version === undefined || version === versionId) ?? true;
    });
  }

  const inside = new Map<Stored, ReadonlyMap<string, Stored>>();

  /** What `#id` leads to from a resource, which may be a contained one itself. */
  function local(resource: Stored): ReadonlyMap<string, Stored> {
    let found = inside.get(resource);
    if (found !== undefined) return found;
    const own = (resource["contained"] ?? []) as readonly Stored[];
    // For a reference's type it counts what the container contains, and the container.
    const contained = [...own, { resourceType: resource.resourceType, id: "" }];
    const members = own.map((each) => [`#${each.id}`, { ...each, contained }] as const);
    found = new Map(members);
    inside.set(resource, found);
    const siblings = new Map([...members, ["#", resource] as const]);
    for (const [, member] of members) {
      inside.set(member, siblings);
      containers.set(member, resource);
    }
    return found;
  }

  const containers = new Map<Stored, Stored>();

  function reached(resource: Stored, definition: Definition): readonly Stored[] {
    const found = values(resource, definition).flatMap((value) => {
      const member = value.kind === "reference" ? local(resource).get(value.text ?? "") : undefined;
      if (member === undefined) return [];
      return definition.target.length === 0 || definition.target.includes(member.resourceType) ? [member] : [];
    });
    return [...targets(resource, definition), ...found];
  }

  function holds(resource: Stored, definition: Definition, operand: Operand, modifier: string | undefined): boolean {
    if (operand.kind === "composite") {
      return meetings(resource, definition).some((parts) =>
        operand.parts.every((part, index) =>
          parts[index]?.some((value) => isValue(value, part, undefined, definition.components[index]?.target ?? [])),
        ),
      );
    }
    return values(resource, definition).some((value) => isValue(value, operand, modifier, definition.target));
  }

  function matches(resource: Stored, criterion: Criterion): boolean {
    const { resourceType, id } = resource;
    switch (criterion.kind) {
      case "ids":
        return criterion.ids.includes(id) !== (criterion.negated ?? false);
      case "list":
        return criterion.ids.some((list) => {
          const stored = byName.get(`List/${list}`);
          return stored !== undefined && reached(stored, named("List", "item")).includes(resource);
        });
      case "missing": {
        if (criterion.code === "_id" || criterion.code === "_lastUpdated") return !criterion.missing;
        const definition = named(resourceType, criterion.code);
        const isThere =
          definition.type === "composite"
            ? meetings(resource, definition).some((parts) => parts.every((part) => part.length > 0))
            : values(resource, definition).length > 0;
        return isThere !== criterion.missing;
      }
      case "chain": {
        const { type, rest } = criterion;
        return reached(resource, named(resourceType, criterion.code)).some(
          (target) =>
            (type === undefined || target.resourceType === type) &&
            means(rest, target.resourceType) &&
            matches(target, rest),
        );
      }
      case "has": {
        const { type, code, rest } = criterion;
        return referring(resource).some(
          ({ source, definition }) => source.resourceType === type && definition.code === code && matches(source, rest),
        );
      }
      default: {
        const definition = named(resourceType, criterion.code);
        const found = criterion.operands.some((operand) =>
          holds(resource, definition, operand, criterion.modifier === "not" ? undefined : criterion.modifier),
        );
        return found !== (criterion.modifier === "not" || criterion.modifier === "not-in");
      }
    }
  }

  let sources: Map<Stored, Reference[]> | undefined;

  function referring(resource: Stored): readonly Reference[] {
    const source = containers.get(resource);
    if (source !== undefined) {
      return definitionsOf(source.resourceType)
        .filter((definition) => definition.type === "reference" && reached(source, definition).includes(resource))
        .map((definition) => ({ source, definition }));
    }
    if (sources === undefined) {
      sources = new Map();
      for (const source of resources) {
        for (const definition of definitionsOf(source.resourceType)) {
          if (definition.type !== "reference") continue;
          for (const target of targets(source, definition)) {
            sources.set(target, [...(sources.get(target) ?? []), { source, definition }]);
          }
        }
      }
    }
    return sources.get(resource) ?? [];
  }

  return { resources, values, meetings, matches, targets, included, reached, referring };
}

/** Whether resources of a type have a canonical URL and a business version. */
function hasCanonical(type: string): boolean {
  const { url, version } = elementsOf(type);
  return url?.[0]?.type === "uri" && version?.[0]?.type === "string" && !version[0].many;
}

/** Where components meet in an element there is no value unless each can be compared: FHIR leaves it open. */
function isComparable(value: Value): boolean {
  if (value.kind === "token") return value.codes.some(({ system, code }) => system !== undefined || code !== undefined);
  if (value.kind === "reference") return value.type !== undefined || value.text !== undefined;
  return value.kind !== "nothing";
}

function named(type: string, code: string): Definition {
  const definition = definitionOf(type, code);
  if (definition === undefined) throw new Error(`${type} has no ${code}`);
  return definition;
}

/** Whether a type has the parameters that a criterion names. */
export function means(criterion: Criterion, type: string): boolean {
  switch (criterion.kind) {
    case "ids":
    case "list":
      return true;
    case "has": {
      const definition = definitionOf(criterion.type, criterion.code);
      return definition !== undefined && leadsTo(definition).includes(type) && means(criterion.rest, criterion.type);
    }
    case "chain": {
      const definition = definitionOf(type, criterion.code);
      return (
        definition?.type === "reference" &&
        leadsTo(definition).some((target) => (criterion.type ?? target) === target && means(criterion.rest, target))
      );
    }
    default:
      return definitionOf(type, criterion.code) !== undefined;
  }
}

/** The types that a reference parameter may point to. */
export function leadsTo({ target }: Definition): readonly string[] {
  return target.length === 0 ? TYPES : target;
}
