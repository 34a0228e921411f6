import { isObject, type JsonObject } from "../base/json.ts";

/** A resource that is contained in another one, or, of a contained one, its container. */
export interface ContainedResource {
  /** How it is referred to: `#id`; `#` is the container, for what it contains. */
  reference: string;
  /** As written: perhaps no type of R4. */
  type: string;
  resource: JsonObject;
}

/** What a resource contains, by the references to it. Of several with one id the first counts. */
export function containedResources(container: JsonObject): ReadonlyMap<string, ContainedResource> {
  const { contained } = container;
  if (!Array.isArray(contained)) return NOTHING;
  const found = new Map<string, ContainedResource>();
  for (const resource of contained) {
    if (!isObject(resource)) continue;
    const { resourceType: type, id } = resource;
    if (typeof type !== "string" || typeof id !== "string") continue;
    const reference = `#${id}`;
    if (!found.has(reference)) found.set(reference, { reference, type, resource });
  }
  return found;
}

/** What a resource that is contained can refer to: its siblings, itself, and the container. */
export function siblingsIn(container: JsonObject): ReadonlyMap<string, ContainedResource> {
  const type = container["resourceType"];
  const siblings = new Map(containedResources(container));
  if (typeof type === "string") siblings.set("#", { reference: "#", type, resource: container });
  return siblings;
}

const NOTHING: ReadonlyMap<string, ContainedResource> = new Map();
