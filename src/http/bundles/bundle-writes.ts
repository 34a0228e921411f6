import { setImmediate as nextTurn } from "node:timers/promises";
import type { ClientBase } from "pg";
import { StokerError } from "../../base/errors.ts";
import { Pace } from "../../base/own-turn.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import type { ResourceWriter } from "../../write/single/resource-writer.ts";
import type { Change, PlanLimits, PutChange, WriteOrigin, WrittenResource } from "../../write/single/write-request.ts";
import { findMatches } from "../../search/conditional.ts";
import { referencesOf, resolveReferences, type EntryReferences } from "./bundle-references.ts";
import type { EntryRequest } from "./bundle-request.ts";
import {
  conditionalDeleteInteraction,
  conditionalUpdateInteraction,
  conditionName,
  createInteraction,
  criteriaOf,
  deleteInteraction,
  refuseCriteria,
  updateInteraction,
  type Interaction,
} from "../../write/interactions/interactions.ts";
import { HARD_DELETE } from "../routes/hard-delete.ts";
import { together, type Written } from "../routes/write-routes.ts";
import {
  conditionalPatchInteraction,
  patchInteraction,
  type PatchContext,
  type PatchedChange,
} from "../../write/interactions/patch-interactions.ts";

/** The interaction of an entry that writes; undefined for one that reads. Throws what the interaction throws. */
export function interactionOf(context: PatchContext, entry: EntryRequest): Interaction | undefined {
  const { method, target, body, patch, preconditions } = entry;
  if (method === "GET" || method === "HEAD" || target.operation !== undefined) return undefined;
  const { type, id, query } = target;
  if (type === undefined || target.isHistory || (method === "POST" && id !== undefined)) {
    throw new StokerError("not-supported", "request.url: nothing can be written at this URL.", {
      expression: "request.url",
    });
  }
  if (id !== undefined || method === "POST") {
    belowUrl(() => refuseCriteria(type, id, query, method === "DELETE" ? HARD_DELETE : []));
  }
  if (method === "DELETE") {
    if (HARD_DELETE.some((name) => new URLSearchParams(query).has(name))) {
      throw new StokerError("not-supported", "request.url: hardDelete is not supported in a Bundle.", {
        expression: "request.url",
      });
    }
    return id === undefined
      ? conditionalDeleteInteraction(context, type, query, preconditions)
      : deleteInteraction(type, id, preconditions);
  }
  if (patch !== undefined) {
    return id === undefined
      ? conditionalPatchInteraction(context, type, query, patch, preconditions)
      : patchInteraction(context, type, id, patch, preconditions);
  }
  if (body === undefined) throw new Error("an entry that writes has no body");
  if (method === "POST") return createInteraction(context, body, preconditions);
  return id === undefined
    ? conditionalUpdateInteraction(context, body, query, preconditions)
    : updateInteraction(id, body, preconditions);
}

/** Errors of the work are about the entry's URL. */
function belowUrl(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof StokerError)) throw error;
    throw new StokerError(error.code, `request.url: ${error.message}`, { expression: "request.url" });
  }
}

/** Writing entries by their place in the Bundle. */
export type Writes = ReadonlyMap<number, { entry: EntryRequest; interaction: Interaction }>;

/** The order in which a transaction is processed (of PUT and PATCH any); reading comes after. */
const ORDER: readonly EntryRequest["method"][] = ["DELETE", "POST", "PUT", "PATCH"];

/**
 * Writes the entries of a transaction all together: conditions are found out first, then references to entries and
 * conditional references are replaced, then everything is written in one database transaction. Results by place in the
 * Bundle. Rejects with the first error, its expression below `Bundle.entry[…]`.
 */
export async function writeTransaction(
  writer: ResourceWriter,
  context: PatchContext,
  writes: Writes,
  from: WriteOrigin,
): Promise<Map<number, Written>> {
  if (writes.size === 0) return new Map();
  const places = [...writes.keys()].toSorted((a, b) => rank(writes, a) - rank(writes, b) || a - b);
  const ordered = places.map((place) => ({ place, ...(writes.get(place) as NonNullable<ReturnType<Writes["get"]>>) }));
  const locks = ordered.flatMap(({ interaction }) => interaction.locks);
  const twice = repeatedOf(locks);
  const culprit =
    twice === undefined ? undefined : ordered.find(({ interaction }) => interaction.locks.includes(twice));
  if (culprit !== undefined) {
    throw atEntry(
      culprit.place,
      new StokerError("bad-request", "Another entry has the same condition, or patches the same resource."),
    );
  }
  const resources = ordered.flatMap(({ interaction }) => interaction.resources ?? []);
  const bytes = ordered.reduce((sum, { interaction }) => sum + interaction.bytes, 0);
  let placed: number[] = [];
  const plan = async (client: ClientBase, limits: PlanLimits): Promise<Change[]> => {
    const inTime = deadline(limits);
    const planned: PlannedWrite[] = [];
    const pace = new Pace(nextTurn);
    for (const { place, entry, interaction } of ordered) {
      if (pace.isDue) await pace.rest();
      const left = inTime();
      const changes = await blaming(place, async () => await interaction.plan(client, left));
      for (const change of changes) planned.push({ place, entry, change });
    }
    placed = planned.map(({ place }) => place);
    refuseTwice(planned);
    return await resolveAll(client, context, planned, inTime);
  };
  const results = await writer.write({ bytes, locks, resources, plan }, from);
  const byPlace = new Map<number, WrittenResource[]>(places.map((place) => [place, []]));
  for (const [index, place] of placed.entries()) byPlace.get(place)?.push(results[index] as WrittenResource);
  return new Map([...byPlace].map(([place, written]) => [place, together(written)]));
}

/** A change with the entry that wants it; one that deletes may want several. */
interface PlannedWrite {
  place: number;
  entry: EntryRequest;
  change: Change;
}

/** Replaces references in the changes' bodies, and makes their preconditions tell which entry fails. */
async function resolveAll(
  client: ClientBase,
  context: PatchContext,
  planned: readonly PlannedWrite[],
  inTime: () => PlanLimits,
): Promise<Change[]> {
  const targets = new Map<string, string>();
  for (const { place, entry, change } of planned) {
    if (change.kind === "delete") continue;
    const type = change.kind === "put" ? change.body.type : change.type;
    const target = `${type}/${change.kind === "put" ? change.body.id : change.id}`;
    if (entry.fullUrl !== undefined) {
      if (targets.has(entry.fullUrl)) {
        const text = "Another entry has the same fullUrl, so references to it are ambiguous.";
        throw atEntry(place, new StokerError("bad-request", text, { expression: "fullUrl" }));
      }
      targets.set(entry.fullUrl, target);
    }
    const criteria = criteriaIn(entry, type);
    if (criteria !== undefined) targets.set(conditionName(type, criteria), target);
  }
  const deleted = new Set(
    planned.flatMap(({ change }) => (change.kind === "delete" ? [`${change.type}/${change.id}`] : [])),
  );
  const resolved: Change[] = [];
  const pace = new Pace(nextTurn);
  for (const { place, entry, change } of planned) {
    if (pace.isDue) await pace.rest();
    const { check } = change.kind === "keep" ? {} : change;
    const precondition =
      check === undefined
        ? {}
        : { check: (...current: Parameters<typeof check>) => blamed(place, () => check(...current)) };
    if (change.kind !== "put") {
      resolved.push({ ...change, ...precondition });
      continue;
    }
    const body = await blaming(place, async () => {
      const references = newReferencesOf(change);
      for (const reference of references.conditional) {
        await findTarget(client, context, reference, targets, deleted, inTime());
      }
      return resolveReferences(change.body, references, entry.fullUrl, targets);
    });
    resolved.push({ ...change, ...precondition, body });
  }
  return resolved;
}

/** The condition of a conditional create or update, whose resource conditional references of other entries find. */
function criteriaIn({ method, target, preconditions }: EntryRequest, type: string): string | undefined {
  if (method === "PUT" && target.id === undefined) return target.query;
  const { ifNoneExist } = preconditions;
  return method === "POST" && ifNoneExist !== undefined ? criteriaOf(ifNoneExist, type) : undefined;
}

/** The references of a change; of a patch only those that it brings. */
function newReferencesOf(change: PutChange | PatchedChange): EntryReferences {
  const references = referencesOf(change.body.bytes);
  if (!("before" in change)) return references;
  const old = new Set(referencesOf(change.before).places.map(({ text }) => text));
  return {
    places: references.places.filter(({ text }) => !old.has(text)),
    conditional: references.conditional.filter((text) => !old.has(text)),
  };
}

/** Looks a conditional reference up, once for all entries. What another entry deletes is deleted by then. */
async function findTarget(
  client: ClientBase,
  context: PatchContext,
  reference: string,
  targets: Map<string, string>,
  deleted: ReadonlySet<string>,
  limits: PlanLimits,
): Promise<void> {
  if (targets.has(reference)) return;
  const mark = reference.indexOf("?");
  const type = reference.slice(0, mark);
  if (resourceTypeId(type) === undefined) {
    throw new StokerError(
      "bad-request",
      `A conditional reference is to a '${type.slice(0, 64)}', which is not a type of R4.`,
    );
  }
  const created = targets.get(conditionName(type, reference.slice(mark + 1)));
  if (created !== undefined) {
    targets.set(reference, created);
    return;
  }
  const found = await findMatches(client, context, type, reference.slice(mark + 1), 2 + deleted.size, limits);
  const matches = found.filter(({ id }) => !deleted.has(`${type}/${id}`));
  const [match] = matches;
  if (match === undefined || matches.length > 1) {
    const count = match === undefined ? "No resource matches" : "More than one resource matches";
    throw new StokerError("precondition-failed", `${count} the conditional reference to a ${type}.`, {
      issue: match === undefined ? "not-found" : "multiple-matches",
    });
  }
  targets.set(reference, `${type}/${match.id}`);
}

/**
 * A transaction in which a resource comes twice has no meaning; but conditional creates may find what others find or update. Deletions
 * come first.
 */
function refuseTwice(planned: readonly PlannedWrite[]): void {
  const seen = new Map<string, Change["kind"]>();
  for (const { place, change } of planned) {
    if (change.kind === "delete" && change.id === "") continue;
    const name = change.kind === "put" ? `${change.body.type}/${change.body.id}` : `${change.type}/${change.id}`;
    const other = seen.get(name);
    if (change.kind === "keep" ? other === "delete" : other !== undefined) {
      throw atEntry(place, new StokerError("bad-request", `Another entry writes ${name}, too.`));
    }
    if (change.kind !== "keep") seen.set(name, change.kind);
  }
}

function rank(writes: Writes, place: number): number {
  return ORDER.indexOf(writes.get(place)?.entry.method ?? "GET");
}

/** Gives what is left of the time that the conditions of a Bundle may take. Throws `too-costly` when that is nothing. */
function deadline({ timeout, signal }: PlanLimits): () => PlanLimits {
  const end = performance.now() + timeout;
  return () => {
    const left = Math.ceil(end - performance.now());
    if (left > 0 && signal?.aborted !== true) return { timeout: left, signal };
    const text =
      "The conditions and conditional references of the Bundle take too long to resolve: send several Bundles.";
    throw new StokerError("too-costly", text);
  };
}

/** A name that occurs twice. */
function repeatedOf(names: Iterable<string>): string | undefined {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

/** The error with the entry it is about before it. */
export function atEntry(place: number, error: StokerError): StokerError {
  const path = `Bundle.entry[${place}]`;
  const below = error.expression === undefined ? path : `${path}.${error.expression.replace(/^[A-Z]\w*/, "resource")}`;
  const { status, issue } = error;
  return new StokerError(error.code, `${path}: ${error.message}`, { status, issue, expression: below, cause: error });
}

async function blaming<Result>(place: number, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StokerError ? atEntry(place, error) : error;
  }
}

function blamed(place: number, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw error instanceof StokerError ? atEntry(place, error) : error;
  }
}
