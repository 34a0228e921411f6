import type { Pool, PoolClient } from "pg";
import { StokerError } from "../base/errors.ts";
import type { BlockCache } from "../store/body.ts";
import { transaction } from "../store/pool.ts";
import { beginSnapshot } from "../store/snapshot.ts";

/** What reading back needs of the server. */
export interface ReadContext {
  readonly pool: Pool;
  /** Public base of links, without a slash at the end. A getter where it is known only when the server listens. */
  readonly baseUrl: string;
  readonly blocks: BlockCache;
  /** What `eq` of dates means (decision D-20). */
  readonly dateEquality: "overlap" | "contain";
  /** The server ends reads that take longer. Milliseconds. */
  readonly timeout: number;
}

/** As long as a search may take. Milliseconds. */
export const READ_TIMEOUT_MS = 30_000;

/**
 * Runs `work` on one state of the database: a page, its total and its bodies agree although an import is writing. Throws
 * `too-costly` when it takes too long.
 */
export async function readSnapshot<T>(context: ReadContext, work: (client: PoolClient) => Promise<T>): Promise<T> {
  try {
    return await transaction(context, work, beginSnapshot(context.timeout));
  } catch (error) {
    if ((error as { code?: unknown }).code !== QUERY_CANCELED) throw error;
    const text = "The search takes too long: add a more selective parameter, or leave out _total.";
    throw new StokerError("too-costly", text, { cause: error });
  }
}

const QUERY_CANCELED = "57014";
