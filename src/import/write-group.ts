import type { ClientBase } from "pg";
import { StokerError } from "../base/errors.ts";
import { contentHash } from "../fhir/meta-bytes.ts";
import { resourceKeyOf } from "../fhir/resource-key.ts";
import { fromBigInt } from "../base/hash.ts";
import type { Indexer } from "../index/indexer.ts";
import { numberLiteral } from "../index/number-literals.ts";
import { BodyBlocks } from "../store/body-blocks.ts";
import { CopyBuffer } from "../store/copy-buffer.ts";
import { copyTogether, type CopyStep } from "../store/copy-together.ts";
import {
  HEAD_COLUMNS,
  lockHeads,
  removeSearchRows,
  retireCurrentVersions,
  updateHeads,
  writeHeadRow,
  type HeadRow,
  type NewHead,
  type VersionRow,
} from "../store/heads.ts";
import { CREATED } from "../store/history.ts";

import { mergePendingRows } from "../store/pending-rows.ts";
import { SEARCH_COLUMNS, SearchRows } from "../store/search-rows.ts";
import { changeStatement, holdStatement, isOutdated } from "../store/search-parameters.ts";
import { holdSegments, partitionName, SegmentState } from "../store/segments.ts";
import { Stamps } from "../store/stamps.ts";
import { updateIndexer } from "./current-definitions.ts";
import { DEFINING_TYPE, openDefinitionRegister, type DefinitionChange } from "./define-parameters.ts";
import { NAME_LOCK } from "./frozen-writers.ts";
import { TargetSegments } from "./target-segments.ts";
import { StalePlan } from "./write-request.ts";
import type { Change, DeleteChange, PutChange, WriteRequest, WrittenResource } from "./write-request.ts";

/** What became of a request: written, refused, or left for the next group because of a resource they share. */
export type RequestOutcome = { results: WrittenResource[] } | { error: StokerError } | "deferred";

/** An answer means that the version is on disk. Waiting for another writer has an end: see `resource-writer.ts`. */
export const BEGIN: readonly string[] = ["begin", "set local synchronous_commit = on"];
/** Letting go of names is tried so often; only somebody who cancels every statement makes it fail. */
const UNLOCK_TRIES = 10;
/** Resources after which those written are counted into their segment. */
const COUNT_EVERY = 500;
/** … and after which their segment's pending list is merged. */
const MERGE_EVERY = 5000;
const GREATEST_VERSION = 2147483647;

/**
 * Writes groups of API requests, each group in one transaction: several requests share a commit, and each of them is
 * carried out as a whole or not at all. Holds buffers that are reused; not for two groups at once.
 */
export class WriteGroup {
  readonly #indexer: Indexer;
  readonly #searchRows: SearchRows = new SearchRows(1 << 16);
  readonly #blocks: BodyBlocks = new BodyBlocks(1 << 16);
  readonly #heads: CopyBuffer = new CopyBuffer(1 << 14);
  readonly #stamps: Stamps = new Stamps();
  readonly #segments: TargetSegments = new TargetSegments();
  /** States of segments as last seen. A segment that is indexed stays so; others are held while they are written to. */
  readonly #states: Map<number, number> = new Map();
  /** Versions written that are not counted into the segment yet, and those whose rows may be in the pending list. */
  #uncounted = 0;
  #unmerged = 0;

  constructor(indexer: Indexer) {
    this.#indexer = indexer;
  }

  /**
   * Plans and writes the requests, which have no lock in common. Throws StalePlan or PostgreSQL's error, with nothing
   * written; the client is then out of its transaction and holds no lock.
   */
  async write(client: ClientBase, requests: readonly WriteRequest[]): Promise<RequestOutcome[]> {
    const names = [...new Set(requests.flatMap((request) => request.locks))];
    try {
      if (names.length > 0) await lockNames(client, names);
      return await this.#planAndWrite(client, requests);
    } finally {
      if (names.length > 0) await unlockNames(client);
    }
  }

  async #planAndWrite(client: ClientBase, requests: readonly WriteRequest[]): Promise<RequestOutcome[]> {
    const { outcomes, items } = await planAll(client, requests);
    if (items.length === 0) return outcomes;
    const firstStamp = await this.#stamps.take(client, items.length);
    // Read here: another group with the same indexer may update it while this one waits for the database.
    const { generation } = this.#indexer;
    this.#index(items, firstStamp);
    await this.#searchRows.terms.store(client);
    await this.#blocks.reserve(client, totalBytes(items), items.length);
    const segment = await this.#segments.open(client, 0);
    try {
      this.#uncounted += await this.#writeItems(client, segment.number, generation, items, outcomes);
    } catch (error) {
      await client.query("rollback");
      if (!isOutdated(error)) throw error;
      await updateIndexer(client, this.#indexer);
      throw new StalePlan();
    }
    return outcomes;
  }

  /** Whether enough was written to {@link tidy} up. */
  get isUntidy(): boolean {
    return this.#uncounted >= COUNT_EVERY;
  }

  /** Counts what was written into its segment, and keeps the segment quick to search. Not to be called in a transaction. */
  async tidy(client: ClientBase): Promise<void> {
    const count = this.#uncounted;
    this.#uncounted = 0;
    this.#unmerged += count;
    const segment = await this.#segments.open(client, 0);
    await this.#segments.count(client, segment, count);
    if (this.#unmerged < MERGE_EVERY) return;
    this.#unmerged = 0;
    await mergePendingRows(client, segment.number);
  }

  #index(items: readonly Item[], firstStamp: number): void {
    const rows = this.#searchRows;
    rows.clear(firstStamp);
    for (const { key, change } of items) {
      if (change.kind === "delete") {
        rows.skip();
        continue;
      }
      const { typeId, resource, text } = change.body;
      const { high, low } = fromBigInt(key);
      rows.begin(high, low);
      this.#indexer.index(typeId, resource, rows, (value) => numberLiteral(text, value));
      rows.end();
    }
  }

  /** Decides and writes in a transaction of its own; returns how many versions were written. */
  async #writeItems(
    client: ClientBase,
    segment: number,
    generation: number,
    items: readonly Item[],
    outcomes: RequestOutcome[],
  ): Promise<number> {
    const isDefining = items.some(({ change }) => isDefinition(change));
    const isFresh = !isDefining && items.every(({ change }) => change.kind === "put" && change.isFresh === true);
    const begin = [...BEGIN, isDefining ? changeStatement(generation) : holdStatement(generation)];
    let heads: HeadRow[] = [];
    if (!isFresh) {
      await client.query(begin.join("; "));
      heads = await lockHeads(client, sortedKeys(items));
    }
    const decide = (): Step[] => decideAll(items, new Map(heads.map((head) => [head.key, head])), outcomes);
    const steps = isDefining ? await define(client, items, outcomes, decide) : decide();
    const { copies, replaced } = this.#encode(segment, steps);
    if (replaced.length > 0) await this.#replaceHeads(client, replaced);
    await copyTogether(client, isFresh ? begin : [], copies, ["commit"]);
    return steps.length;
  }

  /** Moves the old versions to the history, and takes their search rows away. */
  async #replaceHeads(client: ClientBase, replaced: readonly Replaced[]): Promise<void> {
    const old = replaced.map((change) => change.old);
    const segments = old.flatMap(({ searchRows }) => searchRows?.segment ?? []);
    const unsure = segments.filter((number) => this.#states.get(number) !== SegmentState.indexed);
    for (const [number, state] of await holdSegments(client, unsure)) this.#states.set(number, state);
    await retireCurrentVersions(
      client,
      old.map(({ key }) => key),
    );
    await updateHeads(
      client,
      replaced.map(({ head }) => head),
    );
    await removeSearchRows(client, old, this.#states);
  }

  #encode(segment: number, steps: readonly Step[]): { copies: CopyStep[]; replaced: Replaced[] } {
    this.#blocks.clear();
    this.#heads.clear();
    const rows = this.#searchRows;
    const flags: boolean[] = [];
    const replaced: Replaced[] = [];
    for (const { item, old, versionId, lastUpdated } of steps) {
      const { key, index, change } = item;
      const current = this.#version(change, versionId, lastUpdated);
      const head: NewHead = { key, id: idOf(change), current, searchRows: undefined };
      if (change.kind === "put") {
        flags[index] = true;
        rows.setLastUpdated(index, lastUpdated);
        head.searchRows = { segment, stamp: rows.stampOf(index) };
      }
      if (old === undefined) writeHeadRow(this.#heads, head);
      else replaced.push({ old, head });
    }
    this.#blocks.finish();
    const ranges = rows.rangesOf(flags);
    const searchStep = (table: keyof typeof SEARCH_COLUMNS, buffer: CopyBuffer, kept: readonly number[]): CopyStep => ({
      table: partitionName(table, segment),
      columns: SEARCH_COLUMNS[table],
      buffer,
      ranges: kept,
    });
    const copies = [
      { table: "block", columns: ["id", "raw_length", "bytes"], buffer: this.#blocks.rows },
      { table: "head", columns: HEAD_COLUMNS, buffer: this.#heads },
      searchStep("search_resource", rows.resources, ranges.resources),
      searchStep("search_date", rows.dates, ranges.dates),
      searchStep("search_quantity", rows.quantities, ranges.quantities),
      searchStep("search_string", rows.strings, ranges.strings),
    ];
    return { copies, replaced };
  }

  /** Adds the body to the blocks. A deletion has none. */
  #version(change: PutChange | DeleteChange, versionId: number, lastUpdated: number): VersionRow {
    const common = { versionId, lastUpdated, importJob: 0n, origin: 0 };
    if (change.kind === "delete") {
      return { ...common, deleted: true, block: 0n, offset: 0, length: 0, contentHash: 0n };
    }
    const { bytes, hasMetaVersion } = change.body;
    return {
      ...common,
      // A create, and nothing else, makes up an id (PutChange): histories tell it from an update.
      origin: change.isFresh === true ? CREATED : 0,
      deleted: false,
      ...this.#blocks.add(bytes),
      contentHash: contentHash(bytes, hasMetaVersion),
    };
  }
}

/** A head that exists and what it becomes. */
interface Replaced {
  old: HeadRow;
  head: NewHead;
}

/** A change of the group that is to be written. */
interface Item {
  /** The request's number in the group, and the change's in the request. */
  request: number;
  place: number;
  /** The number of its search rows. */
  index: number;
  key: bigint;
  change: PutChange | DeleteChange;
}

/** An item that passed its precondition. */
interface Step {
  item: Item;
  old: HeadRow | undefined;
  versionId: number;
  lastUpdated: number;
}

/** Never throws, because the requests may have been carried out; the locks of a connection that is lost are gone. */
async function unlockNames(client: ClientBase): Promise<void> {
  for (let attempt = 1; attempt <= UNLOCK_TRIES; attempt++) {
    try {
      await client.query("select pg_advisory_unlock_all()");
      return;
    } catch {
      // Cancelled: again.
    }
  }
}

/** In one order, against deadlocks. Names that share a hash wait for each other without need. */
async function lockNames(client: ClientBase, names: readonly string[]): Promise<void> {
  await client.query({
    name: "lock-names",
    text: `select pg_advisory_lock($1, hash)
           from (select distinct hashtext(name) as hash from unnest($2::text[]) as n (name) order by 1) hashes`,
    values: [NAME_LOCK, names],
  });
}

async function planAll(
  client: ClientBase,
  requests: readonly WriteRequest[],
): Promise<{ outcomes: RequestOutcome[]; items: Item[] }> {
  const outcomes: RequestOutcome[] = [];
  const items: Item[] = [];
  const taken = new Set<bigint>();
  for (const [request, { plan }] of requests.entries()) {
    const planned = await planOne(client, plan);
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

async function planOne(client: ClientBase, plan: WriteRequest["plan"]): Promise<readonly Change[] | StokerError> {
  try {
    return await plan(client);
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

/** Decides, and defines what the SearchParameter resources that are written say. Requests that cannot be carried out are left out. */
async function define(
  client: ClientBase,
  items: readonly Item[],
  outcomes: RequestOutcome[],
  decide: () => Step[],
): Promise<Step[]> {
  const register = await openDefinitionRegister(client);
  for (const { request, change } of items) {
    if (!isDefinition(change)) continue;
    try {
      register.take(definitionOf(change));
    } catch (error) {
      if (!(error instanceof StokerError)) throw error;
      outcomes[request] = { error };
    }
  }
  const steps = decide();
  for (const { item } of steps) if (isDefinition(item.change)) await register.store(definitionOf(item.change));
  return steps;
}

function isDefinition(change: PutChange | DeleteChange): boolean {
  return (change.kind === "put" ? change.body.type : change.type) === DEFINING_TYPE;
}

function definitionOf(change: PutChange | DeleteChange): DefinitionChange {
  return { resourceId: idOf(change), resource: change.kind === "put" ? change.body.resource : undefined };
}

/** Asks the preconditions and numbers the versions; requests that fail are left out. In key order, as heads are inserted. */
function decideAll(items: readonly Item[], heads: ReadonlyMap<bigint, HeadRow>, outcomes: RequestOutcome[]): Step[] {
  const now = Date.now();
  const steps: Step[] = [];
  for (const item of items) {
    const outcome = outcomes[item.request];
    if (outcome === undefined || outcome === "deferred" || "error" in outcome) continue;
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
): { step: Step | undefined; result: WrittenResource } {
  const { change } = item;
  const id = idOf(change);
  const type = change.kind === "put" ? change.body.type : change.type;
  if (head !== undefined && head.id !== id) {
    const text = `${type}/${id} cannot be stored: its id has the same 56-bit hash as ${head.id}. Change the id.`;
    throw new StokerError("conflict", text);
  }
  const current = head?.current;
  change.check?.(current);
  if (change.kind === "delete" && (current === undefined || current.deleted)) {
    const version = current && { versionId: current.versionId, lastUpdated: current.lastUpdated };
    const outcome = current === undefined ? "absent" : "deleted";
    return { step: undefined, result: { outcome, type, id, version, body: undefined } };
  }
  if (current !== undefined && current.versionId >= GREATEST_VERSION) {
    throw new StokerError("conflict", `${type}/${id} has the greatest version number there is.`);
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

function idOf(change: Change): string {
  return change.kind === "put" ? change.body.id : change.id;
}

function keyOf(change: PutChange | DeleteChange): bigint {
  return resourceKeyOf(change.kind === "put" ? change.body.type : change.type, idOf(change));
}

function sortedKeys(items: readonly Item[]): bigint[] {
  return items.map(({ key }) => key).toSorted((a, b) => (a < b ? -1 : 1));
}

function totalBytes(items: readonly Item[]): number {
  return items.reduce((sum, { change }) => sum + (change.kind === "put" ? change.body.bytes.length : 0), 0);
}
