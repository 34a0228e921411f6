import type { Pool, QueryResult } from "pg";
import { StokerError } from "../../base/errors.ts";
import { displacedIds } from "../../fhir/resource-key.ts";
import { searchParameter } from "../../fhir/search-parameters.ts";
import type { SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import type { BlockCache } from "../../store/resources/body.ts";
import { cancelledBy, processIdOf } from "../../postgres/cancel.ts";
import { transaction } from "../../postgres/pool.ts";
import type { Queryable } from "../../postgres/pool.ts";
import type { SearchParameterSource } from "../../store/search/search-parameters.ts";
import { beginSnapshot, hasStaleRows, knowDisplacedIds } from "../../store/segments/snapshot.ts";
import { tooLong, withDeadline } from "./deadline.ts";

/** What reading back needs of the server. */
export interface ReadContext {
  readonly pool: Pool;
  /** Public base of links, without a slash at the end. A getter where it is known only when the server listens. */
  readonly baseUrl: string;
  readonly blocks: BlockCache;
  /** What `eq` of dates means (decision D-20). */
  readonly dateEquality: "contain" | "overlap";
  readonly searchParameters: SearchParameterSource;
  /** Reads that take longer, from their first statement to their last, are ended. Milliseconds. */
  readonly timeout: number;
  /** Fires when nobody waits for the answer any more: the read is then given up. Undefined: it is read to its end. */
  readonly signal?: AbortSignal | undefined;
  /** Counts what is read for the answer. */
  readonly memory?: ReadMemory | undefined;
  /** Ends the statement of a session, by its process id. */
  readonly cancel?: (processId: number) => Promise<void>;
}

/** What the memory of a read is counted by; bytes. */
export interface ReadMemory {
  /** Resolves when there is room. Rejects with `busy`. */
  take(bytes: number): Promise<void>;
  give(bytes: number): void;
}

/** Copies of a body while an answer is made of it: as it is stored, with its version, and in the answer. */
const COPIES = 3;

/** Takes room for bodies of so many bytes, all together, before they are read. */
export async function takeRoom({ memory }: Pick<ReadContext, "memory">, bytes: number): Promise<void> {
  await memory?.take(bytes * COPIES);
}

/** Gives back what {@link takeRoom} took for an answer of so many bytes that is one of several, but for the answer itself. */
export function giveCopies({ memory }: Pick<ReadContext, "memory">, bytes: number): void {
  memory?.give(bytes * (COPIES - 1));
}

/** As long as a search may take. Milliseconds. */
export const READ_TIMEOUT_MS = 30_000;

/**
 * Runs `work` on one state of the database: a page, its total and its bodies agree although an import is writing. It is run
 * again where ids were displaced meanwhile, so it must make the keys that it asks for itself. Throws `too-costly` when it takes
 * too long.
 */
export async function readSnapshot<T>(context: ReadContext, work: (db: Queryable) => Promise<T>): Promise<T> {
  const { timeout, signal, cancel } = context;
  const text = "The search takes too long: add a more selective parameter, or leave out _total.";
  try {
    return await untilIdsAreKnown(() =>
      transaction(
        context,
        (client, begun) =>
          cancelledBy(
            signal,
            async () => await cancel?.(processIdOf(client)),
            () =>
              withKnownIds(client, begun, () =>
                withDeadline(client, { timeout, signal, text, hasStaleRows: hasStaleRows(begun) }, work),
              ),
          ),
        beginSnapshot(timeout),
      ),
    );
  } catch (error) {
    throw tooLong(error, text);
  }
}

/** The snapshot does not fit the displaced ids that this thread knows. */
class OtherIds extends Error {}

/** Takes a snapshot, and reads it, again where that is needed; ids are displaced so rarely that it hardly ever is. */
export async function untilIdsAreKnown<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof OtherIds)) throw error;
      if (attempt === MOST_SNAPSHOTS)
        throw new StokerError("busy", "Resources are being stored; try again in a moment.");
    }
  }
}

const MOST_SNAPSHOTS = 20;

/** Runs `work` in a snapshot, for {@link untilIdsAreKnown}: from its beginning to its end keys are those of the snapshot. */
export async function withKnownIds<T>(
  db: Queryable,
  begun: readonly QueryResult[],
  work: () => Promise<T>,
): Promise<T> {
  if (!(await knowDisplacedIds(db, begun))) throw new OtherIds();
  const { generation } = displacedIds();
  const result = await work();
  if (displacedIds().generation !== generation) throw new OtherIds();
  return result;
}

/**
 * Reads a request that names search parameters. R4's are the same for ever; a request that names any other is read with
 * those that are defined at this moment, so that a parameter is known as soon as it is enabled, and no longer than that.
 */
export async function withSearchParameters<T>(
  { searchParameters }: Pick<ReadContext, "searchParameters">,
  read: (lookup: SearchParameterLookup) => T,
): Promise<T> {
  const known = searchParameters.known();
  let isBeyondR4 = false;
  const watched: SearchParameterLookup = {
    find(type, code) {
      const found = searchParameter(type, code);
      if (found !== undefined) return found;
      isBeyondR4 = true;
      return known.find(type, code);
    },
    definedBy(type, code) {
      isBeyondR4 = true;
      return known.definedBy(type, code);
    },
    get of() {
      isBeyondR4 = true;
      return known.of;
    },
  };
  try {
    const result = read(watched);
    if (!isBeyondR4) return result;
  } catch (error) {
    if (!isBeyondR4) throw error;
  }
  return read(await searchParameters.current());
}
