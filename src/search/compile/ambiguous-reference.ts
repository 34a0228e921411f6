import { StokerError } from "../../base/errors.ts";
import { storedParameters } from "../../fhir/derived-parameters.ts";
import { resourceKeyOf } from "../../fhir/resource-key.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import type { Queryable } from "../../postgres/pool.ts";
import type { Condition } from "../condition/condition.ts";
import type { CriterionValue } from "../criteria/criteria.ts";
import { sql, statement } from "../../postgres/sql.ts";

/**
 * The condition, refused with `bad-request` when it is looked up and one of the values is an id without a type that resources of
 * several types have: servers SHOULD refuse that (R4 search, 3.1.1.4.13), because the client means one of them.
 */
export function refusingAmbiguous(
  condition: Condition,
  parameter: SearchParameter,
  values: readonly CriterionValue[],
  types: readonly string[],
): Condition {
  const stored = storedParameters(parameter, types);
  const canBe = (type: string): boolean =>
    stored.some(({ targetType }) => targetType === undefined || targetType === type);
  const possible = values.flatMap((value) => {
    const targets = value.type === "reference" ? value.targets.filter(({ type }) => canBe(type)) : [];
    return targets.length > 1 ? [targets] : [];
  });
  const targets = possible.flat();
  if (targets.length === 0 || targets.length > MOST_TARGETS) return condition;
  return {
    kind: "lookup",
    find: async ({ db }) => {
      const known = await existing(db, targets);
      for (const group of possible) {
        const found = group.filter(({ type, id }) => known.has(`${type}/${id}`)).map(({ type }) => type);
        if (found.length > 1) throw ambiguous(parameter.code, found);
      }
      return condition;
    },
  };
}

/** The check is for people who write an id; long lists are not looked up. */
const MOST_TARGETS = 2000;

/** Those of the resources that are there, as `Type/id`. */
async function existing(db: Queryable, targets: readonly { type: string; id: string }[]): Promise<ReadonlySet<string>> {
  const names = new Map(targets.map(({ type, id }) => [resourceKeyOf(type, id), `${type}/${id}`]));
  const { rows } = await db.query<{ key: string; id: string }>(
    statement(sql`select h.key::text, h.id from resource_current h
      where h.key = any(${[...names.keys()]}::bigint[]) and h.segment is not null`),
  );
  return new Set(
    rows.flatMap(({ key, id }) => {
      const name = names.get(BigInt(key)) ?? "";
      return name.endsWith(`/${id}`) ? [name] : [];
    }),
  );
}

function ambiguous(code: string, types: readonly string[]): StokerError {
  const text = `Search parameter '${code}': the id is that of resources of several types (${types.join(", ")}); write the type, as in ${code}=${types[0] ?? ""}/[id].`;
  return new StokerError("bad-request", text, { expression: code });
}
