import type { ClientBase } from "pg";
import { fromBigInt } from "../../base/hash.ts";
import type { JsonObject } from "../../base/json.ts";
import { typeIdOfKey, withDisplacedIds, type DisplacedIds } from "../../fhir/resource-key.ts";
import { BASE_TERMS, CONTAINED_TERMS } from "../../fhir/search-value.ts";
import type { Indexer } from "../../index/indexer.ts";
import { literalsOf } from "../../index/number-literals.ts";
import { BlockCache, readBodies } from "../../store/resources/body.ts";
import { copyTogether } from "../../postgres/copy-together.ts";
import type { DisplacedId } from "../../store/identity/displaced-ids.ts";
import { keyArray, lockHeads, removeSearchRows, updateHeads, type HeadRow } from "../../store/resources/heads.ts";
import { mergePendingRows } from "../../store/segments/pending-rows.ts";
import { searchCopies } from "../../store/segments/search-copies.ts";
import { readDefinitions } from "../../store/search/search-parameters.ts";
import { SearchRows } from "../../store/search/search-rows.ts";
import { holdSegments, SegmentState } from "../../store/segments/segments.ts";
import { Stamps } from "../../store/search/stamps.ts";
import { TargetSegments } from "../../store/segments/target-segments.ts";
import { valuesOfReferences, type KnownReferences } from "./reference-values.ts";

/** Writes the search values of resources anew that refer to displaced ids. */
export interface Rewriter {
  /** In a transaction that nobody else writes search values beside; `ids` are the displaced ids with these among them. */
  rewrite(displaced: readonly DisplacedId[], ids: DisplacedIds): Promise<void>;
}

/** Resources that are read together; most of them are written anew. */
const PAGE_RESOURCES = 200;

/** An index leads to so many values at most; for more of them it is faster to look at all rows. */
const INDEXED_VALUES = 5000;

/** $1: the values; $2: the segments whose rows are looked at one by one. In the order in which bodies are stored. */
const FIND = `declare referring no scroll cursor for
  select h.key::text from (
    select r.segment, r.key, r.stamp from search_resource r
    where not r.segment = any($2::int[]) and r.equality && $1::bigint[]
    union all
    select r.segment, r.key, r.stamp from search_resource r
    where r.segment = any($2::int[]) and exists (select from unnest(r.equality) u (value) where u.value = any($1::bigint[]))
  ) r join resource_current h on h.segment = r.segment and h.key = r.key and h.stamp = r.stamp
  order by h.block, h.block_offset`;

/** Those without indexes; all where there are too many values. */
async function scannedSegments(client: ClientBase, values: number): Promise<number[]> {
  const { rows } = await client.query<{ number: number; state: number }>("select number, state from segment");
  const isScanned = ({ state }: { state: number }): boolean =>
    values > INDEXED_VALUES || state !== SegmentState.indexed;
  return rows.filter(isScanned).map(({ number }) => number);
}

/** Prepares what cannot be done in the transaction. */
export async function openRewriter(client: ClientBase, indexer: Indexer): Promise<Rewriter> {
  const segment = await new TargetSegments().open(client, 0);
  // Hundreds of values are compared with each row of the pending list: it takes less time to merge it.
  await mergePendingRows(client, segment.number);
  const stamps = new Stamps();
  const rows = new SearchRows(1 << 16);
  return {
    async rewrite(displaced, ids) {
      const texts = displaced.map(({ id }) => Buffer.from(id));
      const done = new Set<bigint>();
      const known = await readKnownReferences(client);
      const keys = [...new Set(displaced.map(({ hashed }) => hashed))];
      for (const values of valuesOfReferences(keys, known)) {
        // The planner knows little of how rare these values are: where there is an index, it is to be used.
        await client.query(`set local enable_seqscan = ${values.length > INDEXED_VALUES ? "on" : "off"}`);
        await client.query(FIND, [keyArray(values), await scannedSegments(client, values.length)]);
        for (;;) {
          const found = await client.query<{ key: string }>(`fetch ${PAGE_RESOURCES} from referring`);
          if (found.rows.length === 0) break;
          const page = found.rows.map(({ key }) => BigInt(key)).filter((key) => !done.has(key));
          const referring = await readReferring(client, page, texts);
          for (const { head } of referring) done.add(head.key);
          await writeAnew(referring, ids);
        }
        await client.query("close referring");
      }
    },
  };

  async function writeAnew(referring: readonly Referring[], ids: DisplacedIds): Promise<void> {
    if (referring.length === 0) return;
    const firstStamp = await stamps.take(client, referring.length);
    rows.clear(firstStamp);
    // What has too many values for a new definition keeps the rows it has.
    const isAnew = withDisplacedIds(ids, () => referring.map(({ head, body }) => index(head, body)));
    const anew = referring.flatMap(({ head }, number) => (isAnew[number] === true ? [{ head, number }] : []));
    for (const { head, number } of anew) rows.setLastUpdated(number, head.current?.lastUpdated ?? 0);
    // Nearly always all of them are stored already.
    await rows.terms.store(client);
    const heads = anew.map(({ head }) => head);
    const old = heads.flatMap(({ searchRows }) => searchRows?.segment ?? []);
    const states = await holdSegments(client, [segment.number, ...old]);
    await removeSearchRows(client, heads, states);
    await updateHeads(
      client,
      anew.map(({ head: { key, id, current }, number }) => {
        return { key, id, current, searchRows: { segment: segment.number, stamp: rows.stampOf(number) } };
      }),
    );
    await copyTogether(client, [], searchCopies(rows, segment.number, isAnew), []);
  }

  /** False where it has too many values. */
  function index({ key }: HeadRow, body: Buffer): boolean {
    const text = body.toString("utf8");
    const { high, low } = fromBigInt(key);
    rows.begin(high, low);
    indexer.index(typeIdOfKey(key), JSON.parse(text) as JsonObject, rows, literalsOf(text));
    return rows.end() === undefined;
  }
}

interface Referring {
  head: HeadRow;
  body: Buffer;
}

/** Those of the resources that have the text of one of the ids; most have a reference to the id that keeps its key. */
async function readReferring(
  client: ClientBase,
  keys: readonly bigint[],
  ids: readonly Buffer[],
): Promise<Referring[]> {
  if (keys.length === 0) return [];
  const heads = (await lockHeads(client, keys)).filter(({ searchRows }) => searchRows !== undefined);
  const places = heads.map(({ current }) => ({
    block: current?.block ?? 0n,
    offset: current?.offset ?? 0,
    length: current?.length ?? 0,
  }));
  const bodies = await readBodies(client, new BlockCache(0), places);
  return heads.flatMap((head, number) => {
    const body = bodies[number];
    // Characters of an id may be written as escapes.
    const isMeant = body !== undefined && (body.includes("\\u") || ids.some((id) => body.includes(id)));
    return isMeant ? [{ head, body }] : [];
  });
}

async function readKnownReferences(client: ClientBase): Promise<KnownReferences> {
  const { parameters } = await readDefinitions(client);
  const { rows } = await client.query<{ parameter: number; folded: string }>(
    "select parameter, folded from search_dictionary where parameter in ($1, $2)",
    [BASE_TERMS, CONTAINED_TERMS],
  );
  const bases = rows.filter(({ parameter }) => parameter === BASE_TERMS).map(({ folded }) => folded);
  const contained = rows
    .filter(({ parameter }) => parameter === CONTAINED_TERMS)
    .map(({ folded }) => {
      const [parameter, type = ""] = folded.split(" ");
      return { parameter: Number(parameter), type };
    });
  return { parameters, bases, contained };
}
