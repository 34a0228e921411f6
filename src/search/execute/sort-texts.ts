import type { JsonValue } from "../../base/json.ts";
import { StokerError } from "../../base/errors.ts";
import { resourceTypeName } from "../../fhir/resource-types.ts";
import { typeIdOfKey } from "../../fhir/resource-key.ts";
import { BlockCache, readBodies } from "../../store/resources/body.ts";
import { VERSION_COLUMNS_SQL, versionOf, type VersionColumns } from "../../store/resources/read.ts";
import { type Queryable } from "../../postgres/pool.ts";
import { textReaders } from "./body-values.ts";
import { objectIn } from "../../fhir/json-members.ts";
import type { SortKey } from "../parse/sort.ts";
import { sql, statement, type Sql } from "../../postgres/sql.ts";
import { tooCostly } from "../cost/too-costly.ts";

/** The texts that resources are sorted by, of those that have one; both lists are of one length. */
export interface SortTexts {
  readonly keys: readonly bigint[];
  readonly texts: readonly string[];
}

/** A key whose values the store does not keep: they are read from the resources themselves. */
export type TextKey = SortKey & { by: "text" };

/**
 * Reads the values of such keys from all resources that meet the condition, a bounded number at a time. Of several values
 * of a resource the least counts, or the greatest when descending. Throws `too-costly` when they are too many to be read
 * for one page, `not-supported` for a parameter whose values are not known to be anywhere in the resources.
 */
export async function readSortTexts(
  db: Queryable,
  condition: Sql,
  keys: readonly SortKey[],
  baseUrl: string,
): Promise<ReadonlyMap<SortKey, SortTexts>> {
  const wanted = keys
    .filter((key): key is TextKey => key.by === "text")
    .map((key) => ({
      key,
      readers: textReaders(key.parameters, key.trees, baseUrl),
      keys: [] as bigint[],
      texts: [] as string[],
    }));
  if (wanted.length === 0) return new Map();
  const unknown = wanted.find(({ readers }) => readers === undefined);
  if (unknown !== undefined) {
    const text = `_sort: resources cannot be sorted by '${unknown.key.code}'.`;
    throw new StokerError("not-supported", text, { expression: "_sort" });
  }
  // Neighbours share blocks, and so are opened together.
  const found = await db.query<VersionColumns & { key: string }>(
    statement(sql`select v.key::text, v.id, ${VERSION_COLUMNS_SQL} from search_resource r join resource_current v on v.key = r.key
      where ${condition} order by v.block, v.block_offset limit ${MAX_RESOURCES + 1}`),
  );
  const bytes = found.rows.reduce((sum, { body_length: length }) => sum + length, 0);
  if (found.rows.length > MAX_RESOURCES || bytes > MAX_BYTES) {
    const limit = `${MAX_RESOURCES} resources or ${MAX_BYTES / 1024 / 1024} MiB`;
    throw tooCostly(`it sorts more than ${limit} by tokens or references, which are read from the resources`, "_sort");
  }
  for (let from = 0; from < found.rows.length; from += CHUNK) {
    const rows = found.rows.slice(from, from + CHUNK);
    const places = rows.map((row) => versionOf("", row).place);
    const bodies = await readBodies(db, new BlockCache(0), places);
    for (const [index, row] of rows.entries()) {
      const key = BigInt(row.key);
      const resource = objectIn(JSON.parse(bodies[index]?.toString("utf8") ?? "null") as JsonValue) ?? {};
      for (const each of wanted) {
        const texts = each.readers?.get(resourceTypeName(typeIdOfKey(key)))?.(resource) ?? [];
        const best = texts.map(comparable).reduce<string | undefined>(each.key.descending ? greater : less, undefined);
        if (best === undefined) continue;
        each.keys.push(key);
        each.texts.push(best);
      }
    }
  }
  return new Map(wanted.map(({ key, keys: of, texts }) => [key, { keys: of, texts }]));
}

/** As many as one page may read to be sorted. */
const MAX_RESOURCES = 10_000;
const MAX_BYTES = 256 * 1024 * 1024;
/** Resources whose bodies are in memory together. */
const CHUNK = 250;
/** Characters of a text that are compared. */
const LENGTH = 128;

/** No text in a database holds U+0000 or half of a surrogate pair. */
const UNSTORABLE = /\0|\p{Surrogate}/gu;

/** What a text in the database may hold, and no more than a cursor should. */
function comparable(text: string): string {
  const storable = text.slice(0, LENGTH * 2).replace(UNSTORABLE, "");
  return Array.from(storable).slice(0, LENGTH).join("");
}

function less(a: string | undefined, b: string): string {
  return a === undefined || b < a ? b : a;
}

function greater(a: string | undefined, b: string): string {
  return a === undefined || b > a ? b : a;
}
