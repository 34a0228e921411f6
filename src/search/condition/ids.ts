import { resourceKeyOf } from "../../fhir/resource-key.ts";
import { isStorable } from "../../store/resources/read.ts";
import { sql } from "../../postgres/sql.ts";
import type { Condition } from "./condition.ts";

/** The condition that a resource is of one of the types and has one of the ids. An id that shares its key with a stored one does not. */
export function hasId(types: readonly string[], ids: readonly string[]): Condition {
  const asked = ids.filter(isStorable);
  const keys = types.flatMap((type) => asked.map((id) => resourceKeyOf(type, id)));
  return {
    kind: "sql",
    test: sql`(r.key = any(${keys}::bigint[]) and exists (select from resource_current i where i.key = r.key and i.id = any(${asked}::text[])))`,
  };
}
