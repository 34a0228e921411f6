import { setImmediate as nextTurn } from "node:timers/promises";
import type { ClientBase } from "pg";
import { contentHash } from "../../fhir/meta-bytes.ts";
import { StokerError } from "../../base/errors.ts";
import { ownTurnFor, Pace } from "../../base/own-turn.ts";
import { fromBigInt } from "../../base/hash.ts";
import type { Indexer } from "../../index/indexer.ts";
import { literalsOf } from "../../index/number-literals.ts";
import { BodyBlocks } from "../../store/resources/body-blocks.ts";
import { CopyBuffer } from "../../postgres/copy-buffer.ts";
import { copyTogether, type CopyStep } from "../../postgres/copy-together.ts";
import { isUniqueViolation } from "../../postgres/database-errors.ts";
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
} from "../../store/resources/heads.ts";
import { CREATED } from "../../store/resources/history.ts";
import { mergePendingRows } from "../../store/segments/pending-rows.ts";
import { searchCopies } from "../../store/segments/search-copies.ts";
import { SearchRows, TooManySearchValues } from "../../store/search/search-rows.ts";
import { changeStatement, holdStatement, isOutdated } from "../../store/search/search-parameters.ts";
import { holdSegments, SegmentState } from "../../store/segments/segments.ts";
import { Stamps } from "../../store/search/stamps.ts";
import { displaceIds, KeysTaken, takenKeys, type TakenKey } from "../displacement/displace.ts";
import { updateIndexer } from "../displacement/current-definitions.ts";
import {
  decideAll,
  define,
  idOf,
  isDefinition,
  planAll,
  sortedKeys,
  totalBytes,
  type GroupTime,
  type Item,
  type PlannedRequest,
  type RequestOutcome,
  type GroupStep,
} from "./group-plan.ts";
import { lockNames, unlockNames } from "./name-locks.ts";
import { TargetSegments } from "../../store/segments/target-segments.ts";
import { StalePlan, type DeleteChange, type PutChange } from "./write-request.ts";

/** An answer means that the version is on disk. Waiting for another writer has an end: see `resource-writer.ts`. */
export const BEGIN: readonly string[] = ["begin", "set local synchronous_commit = on"];
/**
 * Bytes of search rows of one kind that a resource may have: a quarter of what an import takes, because this is done on the thread
 * that answers all requests.
 */
const MAX_RESOURCE_ROW_BYTES = 8 * 1024 * 1024;
/** Bytes of search rows that a group may have, and those for each byte of its resources; ordinary ones have 0.65. */
const FREE_ROW_BYTES = 32 * 1024 * 1024;
const ROW_BYTES_PER_BYTE = 4;
/** Resources after which those written are counted into their segment. */
const COUNT_EVERY = 500;
/** … and after which their segment's pending list is merged. */
const MERGE_EVERY = 5000;

/**
 * Writes groups of API requests, each group in one transaction: several requests share a commit, and each of them is
 * carried out as a whole or not at all. Holds buffers that are reused; not for two groups at once.
 */
export class WriteGroup {
  readonly #indexer: Indexer;
  readonly #searchRows: SearchRows = new SearchRows(1 << 16, MAX_RESOURCE_ROW_BYTES);
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
  async write(client: ClientBase, requests: readonly PlannedRequest[], time: GroupTime): Promise<RequestOutcome[]> {
    const names = [...new Set(requests.flatMap((request) => request.locks))];
    try {
      if (names.length > 0) await lockNames(client, names);
      return await this.#planAndWrite(client, requests, time);
    } finally {
      if (names.length > 0) await unlockNames(client);
    }
  }

  async #planAndWrite(
    client: ClientBase,
    requests: readonly PlannedRequest[],
    time: GroupTime,
  ): Promise<RequestOutcome[]> {
    // Before keys and values are made: another group with the same indexer may update it while this one waits for the database.
    const { generation } = this.#indexer;
    const { outcomes, items } = await planAll(client, requests, time);
    if (items.length === 0) return outcomes;
    const taken = takenKeys(items.map(keyOfItem));
    if (taken.length > 0) {
      await displaceIds(client, this.#indexer, taken);
      throw new StalePlan();
    }
    const firstStamp = await this.#stamps.take(client, items.length);
    await this.#index(items, firstStamp);
    await this.#searchRows.terms.store(client);
    await this.#blocks.reserve(client, totalBytes(items), items.length);
    const segment = await this.#segments.open(client, 0);
    let isFresh = items.every(
      ({ change }) => change.kind === "put" && change.isFresh === true && !isDefinition(change),
    );
    for (;;) {
      try {
        this.#uncounted += await this.#writeItems(
          client,
          { segment: segment.number, generation, isFresh },
          items,
          outcomes,
        );
        return outcomes;
      } catch (error) {
        await client.query("rollback");
        if (isFresh && isUniqueViolation(error)) {
          // An id that the server has made up can share its key with another one, too.
          isFresh = false;
          continue;
        }
        if (error instanceof KeysTaken) await displaceIds(client, this.#indexer, error.taken);
        else if (isOutdated(error)) await updateIndexer(client, this.#indexer);
        else throw error;
        throw new StalePlan();
      }
    }
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

  /**
   * Other requests have their turn in between: a transaction may have very many items. Throws `bad-request` (too-costly) when
   * there are too many search values.
   */
  async #index(items: readonly Item[], firstStamp: number): Promise<void> {
    const rows = this.#searchRows;
    const limit = FREE_ROW_BYTES + ROW_BYTES_PER_BYTE * totalBytes(items);
    rows.clear(firstStamp);
    const pace = new Pace(nextTurn);
    for (const { key, change } of items) {
      if (pace.isDue) await pace.rest();
      if (change.kind === "delete") {
        rows.skip();
        continue;
      }
      const { typeId, resource, text, bytes } = change.body;
      await ownTurnFor(bytes.length);
      const { high, low } = fromBigInt(key);
      rows.begin(high, low);
      try {
        this.#indexer.index(typeId, resource, rows, literalsOf(text));
      } catch (error) {
        if (!(error instanceof TooManySearchValues)) throw error;
        throw new StokerError("bad-request", error.message, { issue: "too-costly" });
      }
      rows.end();
      // Where several requests share the group, each of them is tried again by itself.
      if (rows.bytes > limit) {
        const text = `Together the resources have too many search values: more than ${limit} bytes of them. Send them in smaller parts.`;
        throw new StokerError("bad-request", text, { issue: "too-costly" });
      }
    }
  }

  /**
   * Decides and writes in a transaction of its own; returns how many versions were written. `isFresh`: none of the resources is
   * there. Throws KeysTaken.
   */
  async #writeItems(
    client: ClientBase,
    { segment, generation, isFresh }: { segment: number; generation: number; isFresh: boolean },
    items: readonly Item[],
    outcomes: RequestOutcome[],
  ): Promise<number> {
    const isDefining = items.some(({ change }) => isDefinition(change));
    const begin = [...BEGIN, isDefining ? changeStatement(generation) : holdStatement(generation)];
    let heads: HeadRow[] = [];
    if (!isFresh) {
      await client.query(begin.join("; "));
      heads = await lockHeads(client, sortedKeys(items));
      const taken = takenKeys(items.map(keyOfItem), new Map(heads.map(({ key, id }) => [key, id])));
      if (taken.length > 0) throw new KeysTaken(taken);
    }
    const decide = (): GroupStep[] => decideAll(items, new Map(heads.map((head) => [head.key, head])), outcomes);
    const steps = isDefining ? await define(client, items, outcomes, decide) : decide();
    const { copies, replaced } = await this.#encode(segment, steps);
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

  async #encode(segment: number, steps: readonly GroupStep[]): Promise<{ copies: CopyStep[]; replaced: Replaced[] }> {
    this.#blocks.clear();
    this.#heads.clear();
    const rows = this.#searchRows;
    const flags: boolean[] = [];
    const replaced: Replaced[] = [];
    const pace = new Pace(nextTurn);
    for (const { item, old, versionId, lastUpdated } of steps) {
      if (pace.isDue) await pace.rest();
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
    const copies = [
      { table: "body_block", columns: ["id", "raw_length", "bytes"], buffer: this.#blocks.rows },
      { table: "resource_current", columns: HEAD_COLUMNS, buffer: this.#heads },
      ...searchCopies(rows, segment, flags),
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

function keyOfItem({ key, change }: Item): TakenKey {
  return { key, id: idOf(change) };
}

/** A head that exists and what it becomes. */
interface Replaced {
  old: HeadRow;
  head: NewHead;
}
