import { canonicalConstantOf, ownCanonicalConstantOf, type OwnCanonical } from "../../fhir/canonical-value.ts";
import { storedParameters } from "../../fhir/derived-parameters.ts";
import { keyRangeOfType } from "../../fhir/resource-key.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import { isCanonicalType } from "../../index/canonicals.ts";
import type { Queryable } from "../../postgres/pool.ts";
import { CANONICAL_LINKS, isKey, ownRows, referringValues } from "../resolve/canonical-links.ts";
import { refersByCanonical } from "../../fhir/parameter-elements.ts";
import { NEVER, type Condition } from "../condition/condition.ts";
import { allOf } from "../condition/combine.ts";
import { oneOf } from "../condition/combine.ts";
import { keyRanges, targetsOf } from "../condition/reference-link.ts";
import { parametersOfInclude, type Include } from "../parse/include.ts";
import { sql, statement } from "../../postgres/sql.ts";

/** What resources refer to by canonical URL. */
export interface CanonicalTargets {
  own: OwnCanonical;
  key: bigint;
  /** The types that are meant. */
  targets: readonly string[];
}

/** A resource whose references are followed. */
export interface CanonicalSource {
  type: string;
  key: bigint;
}

/** The canonicals that current versions of resources refer to by some includes. */
export async function canonicalTargets(
  db: Queryable,
  includes: readonly Include[],
  sources: readonly CanonicalSource[],
): Promise<CanonicalTargets[]> {
  const links = [...new Set(sources.map(({ type }) => type))].flatMap((type) =>
    includes.flatMap((include) =>
      parametersOfInclude(include, type)
        .filter(refersByCanonical)
        .map((parameter) => ({ type, parameter, targets: targetsMeant(parameter, include) })),
    ),
  );
  if (links.length === 0) return [];
  const rows = links.flatMap(({ type, parameter }, place) =>
    storedParameters(parameter, [type]).flatMap(({ parameter: id }) =>
      CANONICAL_LINKS.map(({ link, own }) => ({
        ...keyRangeOfType(resourceTypeId(type) ?? 0),
        constant: canonicalConstantOf(id, link),
        own,
        place,
      })),
    ),
  );
  const found = await db.query<{ own: OwnCanonical; place: number; key: string }>(
    statement(sql`select distinct l.own, l.place, (u.value # l.constant)::text as key
      from resource_current h join search_resource r on r.segment = h.segment and r.key = h.key and r.stamp = h.stamp,
        unnest(r.equality) u (value),
        unnest(${rows.map(({ low }) => low)}::bigint[], ${rows.map(({ high }) => high)}::bigint[],
          ${rows.map(({ constant }) => constant)}::bigint[], ${rows.map(({ own }) => own)}::text[],
          ${rows.map(({ place }) => place)}::int[]) l (low, high, constant, own, place)
      where h.key = any(${sources.map(({ key }) => key)}::bigint[]) and h.key between l.low and l.high
        and ${isKey(sql`l.constant`)}`),
  );
  return found.rows.map(({ own, place, key }) => ({ own, key: BigInt(key), targets: links[place]?.targets ?? [] }));
}

/** The condition that a resource is one of the targets. */
export function isTarget(targets: readonly CanonicalTargets[]): Condition {
  return oneOf(
    targets.map(({ own, key, targets: types }) =>
      allOf([ofTypes(types), { kind: "holds", values: [key ^ ownCanonicalConstantOf(own)] }]),
    ),
  );
}

/** The equality values of references, by a reverse include, of resources of a type to some current versions of resources. */
export async function canonicalReferences(
  db: Queryable,
  includes: readonly Include[],
  type: string,
  sources: readonly CanonicalSource[],
): Promise<bigint[]> {
  const links = includes.flatMap((include) =>
    include.source === type
      ? parametersOfInclude(include, type)
          .filter(refersByCanonical)
          .map((parameter) => ({ parameter, targets: targetsMeant(parameter, include) }))
      : [],
  );
  const known = sources.filter((source) => isCanonicalType(source.type));
  if (links.length === 0 || known.length === 0) return [];
  const found = await db.query<{ own: OwnCanonical; source: string; key: string }>(
    statement(sql`select l.own, h.key::text as source, (u.value # l.constant)::text as key
      from resource_current h join search_resource r on r.segment = h.segment and r.key = h.key and r.stamp = h.stamp,
        unnest(r.equality) u (value), ${ownRows()}
      where h.key = any(${known.map(({ key }) => key)}::bigint[]) and ${isKey(sql`l.constant`)}`),
  );
  const typeOf = new Map(known.map(({ key, type: name }) => [`${key}`, name]));
  return links.flatMap(({ parameter, targets }) => {
    const meant = found.rows.filter(({ source }) => targets.includes(typeOf.get(source) ?? ""));
    return referringValues(
      parameter,
      [type],
      meant.map(({ own, key }) => ({ own, key: BigInt(key) })),
    );
  });
}

function targetsMeant(parameter: SearchParameter, { targets }: Include): readonly string[] {
  const possible = targetsOf(parameter);
  return targets === undefined ? possible : possible.filter((type) => targets.includes(type));
}

function ofTypes(types: readonly string[]): Condition {
  return types.length === 0 ? NEVER : oneOf(keyRanges(types).map(({ low, high }) => ({ kind: "within", low, high })));
}
