import type { JsonObject } from "../../base/json.ts";
import { typeIdOfKey } from "../../fhir/resource-key.ts";
import { resourceTypeName } from "../../fhir/resource-types.ts";
import type { TestDatabase } from "../../postgres/testing/test-database.ts";
import { entriesOf } from "./search-server.ts";

/** A stored version, as plain SQL over the two tables of versions finds it. */
export interface ModelVersion {
  type: string;
  id: string;
  key: bigint;
  versionId: number;
  lastUpdated: number;
  deleted: boolean;
  isCurrent: boolean;
}

/** What is asked of a history; instants in milliseconds, both ends of `at` included. */
export interface ModelQuery {
  types?: readonly string[];
  id?: string;
  since?: number;
  at?: readonly [low: number, high: number];
}

/** Every version there is. */
export async function storedVersions(database: TestDatabase): Promise<ModelVersion[]> {
  const { rows } = await database.pool.query<{
    key: string;
    id: string;
    version_id: number;
    last_updated: string;
    deleted: boolean;
    current: boolean;
  }>(
    `select key::text, id, version_id, last_updated::text, deleted, true as current from resource_current where version_id is not null
     union all
     select v.key::text, h.id, v.version_id, v.last_updated::text, v.deleted, false from resource_history v join resource_current h using (key)`,
  );
  return rows.map((row) => ({
    type: resourceTypeName(typeIdOfKey(BigInt(row.key))),
    id: row.id,
    key: BigInt(row.key),
    versionId: row.version_id,
    lastUpdated: Number(row.last_updated),
    deleted: row.deleted,
    isCurrent: row.current,
  }));
}

/** The history that the definitions ask for, as `Type/id version` in its order. */
export function expectedHistory(versions: readonly ModelVersion[], query: ModelQuery): string[] {
  const { types, id, since = -Infinity, at } = query;
  return versions
    .filter((version) => types === undefined || types.includes(version.type))
    .filter((version) => id === undefined || version.id === id)
    .filter((version) => version.lastUpdated >= since)
    .filter((version) => at === undefined || wasCurrent(version, versions, at))
    .toSorted(
      (a, b) =>
        b.lastUpdated - a.lastUpdated || (a.key === b.key ? 0 : a.key < b.key ? 1 : -1) || b.versionId - a.versionId,
    )
    .map(({ type, id, versionId, deleted }) => `${type}/${id} ${versionId}${deleted ? " deleted" : ""}`);
}

/** Instant by instant: the version of some instant of the period is this one. */
function wasCurrent(
  version: ModelVersion,
  versions: readonly ModelVersion[],
  [low, high]: readonly [number, number],
): boolean {
  const own = versions.filter(({ key }) => key === version.key);
  const changes = own.map(({ lastUpdated }) => lastUpdated).filter((instant) => low <= instant && instant <= high);
  return [low, ...changes].some((instant) => currentAt(own, instant) === version);
}

function currentAt(own: readonly ModelVersion[], instant: number): ModelVersion | undefined {
  const current = own.find(({ isCurrent }) => isCurrent);
  if (current === undefined || current.lastUpdated <= instant) return current;
  return own
    .filter(({ lastUpdated }) => lastUpdated <= instant)
    .toSorted((a, b) => a.lastUpdated - b.lastUpdated || a.versionId - b.versionId)
    .at(-1);
}

/** The entries of a history Bundle, as {@link expectedHistory} has them. */
export function historyEntries(bundle: JsonObject): string[] {
  return entriesOf(bundle).map((entry) => {
    const { method } = entry["request"] as { method: string };
    const { etag } = entry["response"] as { etag: string };
    const name = (entry["fullUrl"] as string).split("/").slice(-2).join("/");
    return `${name} ${etag.slice(3, -1)}${method === "DELETE" ? " deleted" : ""}`;
  });
}
