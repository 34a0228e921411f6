import type { ClientBase, QueryConfig, QueryResult, QueryResultRow } from "pg";
import { StokerError } from "../../base/errors.ts";
import type { Queryable } from "../../postgres/pool.ts";

/** The time that a read may take as a whole. */
export interface Deadline {
  /** Milliseconds. */
  readonly timeout: number;
  /** Fires when nobody waits for the answer any more: then no other statement begins. */
  readonly signal?: AbortSignal | undefined;
  /** What the client is told when it is over. */
  readonly text: string;
  /** Of the transaction's state of the database: {@link Queryable}. */
  readonly hasStaleRows?: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/**
 * Runs `work` on a client whose transaction has just been begun with a `statement_timeout` of the whole time: all
 * statements together, and what is done between them, may take that long. Only when what is left is a twentieth less than
 * the last statement was given, the next one is given what is left, so that this costs quick reads nothing. Throws
 * `too-costly` when the time is over.
 */
export async function withDeadline<T>(
  client: ClientBase,
  { timeout, signal, text, hasStaleRows, now = () => performance.now() }: Deadline,
  work: (db: Queryable) => Promise<T>,
): Promise<T> {
  const end = now() + timeout;
  let given = timeout;
  const db: Queryable = {
    ...(hasStaleRows === undefined ? {} : { hasStaleRows }),
    async query<Row extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<Row>> {
      const left = Math.ceil(end - now());
      if (left <= 0 || signal?.aborted === true) throw new StokerError("too-costly", text);
      if (left < given - timeout / 20) {
        await client.query({ text: "select set_config('statement_timeout', $1, true)", values: [`${left}`] });
        given = left;
      }
      return await client.query<Row>(query);
    },
  };
  try {
    return await work(db);
  } catch (error) {
    throw tooLong(error, text);
  }
}

/** The `too-costly` of a statement that the database ended because of its `statement_timeout`; other errors as they are. */
export function tooLong(error: unknown, text: string): unknown {
  if ((error as { code?: unknown }).code !== QUERY_CANCELED) return error;
  return new StokerError("too-costly", text, { cause: error });
}

const QUERY_CANCELED = "57014";
