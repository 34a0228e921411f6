import type { Criterion } from "../criteria/criteria.ts";
import { sql, type Sql } from "../../postgres/sql.ts";
import { type Condition } from "../condition/condition.ts";
import { linkRows } from "../condition/condition-sql.ts";
import { oneOf } from "../condition/combine.ts";
import { withOwnUrls } from "../resolve/own-urls.ts";
import { keyRanges, referenceLinks, type ReferenceLink } from "../condition/reference-link.ts";

/** That a resource of `types` is in the compartment of any stored resource of a type, or is one of these itself. */
export function anyCompartment(
  { parameters, type, isItself }: Criterion & { kind: "anyMember" },
  types: readonly string[],
  baseUrl: string,
): Condition {
  const links = parameters.flatMap((parameter) => referenceLinks(parameter, types, [type]));
  const refers: Condition = {
    kind: "lookup",
    find: async ({ db }) => ({ kind: "sql", test: refersToStored(await withOwnUrls(db, links, baseUrl)) }),
  };
  if (!isItself) return refers;
  return oneOf([refers, ...keyRanges([type]).map(({ low, high }): Condition => ({ kind: "within", low, high }))]);
}

/** One probe of the heads for each value that may be a reference by one of the links: how many targets there are is no matter. */
export function refersToStored(links: readonly ReferenceLink[]): Sql {
  if (links.length === 0) return sql`false`;
  return sql`exists (select from unnest(r.equality) u (value), ${linkRows(links)}, resource_current p
    where (u.value # l.constant) between l.low and l.high and p.key = (u.value # l.constant) and p.segment is not null)`;
}
