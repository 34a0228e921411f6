import { foldCode } from "../../../fhir/fold-text.ts";
import type { StoredParameter } from "../../../fhir/derived-parameters.ts";
import { MEDIA_TYPE_TERMS } from "../../../fhir/search-value.ts";
import { hashed, NEVER, type Condition } from "../../condition/condition.ts";
import { tokenEqualities } from "../../condition/equality.ts";
import { textPrefixTest } from "../../condition/ordered.ts";
import { any, sql, statement } from "../../../postgres/sql.ts";
import { tooCostly } from "../../cost/too-costly.ts";

/**
 * The condition that a media type is the asked one, whatever parameters it has, or one of a whole family (`:below`, R4 search,
 * 3.1.1.4.10.1): `text/xml` finds `text/xml; charset=UTF-8`; `image` and `image/*` find `image/png`.
 */
export function belowMediaType(stored: readonly StoredParameter[], asked: string): Condition {
  const [, family] = /^([^/;]+)(?:\/\*?)?$/.exec(asked.trim()) ?? [];
  const base = foldCode(asked.trim());
  const test =
    family === undefined
      ? any([sql`s.folded = ${base}`, textPrefixTest(`${base};`), textPrefixTest(`${base} ;`)])
      : any([sql`s.folded = ${base}`, textPrefixTest(`${foldCode(family)}/`)]);
  return {
    kind: "lookup",
    find: async (lookups) => {
      const { rows } = await lookups.db.query<{ folded: string }>(
        statement(
          sql`select s.folded from search_dictionary s where s.parameter = ${MEDIA_TYPE_TERMS} and ${test} limit ${MOST + 1}`,
        ),
      );
      if (rows.length > MOST) throw tooCostly(`more than ${MOST} media types are below the asked one`);
      const values = hashed(lookups, () =>
        stored.flatMap(({ parameter }) =>
          rows.flatMap(({ folded: code }) => tokenEqualities(parameter, { type: "token", code })),
        ),
      );
      return values.length === 0 ? NEVER : { kind: "holds", values: [...new Set(values)] };
    },
  };
}

const MOST = 10_000;
