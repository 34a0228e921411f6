import type { ClientBase } from "pg";
import { StokerError } from "../base/errors.ts";
import { BlockCache, readBodies } from "../store/resources/body.ts";
import { VERSION_COLUMNS_SQL, versionOf, type StoredVersion, type VersionColumns } from "../store/resources/read.ts";
import { type Queryable } from "../postgres/pool.ts";
import { beginSnapshot, hasStaleRows } from "../store/segments/snapshot.ts";
import { asksBodies, metByBodies } from "./body-check.ts";
import {
  READ_TIMEOUT_MS,
  untilIdsAreKnown,
  withKnownIds,
  withSearchParameters,
  type ReadContext,
} from "./context/context.ts";
import { tooLong, withDeadline } from "./context/deadline.ts";
import { gatheringSql } from "./cost/planner.ts";
import { searchCondition } from "./compile/plan.ts";
import { parseQuery } from "./parse/query.ts";
import { resolveCondition } from "./resolve/resolve.ts";
import { sql, statement } from "../postgres/sql.ts";
import { withSpellings } from "./resolve/terminology/spellings.ts";
import { verifierOf } from "./answer/verification.ts";

/**
 * The resources that the criteria of a conditional interaction find, at most `limit` of them, on a client that is not in a
 * transaction. `criteria` is a query string. Throws what parsing a query throws, also for a parameter that is not known:
 * leaving one out would find too much. What hashes have found is compared with what was asked. Throws `precondition-failed` for criteria that ask nothing, and `too-costly` when it takes
 * longer than so many milliseconds, or than reads may.
 */
export async function findMatches(
  client: ClientBase,
  context: Pick<ReadContext, "baseUrl" | "dateEquality" | "searchParameters">,
  type: string,
  criteria: string,
  limit: number,
  { timeout, signal }: { timeout: number; signal?: AbortSignal | undefined } = { timeout: READ_TIMEOUT_MS },
): Promise<readonly StoredVersion[]> {
  const parameters = [...new URLSearchParams(criteria)];
  const { baseUrl } = context;
  const query = await withSearchParameters(context, (lookup) =>
    parseQuery({ type, parameters, strict: true, baseUrl, lookup }),
  );
  if (query.groups.every((group) => group.criteria.length === 0)) {
    throw new StokerError("precondition-failed", "The condition needs a search parameter to find a resource by.");
  }
  const rules = { dateEquality: context.dateEquality, now: Date.now(), baseUrl };
  const text = "The search for the condition takes too long: make it more selective.";
  return await untilIdsAreKnown(async () => {
    try {
      const most = Math.min(timeout, READ_TIMEOUT_MS);
      const begun = [await client.query(beginSnapshot(most))].flat();
      const deadline = { timeout: most, signal, text, hasStaleRows: hasStaleRows(begun) };
      return await withKnownIds(client, begun, () =>
        withDeadline(client, deadline, async (db) => {
          const groups = await withSpellings(db, query.groups);
          const isMet = verifierOf(groups, rules, "everything");
          const verify: Verify = async (read) => {
            const met = isMet === undefined ? read : read.filter((each) => isMet(each, each.body));
            return await metByBodies(db, groups, rules, met);
          };
          const isCompared = isMet !== undefined || asksBodies(groups);
          const rows = await gatheringSql(db, await resolveCondition(db, searchCondition(groups, rules)));
          for (let most = limit; ; most *= 10) {
            const found = await db.query<VersionColumns>(
              statement(sql`select v.id, ${VERSION_COLUMNS_SQL} from search_resource r join resource_current v on v.key = r.key
                where ${rows} limit ${most}`),
            );
            const read = found.rows.map((row) => versionOf(type, row));
            const versions = isCompared ? await verified(db, verify, read) : read;
            // Only where hashes have found too much there is more to read.
            if (versions.length >= limit || found.rows.length < most) return versions.slice(0, limit);
          }
        }),
      );
    } catch (error) {
      throw tooLong(error, text);
    } finally {
      await client.query("rollback");
    }
  });
}

/** Leaves out what hashes have found wrongly. */
type Verify = (read: readonly FoundVersion[]) => Promise<readonly FoundVersion[]>;

interface FoundVersion extends StoredVersion {
  readonly body: Buffer;
}

async function verified(
  db: Queryable,
  verify: Verify,
  versions: readonly StoredVersion[],
): Promise<readonly StoredVersion[]> {
  if (versions.length === 0) return versions;
  const bodies = await readBodies(
    db,
    new BlockCache(0),
    versions.map(({ place }) => place),
  );
  const met = await verify(versions.map((version, index) => ({ ...version, body: bodies[index] ?? Buffer.alloc(0) })));
  const ids = new Set(met.map(({ id }) => id));
  return versions.filter(({ id }) => ids.has(id));
}
