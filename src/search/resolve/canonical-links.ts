import {
  canonicalConstantOf,
  canonicalKeyOf,
  CANONICAL_KEYS,
  CANONICAL_TERMS,
  ownCanonicalConstantOf,
  type CanonicalLink,
  type OwnCanonical,
} from "../../fhir/canonical-value.ts";
import { storedParameters, type StoredParameter } from "../../fhir/derived-parameters.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import type { CanonicalValue, ReferenceValue } from "../criteria/criteria.ts";
import { sql, statement, type Sql } from "../../postgres/sql.ts";
import { tooCostly } from "../cost/too-costly.ts";
import { hashed, NEVER, type Condition } from "../condition/condition.ts";
import { oneOf } from "../condition/combine.ts";
import { referenceEqualities } from "../condition/equality.ts";
import { textPrefixTest } from "../condition/ordered.ts";
import { gatheringSql } from "../cost/planner.ts";
import { resolveStored } from "./resolve.ts";

/** How a canonical reference, and what it refers to, are found from one another. */
export const CANONICAL_LINKS: readonly { link: CanonicalLink; own: OwnCanonical }[] = [
  // Without a version all versions are meant.
  { link: "unversioned", own: "url" },
  { link: "versioned", own: "url|version" },
];

/** Canonicals that one step of a search leads over, and resources that it looks up for them. */
const MOST = 10_000;

/** The condition that a resource of `types` refers, by canonical URL, to one that meets `target`, which says the types, too. */
export function canonicalRefers(parameter: SearchParameter, types: readonly string[], target: Condition): Condition {
  return {
    kind: "lookup",
    find: async (lookups) => {
      const found = await gatheringSql(lookups.db, await resolveStored(lookups, target));
      const rows = sql`select r.equality from search_resource r where ${found} limit ${MOST + 1}`;
      const { rows: keys } = await lookups.db.query<{ own: OwnCanonical; key: string; found: number }>(
        statement(sql`with r as materialized (${rows})
          select l.own, (u.value # l.constant)::text as key, (select count(*)::int from r) as found
          from (select unnest(r.equality) as value from r) u, ${ownRows()} where ${isKey(sql`l.constant`)}`),
      );
      if ((keys[0]?.found ?? 0) > MOST)
        throw tooCostly(`a chain over canonical URLs leads to more than ${MOST} resources`);
      const values = storedParameters(parameter, types).flatMap(({ parameter: id }) =>
        keys.flatMap(({ own, key }) =>
          CANONICAL_LINKS.filter((each) => each.own === own).map(
            ({ link }) => BigInt(key) ^ canonicalConstantOf(id, link),
          ),
        ),
      );
      return values.length === 0 ? NEVER : { kind: "holds", values: [...new Set(values)] };
    },
  };
}

/** The condition that a resource of `type` that meets `source` refers to it by canonical URL. */
export function canonicalReferred(parameter: SearchParameter, type: string, source: Condition): Condition {
  return {
    kind: "lookup",
    find: async (lookups) => {
      const found = await gatheringSql(lookups.db, await resolveStored(lookups, source));
      const rows = sql`select unnest(r.equality) as value from search_resource r where ${found}`;
      const { rows: keys } = await lookups.db.query<{ own: OwnCanonical; key: string }>(
        statement(sql`select distinct l.own, (u.value # l.constant)::text as key
          from (${rows}) u, ${linkRowsOf(storedParameters(parameter, [type]))}
          where ${isKey(sql`l.constant`)} limit ${MOST + 1}`),
      );
      if (keys.length > MOST) throw tooCostly(`a _has leads over more than ${MOST} canonical URLs`);
      const values = keys.map(({ own, key }) => BigInt(key) ^ ownCanonicalConstantOf(own));
      return values.length === 0 ? NEVER : { kind: "holds", values };
    },
  };
}

/** The equality values of references of `types` to what has one of these keys of its own. */
export function referringValues(
  parameter: SearchParameter,
  types: readonly string[],
  keys: readonly { own: OwnCanonical; key: bigint }[],
): bigint[] {
  return storedParameters(parameter, types).flatMap(({ parameter: id }) =>
    keys.flatMap(({ own, key }) =>
      CANONICAL_LINKS.filter((each) => each.own === own).map(({ link }) => key ^ canonicalConstantOf(id, link)),
    ),
  );
}

/** What resources are referred to by, as rows `l`. */
export function ownRows(): Sql {
  const owns = CANONICAL_LINKS.map(({ own }) => own);
  return sql`unnest(${owns.map(ownCanonicalConstantOf)}::bigint[], ${owns}::text[]) l (constant, own)`;
}

/** References by canonical as rows `l`, with what they refer to. */
export function linkRowsOf(stored: readonly StoredParameter[]): Sql {
  const rows = stored.flatMap(({ parameter }) =>
    CANONICAL_LINKS.map(({ link, own }) => ({ constant: canonicalConstantOf(parameter, link), own })),
  );
  return sql`unnest(${rows.map(({ constant }) => constant)}::bigint[], ${rows.map(({ own }) => own)}::text[]) l (constant, own)`;
}

/** Whether a value `u` is, with a constant, the key of a canonical. */
export function isKey(constant: Sql): Sql {
  return sql`(u.value # ${constant}) between ${CANONICAL_KEYS.low} and ${CANONICAL_KEYS.high}`;
}

/**
 * The condition that a canonical is the asked one, of any version, or of one below the asked version (`:below`, R4 search,
 * 3.1.1.4.13): `url|1` finds `url|1.0` and `url|1.1`.
 */
export function belowCanonical(stored: readonly StoredParameter[], value: ReferenceValue): Condition {
  const { canonicals = [] } = value;
  const versioned = canonicals.filter(({ version }) => version !== undefined);
  if (versioned.length === 0) {
    return { kind: "holds", values: stored.flatMap(({ parameter }) => referenceEqualities(parameter, value)) };
  }
  return oneOf(versioned.map((canonical) => belowVersion(stored, canonical)));
}

function belowVersion(stored: readonly StoredParameter[], { url, version = "" }: CanonicalValue): Condition {
  const asked = `${url}|${version}`;
  return {
    kind: "lookup",
    find: async (lookups) => {
      const { rows } = await lookups.db.query<{ folded: string }>(
        statement(sql`select s.folded from search_dictionary s
          where s.parameter = ${CANONICAL_TERMS} and ${textPrefixTest(asked)} limit ${MOST + 1}`),
      );
      if (rows.length > MOST) throw tooCostly(`more than ${MOST} versions begin with the asked one`);
      const below = rows.map(({ folded }) => folded).filter((each) => /^(?:$|[.-])/.test(each.slice(asked.length)));
      const values = hashed(lookups, () => {
        const keys = below.map(canonicalKeyOf);
        return stored.flatMap(({ parameter }) => keys.map((key) => key ^ canonicalConstantOf(parameter, "versioned")));
      });
      return values.length === 0 ? NEVER : { kind: "holds", values };
    },
  };
}
