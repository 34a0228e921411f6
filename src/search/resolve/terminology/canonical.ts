import type { JsonObject, JsonValue } from "../../../base/json.ts";
import { StokerError } from "../../../base/errors.ts";
import { foldCode } from "../../../fhir/fold-text.ts";
import { storedParameters, type StoredParameter } from "../../../fhir/derived-parameters.ts";
import { keyRangeOfType } from "../../../fhir/resource-key.ts";
import { resourceTypeId } from "../../../fhir/resource-types.ts";
import { searchParameter } from "../../../fhir/search-parameters.ts";
import { EqualityForm } from "../../../fhir/search-value.ts";
import { readBodies } from "../../../store/resources/body.ts";
import { VERSION_COLUMNS_SQL, versionOf, type VersionColumns } from "../../../store/resources/read.ts";
import { type Condition, type Lookups } from "../../condition/condition.ts";
import { conditionSql } from "../../condition/condition-sql.ts";
import { allOf } from "../../condition/combine.ts";
import { equalityOf } from "../../condition/equality.ts";
import { objectIn } from "../../../fhir/json-members.ts";
import { hasId } from "../../condition/ids.ts";
import { holdsAny } from "../../types/simple.ts";
import { sql, statement } from "../../../postgres/sql.ts";
import { tooCostly } from "../../cost/too-costly.ts";

/** The types whose resources are looked up by their canonical URL. */
export type CanonicalType = "ValueSet" | "CodeSystem";

/**
 * The stored resource of a type that is meant by `Type/id`, or by a canonical URL, perhaps with `|version`; undefined when
 * there is none. Throws `bad-request` when several versions are stored and none is named, and `too-costly` for one that
 * is very long.
 */
export async function readCanonical(
  { db, blocks, current }: Lookups,
  type: CanonicalType,
  reference: string,
): Promise<JsonObject | undefined> {
  const condition = allOf([ofType(type), meant(type, reference), current]);
  const { rows } = await db.query<VersionColumns>(
    statement(sql`select v.id, ${VERSION_COLUMNS_SQL} from search_resource r join resource_current v on v.key = r.key
      where ${conditionSql(condition)} limit 2`),
  );
  const [row, another] = rows;
  if (row === undefined) return undefined;
  if (another !== undefined) {
    throw new StokerError(
      "bad-request",
      `Several versions of ${type} '${reference}' are stored: name one of them as url|version.`,
      {
        issue: "multiple-matches",
      },
    );
  }
  const { place } = versionOf(type, row);
  if (place.length > MAX_BYTES) throw tooCostly(`${type} '${reference}' has more than ${MAX_BYTES} bytes`);
  const [body] = await readBodies(db, blocks, [place]);
  return objectIn(JSON.parse(body?.toString("utf8") ?? "null") as JsonValue);
}

const MAX_BYTES = 32_000_000;

function ofType(type: CanonicalType): Condition {
  const { low, high } = keyRangeOfType(resourceTypeId(type) ?? 0);
  return { kind: "sql", test: sql`r.key between ${low} and ${high}` };
}

function meant(type: CanonicalType, reference: string): Condition {
  const id = /^[A-Za-z]+\/([A-Za-z0-9\-.]{1,64})$/.exec(reference);
  if (id?.[1] !== undefined && reference.startsWith(`${type}/`)) {
    return hasId([type], [id[1]]);
  }
  const [url = "", version] = reference.split("|", 2);
  const named = holdsAny(stored(type, "url"), (id) => equalityOf(id, EqualityForm.uri, url));
  if (version === undefined || version === "") return named;
  const isVersion = holdsAny(stored(type, "version"), (id) =>
    equalityOf(id, EqualityForm.caselessCode, foldCode(version)),
  );
  return allOf([named, isVersion]);
}

function stored(type: CanonicalType, code: "url" | "version"): readonly StoredParameter[] {
  const parameter = searchParameter(type, code);
  if (parameter === undefined) throw new TypeError(`${type} has no parameter ${code}`);
  return storedParameters(parameter, [type]);
}
