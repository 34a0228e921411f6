import { StokerError } from "../base/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../base/json.ts";
import { RESOURCE_TYPES } from "../fhir/resource-types.ts";
import { searchParameter } from "../fhir/search-parameters.ts";
import { readBodies } from "../store/resources/body.ts";
import { VERSION_COLUMNS_SQL, versionOf, type VersionColumns } from "../store/resources/read.ts";
import { conditionSql } from "./condition/condition-sql.ts";
import { searchCondition } from "./compile/plan.ts";
import { resolveCondition } from "./resolve/resolve.ts";
import { readSnapshot, takeRoom, type ReadContext } from "./context/context.ts";
import { typeOfKey } from "./parse/include.ts";
import { sql, statement } from "../postgres/sql.ts";

/** The sets in `meta`, by the search parameter that says whether there are any. */
const SETS = [
  { name: "profile", code: "_profile" },
  { name: "security", code: "_security" },
  { name: "tag", code: "_tag" },
] as const;

/** Resources that are read: which values a resource has stands in its body only. */
const MAX_RESOURCES = 10_000;
/** Resources that are read in one step. */
const STEP = 200;

/**
 * The profiles, security labels and tags of all current resources of a type, or of the whole store (`$meta`, R4): each once, as the
 * first resource that has it says it. `identityOf` tells what two of them are one. Throws `too-costly` when more than 10,000
 * resources have any, or it takes too long.
 */
export async function usedMeta(
  context: ReadContext,
  type: string | undefined,
  identityOf: (value: JsonValue) => string,
): Promise<JsonObject> {
  const types = type === undefined ? undefined : [type];
  const groups = SETS.map(({ code }) => {
    const parameter = searchParameter(type ?? RESOURCE_TYPES[0] ?? "", code);
    if (parameter === undefined) throw new Error(`R4 has no parameter ${code}`);
    return { types, criteria: [{ kind: "missing", parameter, missing: false } as const] };
  });
  const { dateEquality, baseUrl } = context;
  const found = searchCondition(groups, { dateEquality, baseUrl, now: 0 });
  return await readSnapshot(context, async (db) => {
    const condition = conditionSql(await resolveCondition(db, found, context.blocks), "walk");
    const values = new Map<string, Map<string, JsonValue>>(SETS.map(({ name }) => [name, new Map()]));
    let after = 0n;
    for (let read = 0; ;) {
      const { rows } = await db.query<VersionColumns & { key: string }>(
        statement(sql`select v.key::text, v.id, ${VERSION_COLUMNS_SQL} from (
            select r.key from search_resource r where ${condition}${read === 0 ? sql`` : sql` and r.key > ${after}`}
            order by r.key limit ${STEP}) t
          join resource_current v on v.key = t.key order by v.key`),
      );
      const last = rows.at(-1);
      if (last === undefined) break;
      after = BigInt(last.key);
      read += rows.length;
      if (read > MAX_RESOURCES) throw tooMany(type);
      const places = rows.map((row) => versionOf(typeOfKey(BigInt(row.key)), row).place);
      await takeRoom(context, Math.max(...places.map(({ length }) => length)));
      for (const place of places) {
        const [body] = await readBodies(db, context.blocks, [place]);
        take(values, metaIn(body), identityOf);
      }
    }
    return Object.fromEntries(
      [...values].filter(([, each]) => each.size > 0).map(([name, each]) => [name, [...each.values()]]),
    );
  });
}

function take(
  values: ReadonlyMap<string, Map<string, JsonValue>>,
  meta: JsonObject,
  identityOf: (value: JsonValue) => string,
): void {
  for (const [name, known] of values) {
    const listed = meta[name];
    for (const value of Array.isArray(listed) ? listed : []) {
      const identity = identityOf(value);
      if (!known.has(identity)) known.set(identity, value);
    }
  }
}

/** The `meta` in a resource's bytes. */
function metaIn(body: Buffer | undefined): JsonObject {
  const resource = body === undefined ? undefined : (JSON.parse(body.toString()) as JsonValue);
  const meta = isObject(resource) ? resource["meta"] : undefined;
  return isObject(meta) ? meta : {};
}

function tooMany(type: string | undefined): StokerError {
  const what = type === undefined ? "resources" : `resources of type ${type}`;
  const text = `$meta: more than ${String(MAX_RESOURCES)} ${what} have profiles, security labels or tags; ask for those of one resource, or search by _profile, _security and _tag.`;
  return new StokerError("too-costly", text, { status: 400 });
}
