import type { ClientBase } from "pg";
import { StokerError } from "../../base/errors.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { cancelledBy } from "../../postgres/cancel.ts";
import type { Unindexed } from "../../index/expression/definition.ts";
import type { HeadRow } from "../../store/resources/heads.ts";
import { DEFINING_TYPE, openDefinitionRegister, type DefinitionChange } from "./define-parameters.ts";
import type { Change, DeleteChange, PlanLimits, PutChange, WriteRequest, WrittenResource } from "./write-request.ts";

/** What the requests of a group want, and which versions come of it. */

/**
 * What became of a request: written, refused, left for the next group because of a resource they share or for want of time, or
 * found to be too slow for a group.
 */
export type RequestOutcome = { results: WrittenResource[] } | { error: StokerError } | "deferred" | "slow";

/** A request with what tells that nobody waits for it any more. */
export interface PlannedRequest extends WriteRequest {
  readonly signal: AbortSignal | undefined;
}

/** What plans of a group may take, all together. */
export interface GroupTime {
  /** Milliseconds of `performance.now()`. */
  readonly end: number;
  /** Whether one that takes longer is called `slow` instead of failing. */
  readonly isShort: boolean;
  /** Ends the statement at hand, when the signal of the request that is being planned fires. */
  readonly cancel: () => Promise<void>;
}

const GREATEST_VERSION = 2147483647;

/** A change of the group that is to be written. */
export interface Item {
  /** The request's number in the group, and the change's in the request. */
  request: number;
  place: number;
  /** The number of its search rows. */
  index: number;
  key: bigint;
  change: PutChange | DeleteChange;
}

/** An item that passed its precondition. */
export interface GroupStep {
  item: Item;
  old: HeadRow | undefined;
  versionId: number;
  lastUpdated: number;
}

/**
 * Asks all plans. A request that fails is refused by itself; one that shares a resource with another one before it is put
 * off. The items are the changes to be written.
 */
export async function planAll(
  client: ClientBase,
  requests: readonly PlannedRequest[],
  time: GroupTime,
): Promise<{ outcomes: RequestOutcome[]; items: Item[] }> {
  const outcomes: RequestOutcome[] = [];
  const items: Item[] = [];
  const taken = new Set<bigint>();
  for (const [request, { plan, signal }] of requests.entries()) {
    const timeout = Math.ceil(time.end - performance.now());
    if (timeout <= 0 && request > 0) {
      outcomes.push("deferred");
      continue;
    }
    const limits = { timeout: Math.max(1, timeout), signal };
    const planned = await cancelledBy(signal, time.cancel, () => planOne(client, plan, limits));
    if (planned instanceof StokerError && planned.code === "too-costly" && time.isShort && signal?.aborted !== true) {
      outcomes.push("slow");
      continue;
    }
    if (planned instanceof StokerError) {
      outcomes.push({ error: planned });
      continue;
    }
    const written = planned.map((change) => (change.kind === "keep" ? undefined : keyOf(change)));
    const isFree = written.every((key) => key === undefined || !taken.has(key));
    for (const key of written) if (key !== undefined) taken.add(key);
    if (!isFree) {
      outcomes.push("deferred");
      continue;
    }
    outcomes.push({ results: planned.map(keptResult) });
    for (const [place, change] of planned.entries()) {
      const key = written[place];
      if (key === undefined || change.kind === "keep") continue;
      items.push({ request, place, index: items.length, key, change });
    }
  }
  return { outcomes, items };
}

async function planOne(
  client: ClientBase,
  plan: WriteRequest["plan"],
  limits: PlanLimits,
): Promise<readonly Change[] | StokerError> {
  try {
    return await plan(client, limits);
  } catch (error) {
    if (error instanceof StokerError) return error;
    throw error;
  }
}

/** The result of a change that writes nothing; of the others, a place to be filled. */
function keptResult(change: Change): WrittenResource {
  const version = change.kind === "keep" ? { versionId: change.versionId, lastUpdated: change.lastUpdated } : undefined;
  const type = change.kind === "put" ? change.body.type : change.type;
  return { outcome: version === undefined ? "absent" : "kept", type, id: idOf(change), version, body: undefined };
}

/**
 * Defines what the SearchParameter resources that are written say, and decides like {@link decideAll}, which `decide` calls
 * when requests that define something impossible have been left out.
 */
export async function define(
  client: ClientBase,
  items: readonly Item[],
  outcomes: RequestOutcome[],
  decide: () => GroupStep[],
): Promise<GroupStep[]> {
  const register = await openDefinitionRegister(client);
  const notes: { request: number; place: number; unindexed: Unindexed }[] = [];
  const definitions = items.filter(({ change }) => isDefinition(change));
  // The components of a composite may be defined by the same group.
  for (const { request, place, change } of definitions.toSorted((a, b) => rankOf(a) - rankOf(b))) {
    // Each takes some 30 ms at most; others have their turn between them.
    await new Promise(setImmediate);
    try {
      const unindexed = register.take(definitionOf(change));
      if (unindexed !== undefined) notes.push({ request, place, unindexed });
    } catch (error) {
      if (!(error instanceof StokerError)) throw error;
      outcomes[request] = { error };
    }
  }
  const steps = decide();
  for (const { item } of steps) if (isDefinition(item.change)) await register.store(definitionOf(item.change));
  for (const { request, place, unindexed } of notes) {
    const outcome = outcomes[request];
    const result = typeof outcome === "object" && "results" in outcome ? outcome.results[place] : undefined;
    if (result !== undefined) result.unindexed = unindexed;
  }
  return steps;
}

/** What is deleted comes first: another definition of the group may take its code. */
function rankOf({ change }: Item): number {
  if (change.kind === "delete") return -1;
  return change.body.resource["type"] === "composite" ? 1 : 0;
}

/** Whether the change is one of a SearchParameter resource. */
export function isDefinition(change: PutChange | DeleteChange): boolean {
  return (change.kind === "put" ? change.body.type : change.type) === DEFINING_TYPE;
}

function definitionOf(change: PutChange | DeleteChange): DefinitionChange {
  return { resourceId: idOf(change), resource: change.kind === "put" ? change.body.resource : undefined };
}

/** Asks the preconditions and numbers the versions; requests that fail are left out. In key order, as heads are inserted. */
export function decideAll(
  items: readonly Item[],
  heads: ReadonlyMap<bigint, HeadRow>,
  outcomes: RequestOutcome[],
): GroupStep[] {
  const now = Date.now();
  const steps: GroupStep[] = [];
  for (const item of items) {
    const outcome = outcomes[item.request];
    if (outcome === undefined || typeof outcome === "string" || "error" in outcome) continue;
    try {
      const { step, result } = decide(item, heads.get(item.key), now);
      outcome.results[item.place] = result;
      if (step !== undefined) steps.push(step);
    } catch (error) {
      if (!(error instanceof StokerError)) throw error;
      outcomes[item.request] = { error };
    }
  }
  return steps
    .filter(({ item }) => "results" in (outcomes[item.request] as object))
    .toSorted((a, b) => (a.item.key < b.item.key ? -1 : 1));
}

function decide(
  item: Item,
  head: HeadRow | undefined,
  now: number,
): { step: GroupStep | undefined; result: WrittenResource } {
  const { change } = item;
  const id = idOf(change);
  const type = change.kind === "put" ? change.body.type : change.type;
  const current = head?.current;
  change.check?.(current);
  if (change.kind === "delete" && (current === undefined || current.deleted)) {
    const version = current && { versionId: current.versionId, lastUpdated: current.lastUpdated };
    const outcome = current === undefined ? "absent" : "deleted";
    return { step: undefined, result: { outcome, type, id, version, body: undefined } };
  }
  if (current !== undefined && current.versionId >= GREATEST_VERSION) {
    throw new StokerError("conflict", `${type}/${id} already has the highest possible version number.`);
  }
  const versionId = (current?.versionId ?? 0) + 1;
  // An import may have written a date up to ten seconds ahead (contract 5.3): versions and dates increase together.
  const lastUpdated = Math.max(now, (current?.lastUpdated ?? 0) + 1);
  const isThere = current !== undefined && !current.deleted;
  const result: WrittenResource = {
    outcome: change.kind === "delete" ? "deleted" : isThere ? "updated" : "created",
    type,
    id,
    version: { versionId, lastUpdated },
    body: change.kind === "put" ? change.body.bytes : undefined,
  };
  return { step: { item, old: head, versionId, lastUpdated }, result };
}

/** The id of the resource that is changed. */
export function idOf(change: Change): string {
  return change.kind === "put" ? change.body.id : change.id;
}

function keyOf(change: PutChange | DeleteChange): bigint {
  return resourceKeyOf(change.kind === "put" ? change.body.type : change.type, idOf(change));
}

/** The items' keys in the order in which heads are locked. */
export function sortedKeys(items: readonly Item[]): bigint[] {
  return items.map(({ key }) => key).toSorted((a, b) => (a < b ? -1 : 1));
}

/** Bytes of the items' bodies. */
export function totalBytes(items: readonly Item[]): number {
  return items.reduce((sum, { change }) => sum + (change.kind === "put" ? change.body.bytes.length : 0), 0);
}
