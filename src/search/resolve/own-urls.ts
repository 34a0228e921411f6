import { toBigInt } from "../../base/hash.ts";
import { BASE_TERMS, baseValue, CONTAINED_TERMS } from "../../fhir/search-value.ts";
import type { Queryable } from "../../postgres/pool.ts";
import { absoluteConstantOf } from "../condition/equality.ts";
import type { ReferenceLink } from "../condition/reference-link.ts";

/**
 * The links, and where references are stored that are written as URLs below the base, the same for those: they are
 * references to resources here.
 */
export async function withOwnUrls(
  db: Queryable,
  links: readonly ReferenceLink[],
  baseUrl: string,
): Promise<readonly ReferenceLink[]> {
  if (links.length === 0) return links;
  const kinds = await readReferenceKinds(db, baseUrl);
  return kinds.ownUrls ? [...links, ...ownUrls(links, baseUrl)] : links;
}

/** What is stored of references other than those by type and id: see {@link readReferenceKinds}. */
export interface ReferenceKinds {
  /** There are some that are written as URLs below the base. */
  ownUrls: boolean;
  /** Parameters that refer to contained resources, with the types of these (`containedTerm`). */
  contained: ReadonlySet<string>;
}

/** Finds out at once what chains must follow beside plain references. */
export async function readReferenceKinds(db: Queryable, baseUrl: string): Promise<ReferenceKinds> {
  const halves = { high: 0, low: 0 };
  baseValue(baseUrl, halves);
  const { rows } = await db.query<{ parameter: number; folded: string }>({
    name: "reference-kinds",
    text: `select parameter, folded from search_dictionary where parameter = $1 and value = $2
           union all select parameter, folded from search_dictionary where parameter = $3`,
    values: [BASE_TERMS, toBigInt(halves), CONTAINED_TERMS],
  });
  const contained = rows.filter(({ parameter }) => parameter === CONTAINED_TERMS).map(({ folded }) => folded);
  return { ownUrls: contained.length < rows.length, contained: new Set(contained) };
}

/** The links of references that are written so. */
export function ownUrls(links: readonly ReferenceLink[], baseUrl: string): ReferenceLink[] {
  return links.map((link) => ({ ...link, constant: absoluteConstantOf(link.parameter, baseUrl) }));
}
